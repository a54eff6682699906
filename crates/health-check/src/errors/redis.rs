//! The window in Redis or Valkey, for several health-checks.
//!
//! Each error is one member of a sorted set, with its time as the score. The member is made of the start of the worker, the
//! number of the entry and that of the error within it, and the set is that of the worker, stage, endpoint and text. So
//! whoever adds it again adds nothing. What is older than the window is removed, and all of it expires with the window.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo as _, Pipeline, RedisError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::{About, ErrorEntry, Place, Series};
use super::memory::is_old;

/// The series there are, by the time of their last error.
const SERIES: &str = "weir:errors:series";
/// Members of one set: the oldest go.
const OF_A_SERIES: isize = 10_000;
/// Members that are added at once; the others are added the next time.
const AT_ONCE: u64 = 20_000;
/// Series that are read: those with the latest errors.
const READ: isize = 5000;

/// The URL cannot be used. It is not told: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("the URL cannot be used: write redis://host:port/0")]
pub struct InvalidUrl;

/// The window in Redis. Waits for nobody before it is asked.
pub struct Shared {
    client: Client,
    config: ConnectionManagerConfig,
    connection: ConnectionManager,
    window: Duration,
    /// Of each entry how many members were added.
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
    /// At this URL; each request takes at most `limit`.
    ///
    /// # Errors
    /// The URL is not one of Redis.
    pub fn open(url: &str, window: Duration, limit: Duration) -> Result<Self, InvalidUrl> {
        let info = url.into_connection_info().map_err(|_| InvalidUrl)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(limit))
            .set_connection_timeout(Some(limit))
            .set_number_of_retries(0);
        let client = Client::open(info).map_err(|_| InvalidUrl)?;
        let connection = client.get_connection_manager_lazy(config.clone()).map_err(|_| InvalidUrl)?;
        Ok(Self { client, config, connection, window, added: BTreeMap::new() })
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
            // It may have been emptied, and the connection may lead nowhere.
            self.added.clear();
            if let Ok(fresh) = self.client.get_connection_manager_lazy(self.config.clone()) {
                self.connection = fresh;
            }
        }
        exchanged
    }

    async fn add(&mut self, entries: &[ErrorEntry], now: SystemTime) -> Result<(), RedisError> {
        let window = self.window;
        self.added.retain(|_, (at, _)| !is_old(*at, window, now));
        let (mut pipeline, mut left, mut adding) = (redis::pipe(), AT_ONCE, Vec::new());
        for entry in entries.iter().filter(|entry| !is_old(entry.at, window, now)) {
            let key = (Arc::from(entry.about.instance.as_str()), entry.place.clone());
            let before = self.added.get(&key).map_or(0, |(_, count)| *count);
            let count = entry.count.min(before.saturating_add(left));
            if count > before {
                left -= count - before;
                self.add_entry(&mut pipeline, entry, before, count);
                adding.push((key, (entry.at, count)));
            }
        }
        let before = millis(now).saturating_sub(window.as_millis() as u64);
        pipeline.cmd("ZREMRANGEBYSCORE").arg(SERIES).arg("-inf").arg(before).ignore();
        let () = pipeline.query_async(&mut self.connection).await?;
        self.added.extend(adding);
        Ok(())
    }

    fn add_entry(&self, pipeline: &mut Pipeline, entry: &ErrorEntry, before: u64, count: u64) {
        let (id, window) = (id(&entry.about), self.window.as_millis() as u64);
        let (set, about) = (set(&id), about(&id));
        let Place { start: (seconds, nanos), number } = entry.place;
        let add = pipeline.cmd("ZADD").arg(&set).arg("NX");
        for n in before + 1..=count {
            add.arg(millis(entry.at)).arg(format!("{seconds}.{nanos}:{number}:{n}"));
        }
        add.ignore();
        pipeline.cmd("ZREMRANGEBYSCORE").arg(&set).arg("-inf").arg(millis(entry.at).saturating_sub(window)).ignore();
        pipeline.cmd("ZREMRANGEBYRANK").arg(&set).arg(0).arg(-OF_A_SERIES - 1).ignore();
        pipeline.cmd("PEXPIRE").arg(&set).arg(window).ignore();
        let About { instance, hop, endpoint, kind, same } = entry.about.clone();
        let told = Told { instance, hop, endpoint, kind, same, text: entry.text.clone() };
        let told = serde_json::to_string(&told).unwrap_or_default();
        pipeline.cmd("SET").arg(&about).arg(told).arg("PX").arg(window).ignore();
        pipeline.cmd("ZADD").arg(SERIES).arg("GT").arg(millis(entry.last_at)).arg(&id).ignore();
        pipeline.cmd("PEXPIRE").arg(SERIES).arg(window).ignore();
    }

    async fn series(&mut self, now: SystemTime) -> Result<Vec<Series>, RedisError> {
        let after = format!("({}", millis(now).saturating_sub(self.window.as_millis() as u64));
        let mut asks = redis::cmd("ZREVRANGEBYSCORE");
        asks.arg(SERIES).arg("+inf").arg(&after).arg("WITHSCORES").arg("LIMIT").arg(0).arg(READ);
        let known: Vec<(String, u64)> = asks.query_async(&mut self.connection).await?;
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = redis::pipe();
        for (id, _) in &known {
            pipeline.cmd("GET").arg(about(id)).cmd("ZCOUNT").arg(set(id)).arg(&after).arg("+inf");
            let first = pipeline.cmd("ZRANGEBYSCORE").arg(set(id)).arg(&after).arg("+inf");
            first.arg("WITHSCORES").arg("LIMIT").arg(0).arg(1);
        }
        let answers: Vec<redis::Value> = pipeline.query_async(&mut self.connection).await?;
        let mut found = Vec::new();
        for ((_, last), answer) in known.into_iter().zip(answers.chunks_exact(3)) {
            let told: Option<String> = redis::from_redis_value(answer[0].clone())?;
            let count: u64 = redis::from_redis_value(answer[1].clone())?;
            let first: Vec<(String, u64)> = redis::from_redis_value(answer[2].clone())?;
            // What expired between the two, or is not ours.
            let Some(told) = told.and_then(|told| serde_json::from_str::<Told>(&told).ok()) else { continue };
            let Some((_, first)) = first.into_iter().next() else { continue };
            let Told { instance, hop, endpoint, kind, same, text } = told;
            let about = About { instance, hop, endpoint, kind, same };
            found.push(Series { about, text, count, first_at: time(first), last_at: time(last) });
        }
        found.sort_by(|a, b| a.about.cmp(&b.about));
        Ok(found)
    }
}

fn set(id: &str) -> String {
    format!("weir:errors:of:{id}")
}

fn about(id: &str) -> String {
    format!("weir:errors:about:{id}")
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

fn millis(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}
