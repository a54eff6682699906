//! Which canaries passed a hop last. They are no events, and in none of its counts.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime};

use common::health::v1::{Canary, Digest};
use prost_types::Timestamp;

use super::{HopCounts, Place, Taken};
use crate::clock;

/// By the way they go.
pub(super) type Canaries = BTreeMap<Arc<str>, Passed>;

/// What is known of a way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    /// Since when the hop knows that there is this way.
    since: SystemTime,
    /// When the last that passed was sent, and when it passed.
    last: Option<(SystemTime, SystemTime)>,
}

impl HopCounts {
    /// The ways on which canaries are sent from here, and no others: of each it is told when the last one passed, also while
    /// none does.
    pub fn canaries_go(&self, ways: &[Arc<str>]) {
        let now = clock::now();
        self.with_canaries(|canaries| {
            canaries.retain(|way, _| ways.contains(way));
            for way in ways {
                canaries.entry(Arc::clone(way)).or_insert(Passed { since: now, last: None });
            }
        });
    }

    /// A canary that was sent then has passed the hop: what came of it is durable at the next one.
    pub fn canary(&self, way: &Arc<str>, sent_at: SystemTime) {
        let now = clock::now();
        let took = now.duration_since(sent_at).unwrap_or_default();
        metrics::histogram!("weir_canary_seconds", "stage" => self.hop.name).record(took);
        self.with_canaries(|canaries| {
            let known = canaries.entry(Arc::clone(way)).or_insert(Passed { since: now, last: None });
            // One that comes again, after a crash, says nothing new.
            if known.last.is_none_or(|(sent, _)| sent < sent_at) {
                known.last = Some((sent_at, now));
            }
        });
    }

    /// Nothing that was taken in: for a canary, which is in no count.
    pub fn take_nothing(&self) -> Taken {
        let place = Place { cell: Arc::default(), series: None };
        let began = self.hop.work.begin(0, Instant::now());
        Taken { hop: self.clone(), place, received_at: None, left: 0, began, unless_ended: "" }
    }

    pub(super) fn fill_canaries(&self, digest: &mut Digest) {
        let hop = || self.hop.name.to_owned();
        self.with_canaries(|canaries| {
            let told = canaries.iter().map(|(way, passed)| Canary {
                hop: hop(),
                way: way.to_string(),
                since: Some(passed.since.into()),
                sent_at: passed.last.map(|(sent, _)| Timestamp::from(sent)),
                passed_at: passed.last.map(|(_, passed)| Timestamp::from(passed)),
            });
            digest.canaries.extend(told);
        });
    }

    fn with_canaries<T>(&self, act: impl FnOnce(&mut Canaries) -> T) -> T {
        // Nothing panics while it is held; and health has to be told even then.
        act(&mut self.hop.canaries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
#[path = "canaries_tests.rs"]
mod tests;
