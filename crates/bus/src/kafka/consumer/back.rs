//! Partitions that go back to a record that failed.

use std::time::Instant;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{Poller, REBUILD, SEEK, list};
use crate::intake::TopicPartition;
use crate::kafka::member::Member;

impl Poller {
    /// Partitions with a failed record wait, and then go back to it.
    pub(super) fn go_back(&mut self, consumer: &BaseConsumer<Member>) {
        let mut state = self.intake.lock();
        let now = Instant::now();
        let failed: Vec<TopicPartition> =
            state.parts.iter().filter(|(_, part)| part.failed).map(|(place, _)| place.clone()).collect();
        let mut waiting = Vec::new();
        for place in failed {
            if let Some((offset, wait, why)) = state.go_back(&place, &self.intake.settings) {
                let (topic, partition) = &place;
                tracing::warn!(group = %self.intake.group, %topic, partition, offset, ?wait, %why, "a record failed, its partition is rewound to it and retried");
                metrics::counter!("weir_consumer_rewinds_total", "group" => self.intake.group.to_string(), "topic" => topic.to_string()).increment(1);
                waiting.push(place);
            }
        }
        let due: Vec<(TopicPartition, i64)> = state
            .parts
            .iter()
            .filter(|(_, part)| part.retry_at.is_some_and(|at| at <= now))
            .map(|(place, part)| (place.clone(), part.tracker.position()))
            .collect();
        drop(state);
        if !waiting.is_empty()
            && let Err(error) = consumer.pause(&list(&waiting))
        {
            // Then more is fetched than is needed, and thrown away.
            tracing::debug!(group = %self.intake.group, %error, "cannot pause a partition");
        }
        for (place, offset) in due {
            let (topic, partition) = &place;
            let gone = consumer
                .resume(&list(std::slice::from_ref(&place)))
                .and_then(|()| consumer.seek(topic, *partition, Offset::Offset(offset), SEEK));
            let mut state = self.intake.lock();
            let Some(part) = state.parts.get_mut(&place) else { continue };
            match gone {
                Ok(()) => {
                    part.retry_at = None;
                    self.paused.remove(&place);
                }
                Err(error) => {
                    tracing::warn!(group = %self.intake.group, %topic, partition, offset, %error, "cannot rewind a partition, retrying");
                    part.retry_at = Some(Instant::now() + REBUILD);
                }
            }
        }
    }
}
