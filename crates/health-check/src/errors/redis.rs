//! The window in Redis or Valkey, for several health-checks.
//!
//! Each entry is one member of a sorted set. The member is made of the start of the worker and the number of the entry, and the
//! set is that of the worker, stage, endpoint and text. Its score is its time, and behind that its count: so the greater count
//! stays, whoever adds it, and however often. What is older than the window is removed, and all of it expires with the window.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo as _, Pipeline, RedisError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::{About, ErrorEntry, Place, Series};
use super::memory::is_old;

/// Members of one set: the oldest go. A worker tells no more entries of one text within the longest window.
const OF_A_SERIES: isize = 400;
/// Series that are kept: those with the latest errors.
const KEPT: isize = 5000;
/// A score is milliseconds times this, and a count below this: 2^51, of the 2^53 that a score holds.
const COUNTS: u64 = 1024;
/// A clock that differs by more than this from the store's could remove what others know.
const SKEW: Duration = Duration::from_secs(60);

/// The URL cannot be used. It is not told: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("the URL cannot be used: write redis://host:port/0")]
pub struct InvalidUrl;

/// The window in Redis. Waits for nobody before it is asked.
pub struct Shared {
    client: Client,
    config: ConnectionManagerConfig,
    connection: ConnectionManager,
    /// What all keys begin with.
    prefix: String,
    window: Duration,
    /// Of each entry the count that was added.
    added: BTreeMap<(Arc<str>, Place), (SystemTime, u64)>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("window", &self.window).finish_non_exhaustive()
    }
}

/// What stands beside a set.
#[derive(Serialize, Deserialize)]
struct Told {
    instance: String,
    hop: String,
    endpoint: String,
    kind: String,
    same: String,
    text: String,
}

