//! Claims: which event came out of which record.
//!
//! The first writer wins. A claim's key is the stage, the message's type and the event's id; its value is the place of
//! the record that first carried the event. Seen at the same place: the record is being done again after a crash, and
//! its event must go out again. Seen elsewhere: a duplicate. An id that were only marked as seen would lose its event in
//! a crash between the mark and the produce.
//!
//! A claim lasts from the first time that its event was seen; what comes again does not renew it.

use std::sync::Arc;
use std::time::Duration;

use common::identity::Id;
use sha2::{Digest as _, Sha256};

use crate::backend::Backend;
use crate::clock::Clock;
use crate::settings::ClaimsStore;
use crate::{Coordinates, Error};

mod embedded;
mod lost;
mod place;
mod reach;
mod redis;

use embedded::Embedded;
pub use reach::Reach;
use redis::Redis;

/// One event that is about to be produced.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Full protobuf name of the message.
    pub ce_type: &'a str,
    /// The event's id.
    pub id: Id,
    /// The record that carries it.
    pub at: &'a Coordinates,
    /// Its position in that record, from 0.
    pub index: u32,
}

/// What is known of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Never seen: it goes out.
    First,
    /// Seen at this very place: it is being done again, and goes out again.
    Again,
    /// Came out of another record, or of another place in this one: count it and drop it.
    Duplicate,
}

/// What claims are kept in, as far as health is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimsState {
    /// It answers.
    Ready,
    /// It does not answer, and whoever claims waits.
    Away {
        /// As the store told it.
        reason: String,
    },
    /// It is new, or lost what it held. Claims are refused until they were rebuilt.
    Emptied,
}

/// The store of claims. Clones are one.
#[derive(Debug, Clone)]
pub struct Claims {
    store: Arc<Store>,
    lost: Arc<lost::Lost>,
    /// Enters each key, so that installations can share a store.
    namespace: String,
}

#[derive(Debug)]
enum Store {
    Embedded(Embedded),
    Redis(Box<Redis>),
}

/// The key of a claim.
pub(crate) type Key = [u8; 16];

impl Claims {
    pub(crate) async fn open(backend: &Backend, clock: Clock) -> Result<Self, Error> {
        let settings = backend.settings();
        let store = match settings.claims.store {
            ClaimsStore::Embedded => {
                let (folder, ttl) = (settings.claims.folder.clone(), settings.claims.ttl());
                let log = match backend {
                    Backend::Kafka(_) => None,
                    Backend::Embedded(embedded) => Some(embedded.log.clone()),
                };
                let own = settings.data_dir.join(&folder);
                let open = move || match log {
                    Some(log) => Embedded::within(log, &folder, ttl),
                    None => Embedded::open(&own, ttl, clock),
                };
                crate::threads::blocking(open).await.map(Store::Embedded)?
            }
            ClaimsStore::Redis => Store::Redis(Box::new(Redis::open(settings, &clock).await?)),
        };
        let lost = Arc::new(lost::Lost::of(backend));
        Ok(Self { store: Arc::new(store), lost, namespace: settings.topic_prefix.clone() })
    }

    /// Claims events, in one round trip, and says of each what is known. An event that stands in the slice twice is
    /// claimed by the first. One that was claimed by a record that the log has lost counts as never seen.
    ///
    /// Waits for a store that is away, until the future is dropped; claims that were made before an answer was lost are
    /// found [`Verdict::Again`]. [`Error::ClaimsEmptied`]: the store does not hold, or no longer, what was claimed
    /// before, and duplicates would pass. Nothing was claimed then; see [`restored`](Self::restored).
    pub async fn claim(&self, stage: &str, claims: &[Claim<'_>]) -> Result<Vec<Verdict>, Error> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let entries: Vec<_> =
            claims.iter().map(|claim| (self.key(stage, claim.ce_type, claim.id), place::place(claim))).collect();
        let before = self.enter(entries).await?;
        let verdicts = claims.iter().zip(&before).map(|(claim, before)| place::verdict(claim, before.as_deref()));
        let mut verdicts: Vec<_> = verdicts.collect();
        if !verdicts.contains(&Verdict::Duplicate) {
            return Ok(verdicts);
        }
        self.lost.stand(claims.iter().map(|claim| claim.at));
        let mut lost = Vec::new();
        for (n, (claim, before)) in claims.iter().zip(before).enumerate() {
            let Some(before) = before.filter(|_| verdicts[n] == Verdict::Duplicate) else { continue };
            if self.lost.is_lost(claim, &before).await {
                let key = self.key(stage, claim.ce_type, claim.id);
                self.give_back(key, [before.clone(), before]).await?;
                lost.push((n, (key, place::place(claim))));
            }
        }
        if lost.is_empty() {
            return Ok(verdicts);
        }
        tracing::warn!(
            stage,
            count = lost.len(),
            "the log lost the records that had claimed these events, the events count as new"
        );
        let (numbers, entries): (Vec<_>, Vec<_>) = lost.into_iter().unzip();
        for (n, before) in numbers.into_iter().zip(self.enter(entries).await?) {
            verdicts[n] = place::verdict(&claims[n], before.as_deref());
        }
        Ok(verdicts)
    }

    /// Claims by key; answers what stood there before.
    async fn enter(&self, entries: Vec<(Key, Vec<u8>)>) -> Result<Vec<Option<Vec<u8>>>, Error> {
        match &*self.store {
            Store::Embedded(embedded) => embedded.claim(entries).await,
            Store::Redis(redis) => redis.claim(&entries).await,
        }
    }

    /// Removes a claim where its value is one of these.
    async fn give_back(&self, key: Key, own: [Vec<u8>; 2]) -> Result<(), Error> {
        match &*self.store {
            Store::Embedded(embedded) => embedded.release(key, own).await,
            Store::Redis(redis) => redis.release(&key, &own).await,
        }
    }

    /// Of each event, by `ce_type` and id, whether it is claimed, from whatever record; claims nothing. Waits and is
    /// refused as [`claim`](Self::claim) is.
    pub async fn are_claimed(&self, stage: &str, events: &[(&str, Id)]) -> Result<Vec<bool>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = events.iter().map(|(ce_type, id)| self.key(stage, ce_type, *id)).collect();
        match &*self.store {
            Store::Embedded(embedded) => embedded.are_claimed(keys).await,
            Store::Redis(redis) => redis.are_claimed(&keys).await,
        }
    }

