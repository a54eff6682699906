//! Claims of records that the log does not have: it lost its end, or was put back from a copy, and the store of the claims
//! was not. Such a record never comes again. What came of it may be gone with it, so that whoever has the event now has it
//! first.
//!
//! A claim that was restored from an output is not looked at: its output is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::backoff::Backoff;

use super::place::Stands;
use super::{AGAIN, Claim};
use crate::backend::Backend;
use crate::threads::{blocking, lock};
use crate::{Coordinates, Error};

const ASK: Duration = Duration::from_secs(5);

/// What is known of where partitions end. Offsets below that are asked of nobody.
#[derive(Debug)]
pub(super) struct Lost {
    backend: Backend,
    /// By topic with its prefix, and partition.
    ends: Mutex<HashMap<(Arc<str>, i32), i64>>,
}

impl Lost {
    pub(super) fn of(backend: &Backend) -> Self {
        Self { backend: backend.clone(), ends: Mutex::default() }
    }

    /// These records are there.
    pub(super) fn stand<'a>(&self, places: impl Iterator<Item = &'a Coordinates>) {
        let mut ends = lock(&self.ends);
        for at in places {
            match ends.get_mut(&(at.topic.clone(), at.partition)) {
                Some(end) => *end = (*end).max(at.offset.saturating_add(1)),
                None => drop(ends.insert((at.topic.clone(), at.partition), at.offset.saturating_add(1))),
            }
        }
    }

    /// Whether what was claimed before was claimed by a record that cannot be on the log. Waits for a log that is away.
    pub(super) async fn is_lost(&self, claim: &Claim<'_>, before: &[u8]) -> bool {
        let Some(stands) = Stands::read(before) else { return false };
        let topic = &claim.at.topic;
        match &self.backend {
            Backend::Kafka(kafka) => {
                // Whoever has consumed of it knows who it is.
                let is_own = kafka.known_log().is_some_and(|log| stands.is_of(log, topic));
                is_own && !self.reaches(topic, stands.partition, stands.offset).await
            }
            Backend::Embedded(embedded) => {
                let Some(name) = topic.strip_prefix(embedded.settings.topic_prefix.as_str()) else { return false };
                let epochs = embedded
                    .epochs_of(name)
                    .ok()
                    .and_then(|all| all.into_iter().nth(usize::try_from(stands.partition).ok()?));
                let epochs = epochs.unwrap_or_default();
                let Some(epoch) = epochs.iter().position(|epoch| stands.is_of(&epoch.log, topic)) else { return false };
                match epochs.get(epoch + 1) {
                    Some(next) => stands.offset >= next.first,
                    None => !self.reaches(topic, stands.partition, stands.offset).await,
                }
            }
        }
    }

    /// Whether a partition goes so far.
    async fn reaches(&self, topic: &Arc<str>, partition: i32, offset: i64) -> bool {
        let place = (topic.clone(), partition);
        let known = || lock(&self.ends).get(&place).is_some_and(|end| offset < *end);
        if known() {
            return true;
        }
        let mut backoff = Backoff::new(AGAIN.0, AGAIN.1);
        loop {
            match self.ask(topic).await {
                Ok(ends) => {
                    let mut all = lock(&self.ends);
                    for (partition, end) in (0..).zip(ends) {
                        all.insert((topic.clone(), partition), end);
                    }
                    break;
                }
                // Then nothing is claimed to be of it.
                Err(Error::NoTopic { .. }) => return true,
                Err(error) => {
                    tracing::debug!(%topic, %error, "the log did not report the end offsets of a topic, retrying");
                }
            }
            tokio::time::sleep(backoff.pause()).await;
        }
        known()
    }

    async fn ask(&self, topic: &str) -> Result<Vec<i64>, Error> {
        let (backend, topic) = (self.backend.clone(), topic.to_owned());
        let ask = move || {
            let name = topic.strip_prefix(backend.settings().topic_prefix.as_str());
            let name = name.ok_or_else(|| Error::NoTopic { topic: topic.as_str().into() })?;
            let extents = match &backend {
                Backend::Kafka(kafka) => crate::kafka::extent::ask(kafka, name, ASK)?,
                Backend::Embedded(embedded) => embedded.extents(name)?,
            };
            Ok(extents.into_iter().map(|extent| extent.end).collect())
        };
        blocking(ask).await
    }
}

#[cfg(test)]
#[path = "lost_tests.rs"]
mod tests;