impl Shared {
    /// At this URL, of the installation of this name; each request takes at most `limit`.
    ///
    /// # Errors
    /// The URL is not one of Redis.
    pub fn open(url: &str, installation: &str, window: Duration, limit: Duration) -> Result<Self, InvalidUrl> {
        let info = url.into_connection_info().map_err(|_| InvalidUrl)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(limit))
            .set_connection_timeout(Some(limit))
            .set_number_of_retries(0);
        let client = Client::open(info).map_err(|_| InvalidUrl)?;
        let connection = client.get_connection_manager_lazy(config.clone()).map_err(|_| InvalidUrl)?;
        let prefix = format!("weir:errors:{installation}:");
        Ok(Self { client, config, connection, prefix, window, added: BTreeMap::new() })
    }

    /// The same as [`Self::exchange`], where this clock is that of the store.
    ///
    /// # Errors
    /// There is no answer, or a refusal; or the clocks differ.
    pub async fn exchange_now(&mut self, entries: &[ErrorEntry], now: SystemTime) -> Result<Vec<Series>, RedisError> {
        let asked: Result<(u64, u64), RedisError> = redis::cmd("TIME").query_async(&mut self.connection).await;
        let there = match asked {
            Ok((seconds, _)) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            Err(error) => {
                self.begin_anew();
                return Err(error);
            }
        };
        let differs = there.duration_since(now).unwrap_or_else(|error| error.duration());
        if differs > SKEW {
            let text = format!("this clock and that of the store differ by {} s", differs.as_secs());
            return Err((redis::ErrorKind::Client, "not asked", text).into());
        }
        self.exchange(entries, now).await
    }

    /// Adds what is new of these, and reads what all have added.
    ///
    /// # Errors
    /// There is no answer, or a refusal.
    pub async fn exchange(&mut self, entries: &[ErrorEntry], now: SystemTime) -> Result<Vec<Series>, RedisError> {
        let exchanged = match self.add(entries, now).await {
            Ok(()) => self.series(now).await,
            Err(error) => Err(error),
        };
        if exchanged.is_err() {
            self.begin_anew();
        }
        exchanged
    }

    /// The store may have been emptied, and the connection may lead nowhere.
    fn begin_anew(&mut self) {
        self.added.clear();
        if let Ok(fresh) = self.client.get_connection_manager_lazy(self.config.clone()) {
            self.connection = fresh;
        }
    }

    async fn add(&mut self, entries: &[ErrorEntry], now: SystemTime) -> Result<(), RedisError> {
        let window = self.window;
        self.added.retain(|_, (at, _)| !is_old(*at, window, now));
        let (mut pipeline, mut adding) = (redis::pipe(), Vec::new());
        for entry in entries.iter().filter(|entry| !is_old(entry.at, window, now)) {
            let key = (Arc::from(entry.about.instance.as_str()), entry.place.clone());
            if self.added.get(&key).is_none_or(|(_, before)| *before < entry.count) {
                self.add_entry(&mut pipeline, entry);
                adding.push((key, (entry.at, entry.count)));
            }
        }
        let (series, before) = (self.key("series"), millis(now).saturating_sub(window.as_millis() as u64));
        pipeline.cmd("ZREMRANGEBYSCORE").arg(&series).arg("-inf").arg(before).ignore();
        pipeline.cmd("ZREMRANGEBYRANK").arg(&series).arg(0).arg(-KEPT - 1).ignore();
        let () = pipeline.query_async(&mut self.connection).await?;
        self.added.extend(adding);
        Ok(())
    }

    fn add_entry(&self, pipeline: &mut Pipeline, entry: &ErrorEntry) {
        let (id, window) = (id(&entry.about), self.window.as_millis() as u64);
        let (set, about, series) = (self.set(&id), self.about(&id), self.key("series"));
        let Place { start: (seconds, nanos), number } = entry.place;
        let member = format!("{seconds}.{nanos}:{number}");
        pipeline.cmd("ZADD").arg(&set).arg("GT").arg(score(entry.at, entry.count)).arg(member).ignore();
        let before = millis(entry.at).saturating_sub(window) * COUNTS;
        pipeline.cmd("ZREMRANGEBYSCORE").arg(&set).arg("-inf").arg(before).ignore();
        pipeline.cmd("ZREMRANGEBYRANK").arg(&set).arg(0).arg(-OF_A_SERIES - 1).ignore();
        pipeline.cmd("PEXPIRE").arg(&set).arg(window).ignore();
        let About { instance, hop, endpoint, kind, same } = entry.about.clone();
        let told = Told { instance, hop, endpoint, kind, same, text: entry.text.clone() };
        let told = serde_json::to_string(&told).unwrap_or_default();
        pipeline.cmd("SET").arg(&about).arg(told).arg("PX").arg(window).ignore();
        pipeline.cmd("ZADD").arg(&series).arg("GT").arg(millis(entry.last_at)).arg(&id).ignore();
        pipeline.cmd("PEXPIRE").arg(&series).arg(window).ignore();
    }

    async fn series(&mut self, now: SystemTime) -> Result<Vec<Series>, RedisError> {
        let after = millis(now).saturating_sub(self.window.as_millis() as u64);
        let mut asks = redis::cmd("ZREVRANGEBYSCORE");
        asks.arg(self.key("series"))
            .arg("+inf")
            .arg(format!("({after}"))
            .arg("WITHSCORES")
            .arg("LIMIT")
            .arg(0)
            .arg(KEPT);
        let known: Vec<(String, u64)> = asks.query_async(&mut self.connection).await?;
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for (id, _) in &known {
            let after = format!("({}", after * COUNTS + COUNTS - 1);
            pipeline.cmd("GET").arg(self.about(id));
            pipeline.cmd("ZRANGEBYSCORE").arg(self.set(id)).arg(after).arg("+inf").arg("WITHSCORES");
        }
        let answers: Vec<redis::Value> = pipeline.query_async(&mut self.connection).await?;
        let mut found = Vec::new();
        for ((_, last), answer) in known.into_iter().zip(answers.chunks_exact(2)) {
            let told: Option<String> = redis::from_redis_value(answer[0].clone())?;
            let entries: Vec<(String, u64)> = redis::from_redis_value(answer[1].clone())?;
            // What expired between the two, or is not ours.
            let Some(told) = told.and_then(|told| serde_json::from_str::<Told>(&told).ok()) else { continue };
            let Some((_, first)) = entries.first() else { continue };
            let count = entries.iter().map(|(_, score)| score % COUNTS).sum();
            let Told { instance, hop, endpoint, kind, same, text } = told;
            let about = About { instance, hop, endpoint, kind, same };
            found.push(Series { about, text, count, first_at: time(first / COUNTS), last_at: time(last) });
        }
        found.sort_by(|a, b| a.about.cmp(&b.about));
        Ok(found)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn set(&self, id: &str) -> String {
        self.key(&format!("of:{id}"))
    }

    fn about(&self, id: &str) -> String {
        self.key(&format!("about:{id}"))
    }
}

/// The name of a series: short, whatever the text is.
fn id(about: &About) -> String {
    let mut hash = Sha256::new();
    for part in [&about.instance, &about.hop, &about.endpoint, &about.kind, &about.same] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn score(at: SystemTime, count: u64) -> u64 {
    millis(at) * COUNTS + count.min(COUNTS - 1)
}

fn millis(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}
