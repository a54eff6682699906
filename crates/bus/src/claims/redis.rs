//! Claims in Redis or Valkey, for several instances.
//!
//! A key beside the claims names the epoch of the store. It is written once the claims are whole. Where it is missing or
//! another, the store is new, is being filled, or has lost what it held: claims are refused, and leave nothing behind,
//! until they were rebuilt. Any number of instances may do that at once: what is there already stays as it is.
//! What an asynchronous failover of the store can lose is beyond this.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::backoff::Backoff;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo as _, Pipeline, RedisError, RedisResult};

use super::reach::{Evictions, MemoryFigures, Reach, SAMPLES};
use super::{AGAIN, ClaimsState, Key};
use crate::clock::Clock;
use crate::kafka::client::first_line;
use crate::threads::lock;
use crate::timekeeper::{self, Watch};
use crate::{Error, Settings};

/// Deletes the claim where it is one of the values.
const COMPARE_AND_DELETE: &str = "\
    local before = redis.call('GET', KEYS[1]) \
    if before == ARGV[1] or before == ARGV[2] then return redis.call('DEL', KEYS[1]) else return 0 end";

/// Enters the claims where the epoch is still ours, in one step: nothing comes between the look and the claims.
/// Keys: the epoch, and the claims. Arguments: our epoch, the seconds to live, and the values.
const CLAIM: &str = "\
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end \
    local before = {} \
    for i = 2, #KEYS do \
        before[i - 1] = redis.call('SET', KEYS[i], ARGV[i + 1], 'NX', 'GET', 'EX', ARGV[2]) \
    end \
    return before";

/// Looks at claims where the epoch is still ours. Keys: the epoch, and the claims. Argument: our epoch.
const LOOK: &str = "\
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end \
    local found = {} \
    for i = 2, #KEYS do found[i - 1] = redis.call('EXISTS', KEYS[i]) end \
    return found";

/// Begins an epoch, or takes the one that another instance began. A store that was emptied during the rebuild has lost
/// its mark, and with it the claims that were restored before: no epoch then.
/// Keys: the epoch, the mark of this rebuild. Arguments: the name of the epoch, whether there has to be a mark.
const COMPLETE: &str = "\
    local epoch = redis.call('GET', KEYS[1]) \
    local marked = redis.call('DEL', KEYS[2]) == 1 \
    if epoch then return epoch end \
    if ARGV[2] == '1' and not marked then return false end \
    redis.call('SET', KEYS[1], ARGV[1]) \
    return ARGV[1]";

/// The least time to live of some claims, in milliseconds. Argument: how many are looked at.
const LEAST: &str = "\
    local least = false \
    for i = 1, ARGV[1] do \
        local key = redis.call('RANDOMKEY') \
        local left = key and #key == 16 and redis.call('PTTL', key) or -1 \
        if left >= 0 and (not least or left < least) then least = left end \
    end \
    return least";

/// The answer to INFO, what is noted of evictions, the epoch, the least time to live, and the seconds of its clock.
type Looked = (String, Option<String>, Option<String>, Option<u64>, (i64, i64));

/// What is noted of evictions, for all who use this server: they are counted for the whole of it. It has no time to
/// live, so that most policies leave it where it is.
const EVICTED_KEY: &str = "weir:claims:evicted";
/// Notes it, unless another has meanwhile. Key: the note. Arguments: the one before, or nothing, and the new one.
const NOTE: &str = "\
    if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2]) \
    return 1";

pub(crate) struct Redis {
    /// The address, without a password.
    shown: Arc<str>,
    client: Client,
    config: ConnectionManagerConfig,
    /// Replaced when a request fails: by itself it would go on with one that leads to a server which is no primary any
    /// more, or vanished without a word, and with the refusal of a login. The number says which one it is.
    connection: Mutex<(u64, ConnectionManager)>,
    clock: Clock,
    ttl_seconds: u64,
    epoch_key: String,
    /// Stands in the store from the first claim that this instance restores until it is done.
    mark_key: String,
    marked: AtomicBool,
    /// In the name of each epoch of this instance, between the time when it began and a number: so the others notice each
    /// new one.
    seed: String,
    begun: AtomicU64,
    /// None: the claims are not known to be whole.
    epoch: Mutex<Option<String>>,
    is_new: bool,
    away: Mutex<Option<String>>,
    /// The clock of the server, by which claims expire there.
    servers: Watch,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("at", &self.shown).finish_non_exhaustive()
    }
}

