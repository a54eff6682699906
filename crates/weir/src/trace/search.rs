//! Where a delivery and what came of it are looked for: first where nearly all of it is, however much there is on the topics.
//!
//! ```text
//! the moment after it ─▶ the minute after it ─▶ has its stage read it? ─▶ when its activity was ─▶ everything
//!                                               no: it waits, and          enriched, as the lake
//!                                               nothing can be there       has it
//! ```

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Start, Stored};
use common::raw::v1::Delivery;
use lake::columns;
use prost::Message as _;
use prost_types::Timestamp;
use serde_json::Value;

use super::{Found, Stage, Trace, accepted_at};
use crate::out;
use crate::records::Records;
use crate::settings::Settings;

/// What is looked at first: a record has the time at which it was produced, which is nearly that of its delivery. The
/// first is enough where stages keep up, and reads little where a minute has many records.
pub(crate) const NEAR: [(Duration, Duration); 2] =
    [(Duration::from_secs(1), Duration::from_secs(2)), (Duration::from_secs(1), Duration::from_secs(60))];
/// Where the lake says when its activity was enriched: so long before and after that.
const BEFORE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(2));
/// Clocks may differ by so much. Where one was set meanwhile they differ by anything, and a repetition repeats what may be
/// days old: what is not found from a time on is looked for from the beginning.
const SLACK_SECONDS: i64 = 60;
/// More records than this take more than a moment.
const MANY: u64 = 50_000;
/// Where what is near was looked at first.
const NOT_NEAR: &str = "Not found near its time: looking";

/// Looks on the topics and in the lake.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Names the groups of the stages, the prefix of topics, and the lake.
    pub settings: &'a Settings,
    /// What is on the topics.
    pub records: &'a Records,
}