    /// Gives a claim back, where its event could not be produced for good, so that a replay of it passes. Only what was
    /// claimed at this very place is given back.
    pub async fn release(&self, stage: &str, claim: &Claim<'_>) -> Result<(), Error> {
        let key = self.key(stage, claim.ce_type, claim.id);
        self.give_back(key, [place::place(claim), place::text(claim).into_bytes()]).await
    }

    /// Enters claims of events that came out before, from the `ce_type`, `ce_id` and `weir-from` of the outputs. Where
    /// in its record an event stood is not known then: every place in that record counts as the same.
    pub async fn restore(&self, stage: &str, events: &[(&str, Id, &Coordinates)]) -> Result<(), Error> {
        let entries: Vec<_> =
            events.iter().map(|(ce_type, id, at)| (self.key(stage, ce_type, *id), place::anywhere(at))).collect();
        match &*self.store {
            Store::Embedded(embedded) => embedded.restore(entries).await.map(drop),
            Store::Redis(redis) => redis.restore(&entries).await,
        }
    }

    /// All claims of what came out before were [restored](Self::restore): from now on events can be claimed, here and
    /// after a restart. [`Error::ClaimsEmptied`]: the store was emptied meanwhile, and all have to be restored again.
    pub async fn restored(&self) -> Result<(), Error> {
        match &*self.store {
            Store::Embedded(embedded) => embedded.restored().await,
            Store::Redis(redis) => redis.restored().await,
        }
    }

    /// Whether the claims were not whole when the store was opened: it is new, was emptied while nobody looked, or a
    /// rebuild is under way or was broken off. [`restore`](Self::restore) the claims of the outputs that are there, then
    /// say [`restored`](Self::restored), before consuming; several instances may do so at once.
    pub fn is_new(&self) -> bool {
        match &*self.store {
            Store::Embedded(embedded) => embedded.is_new(),
            Store::Redis(redis) => redis.is_new(),
        }
    }

    /// How far back claims reach, and what was thrown away before its time; tells the metrics of this stage. Looks at
    /// some claims by chance, and does not wait for a store that is away: an error then.
    pub async fn reach(&self, stage: &'static str) -> Result<Reach, Error> {
        let (reach, evicted) = match &*self.store {
            Store::Embedded(embedded) => (embedded.reach().await?, 0),
            Store::Redis(redis) => redis.reach().await?,
        };
        metrics::counter!("weir_claims_evicted_total", "stage" => stage).increment(evicted);
        metrics::gauge!("weir_claims_whole_seconds", "stage" => stage).set(reach.whole.as_secs_f64());
        let oldest = reach.oldest.unwrap_or_default();
        metrics::gauge!("weir_claims_oldest_seconds", "stage" => stage).set(oldest.as_secs_f64());
        Ok(reach)
    }

    /// For health.
    pub fn state(&self) -> ClaimsState {
        match &*self.store {
            Store::Embedded(embedded) if embedded.is_complete() => ClaimsState::Ready,
            Store::Embedded(_) => ClaimsState::Emptied,
            Store::Redis(redis) => redis.state(),
        }
    }

    fn key(&self, stage: &str, ce_type: &str, id: Id) -> Key {
        key(&self.namespace, stage, ce_type, id)
    }
}

pub(crate) fn key(namespace: &str, stage: &str, ce_type: &str, id: Id) -> Key {
    let mut hash = Sha256::new();
    for part in [namespace.as_bytes(), stage.as_bytes(), ce_type.as_bytes(), &id.0] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// Before a store that did not answer is asked again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

#[cfg(test)]
mod life_tests;
#[cfg(test)]
#[path = "tests.rs"]
pub(crate) mod tests;
