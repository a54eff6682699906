//! Watches what comes out at the end of the topics, and tells how soon after a fault it goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bus::Start;
use common::activity::v1::EnrichedActivity;
use common::topics::ACTIVITIES_ENRICHED;
use prost::Message as _;
use tokio::task::JoinSet;

use crate::surroundings::lock;
use crate::system::System;
use crate::traffic::Taken;

/// One enriched activity that was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    partition: i32,
    at: Instant,
    /// When its delivery came through the door, milliseconds since 1970.
    received_ms: u128,
}

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    wall_ms: u128,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let wall_ms = service::clock::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Self { at: Instant::now(), wall_ms }
    }

    pub(crate) fn later(self, by: Duration) -> Self {
        Self { at: self.at + by, wall_ms: self.wall_ms + by.as_millis() }
    }
}

/// How soon it went on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    /// Each door took a delivery that was sent after the fault; none: one did not.
    pub(crate) doors: Option<Duration>,
    /// In each partition something came out that came through the door after the fault; none: one did not.
    pub(crate) events: Option<Duration>,
    /// The partition that was the last, and after how long what came out of it had come through the door.
    pub(crate) last: Option<(i32, Duration)>,
}

impl Recovery {
    /// Until all of it went on.
    pub(crate) fn whole(self) -> Option<Duration> {
        Some(self.doors?.max(self.events?))
    }
}

/// A reader at the end of the enriched activities.
#[derive(Debug)]
pub(crate) struct Tail {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Ends with the tail.
    _reading: JoinSet<()>,
}

impl Tail {
    pub(crate) async fn start(system: &System) -> anyhow::Result<Self> {
        let bus = system.bus()?;
        let mut reader = bus.reader(&[ACTIVITIES_ENRICHED.name().to_owned()], Start::Beginning).await?;
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let own = Arc::clone(&seen);
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            let _bus = bus;
            while let Ok(stored) = reader.next().await {
                let at = Instant::now();
                let activity = EnrichedActivity::decode(stored.payload.as_deref().unwrap_or_default()).ok();
                let context = activity.and_then(|activity| activity.activity?.context?.received_at);
                let received = context.and_then(|received| SystemTime::try_from(received).ok());
                let since = received.and_then(|received| received.duration_since(UNIX_EPOCH).ok());
                let partition = stored.coordinates.partition;
                lock(&own).push(Seen { partition, at, received_ms: since.map_or(0, |since| since.as_millis()) });
            }
        });
        Ok(Self { seen, _reading: reading })
    }

    /// How many were seen.
    pub(crate) fn count(&self) -> usize {
        lock(&self.seen).len()
    }

    /// From the end of a fault on.
    pub(crate) fn recovery(&self, end: Moment, taken: &[Taken], doors: usize) -> Recovery {
        let first = |door| {
            let after = taken.iter().filter(|taken| taken.door == door && taken.began >= end.at);
            after.map(|taken| taken.ended).min()
        };
        let doors = (0..doors).map(first).collect::<Option<Vec<_>>>();
        let mut partitions = BTreeMap::<i32, Option<Seen>>::new();
        for seen in &*lock(&self.seen) {
            let first = partitions.entry(seen.partition).or_default();
            if seen.received_ms >= end.wall_ms && first.is_none_or(|first| seen.at < first.at) {
                *first = Some(*seen);
            }
        }
        let events = partitions.into_values().collect::<Option<Vec<_>>>();
        let last = events.as_ref().and_then(|seen| seen.iter().max_by_key(|seen| seen.at)).map(|last| {
            let after = u64::try_from(last.received_ms - end.wall_ms).unwrap_or(u64::MAX);
            (last.partition, Duration::from_millis(after))
        });
        let events = events.map(|seen| seen.iter().map(|seen| seen.at).collect());
        let since =
            |times: Option<Vec<Instant>>| times?.into_iter().max().map(|last| last.saturating_duration_since(end.at));
        Recovery { doors: since(doors), events: since(events), last }
    }
}