impl Search<'_> {
    /// The delivery on its raw topic. `from`: where to begin, if not at the time that its id tells.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn delivery(&self, id: &str, from: Option<Timestamp>) -> anyhow::Result<Option<Found>> {
        let raw: Vec<_> = self.records.topics().await?.into_iter().filter(|topic| topic.starts_with("raw.")).collect();
        if raw.is_empty() {
            return Ok(None);
        }
        let accepted = accepted_at(id, service::clock::now());
        let mut doing = "Looking";
        if let (None, Some(accepted)) = (from, accepted) {
            doing = NOT_NEAR;
            for (before, after) in NEAR {
                let mut window = self.records.around(&raw, &accepted, before, after).await?;
                while let Some(record) = window.next(self.prefix()).await? {
                    if let Some(found) = is_it(id, record) {
                        return Ok(Some(found));
                    }
                }
            }
        }
        let starts = match (from, accepted) {
            (Some(from), _) => vec![with_slack(&from)],
            (None, Some(accepted)) => vec![with_slack(&accepted), Start::Beginning],
            (None, None) => vec![Start::Beginning],
        };
        for start in starts {
            self.say_what_is_read(doing, &raw, &start).await?;
            let mut reading = self.records.read(&raw, start, false).await?;
            while let Some(record) = reading.next_until_end().await? {
                if let Some(found) = is_it(id, record) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// What came of it, as far as topics have it.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn follow(&self, found: Found) -> anyhow::Result<Trace> {
        // Whatever came of it was produced after it: by most clocks at a later time.
        let produced = common::time::from_millis(found.record.produced_at_ms);
        let mut trace = Trace::new(found);
        let topics = trace.topics_of(&self.records.topics().await?);
        if topics.is_empty() {
            return Ok(trace);
        }
        for near in NEAR {
            self.look_near(&mut trace, &topics, &produced, near).await?;
            // A stage that has not read a record by now had not made anything of it when that was looked for.
            self.ask_stages(&mut trace).await?;
            if trace.is_settled() {
                return Ok(trace);
            }
        }
        for (seconds, nanos) in self.worked_on(&trace).await {
            self.look_near(&mut trace, &topics, &Timestamp { seconds, nanos }, BEFORE).await?;
        }
        for start in [with_slack(&produced), Start::Beginning] {
            if trace.is_settled() {
                break;
            }
            self.say_what_is_read(NOT_NEAR, &topics, &start).await?;
            let mut reading = self.records.read(&topics, start, false).await?;
            while !trace.is_settled()
                && let Some(record) = reading.next_until_end().await?
            {
                trace.take(&record, self.prefix());
            }
            self.ask_stages(&mut trace).await?;
        }
        Ok(trace)
    }

    /// How many rows the lake has of each activity.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub async fn in_lake(&self, trace: &mut Trace) -> anyhow::Result<()> {
        let ids = trace.activity_ids();
        for row in self.rows(&ids, trace.received().as_ref()).await? {
            trace.take_row(&row);
        }
        // What came before may stand under an earlier day.
        let repeated = trace.repeated();
        for row in self.rows(&repeated, None).await? {
            trace.take_row(&row);
        }
        Ok(())
    }

    async fn look_near(
        &self,
        trace: &mut Trace,
        topics: &[String],
        time: &Timestamp,
        (before, after): (Duration, Duration),
    ) -> anyhow::Result<()> {
        let mut window = self.records.around(topics, time, before, after).await?;
        while !trace.is_found_on_topics()
            && let Some(record) = window.next(self.prefix()).await?
        {
            trace.take(&record, self.prefix());
        }
        Ok(())
    }

    /// Asks how far the stages have read that would have made what was not found.
    async fn ask_stages(&self, trace: &mut Trace) -> anyhow::Result<()> {
        trace.nothing_waits();
        let of_raw = self.settings.processing.groups();
        let mut places = HashMap::new();
        for (stage, at) in trace.awaited() {
            let topic = self.without_prefix(&at.topic).to_owned();
            let group = match stage {
                Stage::Processing => of_raw.get(&topic),
                Stage::Enricher => Some(&self.settings.enricher.group),
            };
            let Some(group) = group else { continue };
            let next = match places.get(&(topic.clone(), at.partition)) {
                Some(next) => *next,
                None => {
                    let next = self.next_of(group, &topic, at.partition).await;
                    places.insert((topic, at.partition), next);
                    next
                }
            };
            if let Some(before) = next.and_then(|next| u64::try_from(at.offset - next).ok()) {
                trace.waits(at, before);
            }
        }
        Ok(())
    }

    /// The next offset that a group reads; none where that cannot be told.
    async fn next_of(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let next = async {
            if let Some(committed) = self.records.committed(group, topic, partition).await? {
                return anyhow::Ok(Some(committed));
            }
            let first = self.records.offsets_at(topic, &Start::Beginning).await?;
            Ok(usize::try_from(partition).ok().and_then(|n| first.get(n).copied()))
        };
        next.await.unwrap_or_else(|error| {
            out::complain(&format!("Cannot tell how far the group {group} has read: {error:#}"));
            None
        })
    }

    /// When what was not found was worked on, as the lake has it: of a repetition long before, of a backlog long after. That
    /// the lake cannot be read is said where its rows are counted.
    async fn worked_on(&self, trace: &Trace) -> BTreeSet<(i64, i32)> {
        let rows = self.rows(&trace.elsewhere(), None).await.unwrap_or_default();
        let times = rows.iter().filter_map(|row| common::time::from_rfc3339(row[columns::ENRICHED_AT].as_str()?));
        times.map(|time| (time.seconds, time.nanos)).collect()
    }

    /// The rows of activities.
    async fn rows(&self, ids: &[String], received: Option<&Range<i64>>) -> anyhow::Result<Vec<Value>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let lake = &self.settings.lake;
        let rows = loader::find(lake, columns::ACTIVITIES, columns::ID, ids, received).await;
        rows.with_context(|| format!("cannot read the lake at {}", lake.root))
    }

    /// Says how much is looked through, where that takes a while.
    async fn say_what_is_read(&self, doing: &str, topics: &[String], start: &Start) -> anyhow::Result<()> {
        let mut count = 0;
        for topic in topics {
            let first = self.records.offsets_at(topic, start).await?;
            let end = self.records.offsets_at(topic, &Start::End).await?;
            count +=
                end.into_iter().zip(first).map(|(end, first)| end.saturating_sub(first).unsigned_abs()).sum::<u64>();
        }
        if count >= MANY {
            out::complain(&format!("{doing} through {} records.", out::count(count)));
        }
        Ok(())
    }

    fn prefix(&self) -> &str {
        &self.settings.bus.topic_prefix
    }

    fn without_prefix<'t>(&self, topic: &'t str) -> &'t str {
        topic.strip_prefix(self.prefix()).unwrap_or(topic)
    }
}

/// The record, if it is the delivery.
fn is_it(id: &str, record: Stored) -> Option<Found> {
    let payload = record.payload.as_ref()?;
    // The id is the first field: most records need not be decoded.
    if !payload.windows(id.len()).take(64).any(|bytes| bytes == id.as_bytes()) {
        return None;
    }
    let delivery = Delivery::decode(payload.clone()).ok()?;
    (delivery.delivery_id == id).then_some(Found { record, delivery })
}

fn with_slack(time: &Timestamp) -> Start {
    Start::AtTime(Timestamp { seconds: time.seconds - SLACK_SECONDS, nanos: 0 })
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