impl Redis {
    /// Waits for the store.
    pub(crate) async fn open(settings: &Settings, clock: &Clock) -> Result<Self, Error> {
        let claims = &settings.claims;
        let shown: Arc<str> = claims.url.to_string().into();
        // The error may quote the URL, and the URL may hold a password.
        let refused = |_| Error::Setting {
            key: "bus.claims.url".into(),
            problem: format!("{shown} cannot be used: write redis://host:port/0").into(),
        };
        let mut info = claims.url.expose().into_connection_info().map_err(refused)?;
        if !claims.password_file.is_empty() {
            let password = first_line("bus.claims.password_file", &claims.password_file)?;
            let with_password = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(with_password);
        }
        let limit = Duration::from_millis(u64::from(claims.timeout_ms));
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(limit))
            .set_connection_timeout(Some(limit))
            .set_min_delay(AGAIN.0)
            .set_max_delay(AGAIN.1)
            .set_number_of_retries(1);
        let client = Client::open(info).map_err(refused)?;
        let connection = client.get_connection_manager_lazy(config.clone()).map_err(refused)?;
        let seed = format!("{:x}-{:x}", clock.millis(), std::process::id());
        let mut store = Self {
            shown: shown.clone(),
            client,
            config,
            connection: Mutex::new((0, connection)),
            clock: clock.clone(),
            ttl_seconds: claims.ttl().as_secs(),
            epoch_key: format!("weir:claims:epoch:{}{}", settings.topic_prefix, claims.stage),
            mark_key: format!("weir:claims:rebuild:{}{}:{seed}", settings.topic_prefix, claims.stage),
            marked: AtomicBool::new(false),
            seed,
            begun: AtomicU64::new(0),
            epoch: Mutex::new(None),
            is_new: false,
            away: Mutex::new(None),
            servers: Watch::default(),
        };
        let mut look = redis::pipe();
        look.cmd("GET").arg(&store.epoch_key);
        let (epoch,): (Option<String>,) = store.ask(&look).await;
        store.is_new = epoch.is_none();
        store.epoch = Mutex::new(epoch);
        Ok(store)
    }

    /// Refused, with nothing entered, where the epoch in the store is not the one that is known here.
    pub(crate) async fn claim(&self, entries: &[(Key, Vec<u8>)]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.within_epoch(CLAIM, entries.iter().map(|(key, _)| key), |script| {
            script.arg(self.ttl_seconds);
            for (_, value) in entries {
                script.arg(value);
            }
        })
        .await
    }

    /// Whether something stands under each key. Refused as a claim is.
    pub(crate) async fn are_claimed(&self, keys: &[Key]) -> Result<Vec<bool>, Error> {
        self.within_epoch(LOOK, keys.iter(), |_| ()).await
    }

    /// Runs a script that answers nothing where the epoch in the store is not the one that is known here.
    async fn within_epoch<'a, T: redis::FromRedisValue>(
        &self,
        code: &str,
        keys: impl ExactSizeIterator<Item = &'a Key>,
        arguments: impl FnOnce(&mut redis::Cmd),
    ) -> Result<T, Error> {
        let refused = || Error::ClaimsEmptied { store: self.shown.clone() };
        let epoch = lock(&self.epoch).clone().ok_or_else(refused)?;
        let mut script = redis::cmd("EVAL");
        script.arg(code).arg(keys.len() + 1).arg(&self.epoch_key);
        for key in keys {
            script.arg(&key[..]);
        }
        script.arg(&epoch);
        arguments(&mut script);
        let mut pipeline = redis::pipe();
        pipeline.add_command(script);
        let (answer,): (Option<T>,) = self.ask(&pipeline).await;
        if answer.is_none() {
            // Unless the claims were rebuilt meanwhile, by another task of this instance.
            let mut known = lock(&self.epoch);
            if known.as_ref() == Some(&epoch) {
                *known = None;
                tracing::error!(store = %self.shown, "the claims' store was emptied, its claims must be rebuilt");
            }
        }
        answer.ok_or_else(refused)
    }

    pub(crate) async fn restore(&self, entries: &[(Key, Vec<u8>)]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        if !self.marked.load(Ordering::Acquire) {
            pipeline.cmd("SET").arg(&self.mark_key).arg("").arg("EX").arg(self.ttl_seconds).ignore();
        }
        for (key, value) in entries {
            let set = pipeline.cmd("SET").arg(&key[..]).arg(value).arg("NX").arg("EX").arg(self.ttl_seconds);
            set.ignore();
        }
        self.ask::<()>(&pipeline).await;
        self.marked.store(true, Ordering::Release);
        Ok(())
    }

    /// The claims are whole: takes the epoch that is there, or begins one. Refused where the store was emptied since the
    /// first of them was restored.
    pub(crate) async fn restored(&self) -> Result<(), Error> {
        let number = self.begun.fetch_add(1, Ordering::AcqRel);
        let next = format!("{:x}-{}-{number}", self.clock.millis(), self.seed);
        let marked = u8::from(self.marked.swap(false, Ordering::AcqRel));
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(COMPLETE).arg(2).arg(&self.epoch_key).arg(&self.mark_key).arg(next).arg(marked);
        let (epoch,): (Option<String>,) = self.ask(&pipeline).await;
        let whole = epoch.is_some();
        *lock(&self.epoch) = epoch;
        if whole { Ok(()) } else { Err(Error::ClaimsEmptied { store: self.shown.clone() }) }
    }

    pub(crate) async fn release(&self, key: &Key, own: &[Vec<u8>; 2]) -> Result<(), Error> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(COMPARE_AND_DELETE).arg(1).arg(&key[..]).arg(own);
        let (_deleted,): (i64,) = self.ask(&pipeline).await;
        Ok(())
    }

    /// Asks once. Also how many keys were thrown away that no other instance has counted.
    pub(crate) async fn reach(&self) -> Result<(Reach, u64), Error> {
        let failed = |reason: String| Error::Claims { store: self.shown.clone(), reason: reason.into() };
        let (_, mut connection) = lock(&self.connection).clone();
        let mut look = redis::pipe();
        look.cmd("INFO").cmd("GET").arg(EVICTED_KEY).cmd("GET").arg(&self.epoch_key);
        look.cmd("EVAL").arg(LEAST).arg(0).arg(SAMPLES).cmd("TIME");
        let answer: RedisResult<Looked> = look.query_async(&mut connection).await;
        let (info, noted, epoch, least, (seconds, _)) = answer.map_err(|error| failed(error.to_string()))?;
        if let Some(jump) = self.servers.forwards(seconds.saturating_mul(1000), self.clock.monotonic()) {
            // What has expired by it is gone. What came of it is still there, and restores it.
            *lock(&self.epoch) = None;
            let jump = timekeeper::shown(jump);
            tracing::error!(store = %self.shown, jump, "the clock of the claims' store jumped, claims may have expired too early and must be rebuilt");
        }
        let figures = MemoryFigures::read(&info)
            .ok_or_else(|| failed("its answer to INFO lacks the memory or eviction figures".to_owned()))?;
        let now = self.clock.millis();
        let evictions = Evictions::of(&figures, noted.as_deref(), now);
        let mut counted = 0;
        if let Some((note, more)) = &evictions.note {
            let mut pipeline = redis::pipe();
            let noted = noted.unwrap_or_default();
            pipeline.cmd("EVAL").arg(NOTE).arg(1).arg(EVICTED_KEY).arg(noted).arg(note);
            let (won,): (u64,) =
                pipeline.query_async(&mut connection).await.map_err(|error| failed(error.to_string()))?;
            counted = more * won;
        }
        let ttl = Duration::from_secs(self.ttl_seconds);
        let begun = epoch.and_then(|epoch| u64::from_str_radix(epoch.split('-').next()?, 16).ok()).unwrap_or(now);
        let oldest = least.map(|left| (now + left).saturating_sub(self.ttl_seconds * 1000));
        let reach = Reach::of(ttl, now, Some(begun), evictions.last, oldest);
        Ok((Reach { evicted: figures.evicted, evicts: figures.evicts(), fill: figures.fill(), ..reach }, counted))
    }

    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(crate) fn state(&self) -> ClaimsState {
        match &*lock(&self.away) {
            Some(reason) => ClaimsState::Away { reason: reason.clone() },
            None if lock(&self.epoch).is_none() => ClaimsState::Emptied,
            None => ClaimsState::Ready,
        }
    }

    /// Asks until there is an answer. A claim that was made although its answer was lost is found again.
    async fn ask<T: redis::FromRedisValue>(&self, pipeline: &Pipeline) -> T {
        let mut backoff = Backoff::new(AGAIN.0, AGAIN.1);
        loop {
            let (number, mut connection) = lock(&self.connection).clone();
            let answer: RedisResult<T> = pipeline.query_async(&mut connection).await;
            match answer {
                Ok(answer) => {
                    if lock(&self.away).take().is_some() {
                        tracing::info!(store = %self.shown, "the claims' store is available again");
                    }
                    return answer;
                }
                Err(error) => self.note_away(&error),
            }
            self.connect_anew(number);
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    /// In the place of the connection of that number, unless another task has done it.
    fn connect_anew(&self, failed: u64) {
        let mut connection = lock(&self.connection);
        if connection.0 == failed
            && let Ok(fresh) = self.client.get_connection_manager_lazy(self.config.clone())
        {
            *connection = (failed + 1, fresh);
        }
    }

    fn note_away(&self, error: &RedisError) {
        let reason = error.to_string();
        if lock(&self.away).replace(reason.clone()).is_none() {
            tracing::warn!(store = %self.shown, reason, "the claims' store is unavailable, retrying");
        }
    }
}
