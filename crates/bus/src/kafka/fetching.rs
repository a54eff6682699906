//! Whether a member is given what is on the log.
//!
//! A client can be in its group, have a partition, and not fetch it: an answer was lost, or its place in the partition. It
//! says nothing then, and believes that the partition ends where it stopped. So the log is asked where the partitions end,
//! over another client's connections. Where one has records for long and its client gives none, another client takes over.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::Kafka;
use crate::intake::{Ahead, Intake, TopicPartition};
use crate::settings::ConsumerSettings;

/// How long the brokers may take to say where partitions end.
const ASK: Duration = Duration::from_secs(5);
/// How often it is looked; what is older is no look before this one.
const EVERY: Duration = Duration::from_secs(1);
const GAP: Duration = Duration::from_secs(5);
/// Longer than a broker takes to answer that has the time.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST: Duration = Duration::from_secs(3600);
/// So long after the last time it is as if there had been none.
const FORGET: Duration = Duration::from_secs(2 * 3600);

/// So many records a client fetches ahead, of all its partitions together.
pub(super) const AHEAD: i64 = 10_000;

/// And so many KiB.
pub(super) fn ahead_kbytes(settings: &ConsumerSettings) -> usize {
    (settings.fetch_ahead_bytes / 1024).max(1)
}

/// What that is, of so much that was fetched and not taken from the client. Its KiB have a thousand bytes.
pub(super) fn ahead(records: i64, bytes: u64, settings: &ConsumerSettings) -> Ahead {
    if records == 0 {
        Ahead::Nothing
    } else if records < AHEAD && bytes < (ahead_kbytes(settings) as u64).saturating_mul(1000) {
        Ahead::Some
    } else {
        Ahead::Full
    }
}

/// Asks where the partitions of a member end, in one request for each broker.
pub(super) fn ask_ends(kafka: &Kafka, intake: &Intake) -> KafkaResult<()> {
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in intake.lock().parts.keys() {
        asked.add_partition_offset(topic, *partition, Offset::End)?;
    }
    if asked.count() == 0 {
        return Ok(());
    }
    let told = kafka.asking.offsets_for_times(asked, ASK)?;
    let mut state = intake.lock();
    for element in told.elements().iter().filter(|element| element.error().is_ok()) {
        let place = (element.topic().into(), element.partition());
        if let (Some(part), Offset::Offset(end)) = (state.parts.get_mut(&place), element.offset()) {
            (part.end, part.end_at) = (end, Instant::now());
        }
    }
    Ok(())
}

/// What was found waiting, from one client to the next.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    looked: Option<Instant>,
    waiting: HashMap<TopicPartition, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// The offset that was to come.
    next: i64,
    since: Option<Instant>,
    /// Longer each time: what no client can fetch, or only slowly, must not end one after the other.
    patience: Duration,
    /// When another client was last needed for it.
    told: Option<Instant>,
}

impl Waiting {
    fn is_forgotten(&self, now: Instant) -> bool {
        self.told.is_some_and(|told| now.saturating_duration_since(told) > FORGET)
    }
}

impl Fetching {
    /// Whether it is time to look.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= EVERY)
    }

    /// The partitions that have records which the client could fetch and has not, with the offset of the next. `away`: when the log
    /// was last known not to answer. Answers why another client is needed.
    pub(super) fn look(
        &mut self,
        behind: Vec<(TopicPartition, i64)>,
        away: Option<Instant>,
        now: Instant,
    ) -> Option<String> {
        let before = self.looked.replace(now);
        let goes_on = before.is_some_and(|before| now.saturating_duration_since(before) <= GAP);
        let mut known = std::mem::take(&mut self.waiting);
        let mut told = None;
        for (place, next) in behind {
            let new = Waiting { next, since: None, patience: PATIENCE, told: None };
            let mut waiting = known.remove(&place).filter(|waiting| !waiting.is_forgotten(now)).unwrap_or(new);
            if waiting.next != next {
                (waiting.next, waiting.since) = (next, None);
            }
            let since = waiting.since.filter(|_| goes_on).unwrap_or(now);
            let since = away.map_or(since, |away| since.max(away));
            waiting.since = Some(since);
            let waited = now.saturating_duration_since(since);
            if waited > waiting.patience {
                let (topic, partition) = &place;
                let seconds = waited.as_secs();
                told.get_or_insert_with(|| {
                    format!(
                        "partition {partition} of {topic} has record {next}, and it was not fetched for {seconds} s"
                    )
                });
                (waiting.since, waiting.told) = (None, Some(now));
                waiting.patience = (waiting.patience * 2).min(MOST);
            }
            self.waiting.insert(place, waiting);
        }
        // A client that has just begun has no partition yet: what was tried in vain is remembered.
        let tried = known.into_iter().filter(|(_, waiting)| waiting.told.is_some() && !waiting.is_forgotten(now));
        self.waiting.extend(tried.map(|(place, waiting)| (place, Waiting { since: None, ..waiting })));
        told
    }
}

#[cfg(test)]
#[path = "fetching_tests.rs"]
mod tests;
