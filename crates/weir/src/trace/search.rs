//! Where a delivery and what came of it are looked for: first where nearly all of it is, however much there is on the topics.
//!
//! ```text
//! the moment after it ─▶ the minute after it ─▶ the lake ─▶ when its activity was ─▶ everything
//!     │                      │                              enriched, as the lake has it
//!     └──────────────────────┴─ how far is its stage? What it has not begun cannot be there
//! ```

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Start, Stored};
use common::raw::v1::Delivery;
use common::topics::{ACTIVITIES_ENRICHED, DEAD_LETTERS};
use lake::columns;
use prost::Message as _;
use prost_types::Timestamp;
use serde_json::Value;

use super::{Found, Progress, Stage, Trace, accepted_at};
use crate::out;
use crate::records::Records;
use crate::settings::Settings;

/// What is looked at first: a record has the time at which it was produced, which is nearly that of its delivery. The
/// first is enough where stages keep up, and reads little where a minute has many records.
pub(crate) const NEAR: [(Duration, Duration); 2] =
    [(Duration::from_secs(1), Duration::from_secs(2)), (Duration::from_secs(1), Duration::from_secs(60))];
/// Where the lake says when its activity was enriched: so long before and after that.
const BEFORE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(2));
/// So many such times are looked at: what the lake has need not be found on its topic, where it may have expired.
const WINDOWS: usize = 10;
/// Clocks may differ by so much. Where one was set meanwhile they differ by anything, and a repetition repeats what may be
/// days old: what is not found from a time on is looked for from the beginning.
const SLACK_SECONDS: i64 = 60;
const DAY_MICROS: i64 = 86_400_000_000;
/// So many of the last records of a partition tell what is out: more than one, since offsets have gaps.
const LAST: u64 = 3;
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

    /// What came of it, on the topics and in the lake.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn follow(&self, found: Found) -> anyhow::Result<Trace> {
        // Whatever came of it was produced after it: by most clocks at a later time.
        let produced = common::time::from_millis(found.record.produced_at_ms);
        let mut trace = Trace::new(found);
        let topics = trace.topics_of(&self.records.topics().await?);
        for near in NEAR {
            self.look_near(&mut trace, &topics, &produced, near).await?;
            // What a stage had not begun by now was not there when it was looked for.
            self.ask_stages(&mut trace).await?;
            if trace.is_settled() {
                break;
            }
        }
        if let Err(error) = self.in_lake(&mut trace).await {
            trace.lake_failed(&format!("{error:#}"));
        }
        for worked_on in trace.worked_on().into_iter().take(WINDOWS) {
            if trace.is_found_on_topics() {
                break;
            }
            self.look_near(&mut trace, &topics, &worked_on, BEFORE).await?;
        }
        if !trace.is_found_on_topics() {
            trace.is_kept = self.is_kept(&trace, &topics, &produced).await?;
        }
        if !trace.is_settled() {
            self.ask_stages(&mut trace).await?;
        }
        self.look_everywhere(&mut trace, &topics, &produced).await?;
        Ok(trace)
    }

    /// Whether whatever came of it is still on these topics, if it ever was: each partition has all that it ever had, or a
    /// record from before it. Near its time it may be hidden all the same, behind records of a clock that was ahead.
    async fn is_kept(&self, trace: &Trace, topics: &[String], produced: &Timestamp) -> anyhow::Result<bool> {
        let times = trace.worked_on().into_iter().chain([*produced]);
        let Some(earliest) = times.min_by_key(|time| time.seconds) else { return Ok(false) };
        for topic in topics.iter().filter(|topic| *topic != DEAD_LETTERS.name()) {
            let first = self.records.offsets_at(topic, &Start::Beginning).await?;
            let then = self.records.offsets_at(topic, &with_slack(&earliest)).await?;
            if first.into_iter().zip(then).any(|(first, then)| first > 0 && then <= first) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// For what its stage has finished and nobody has: from the delivery's time on, then what stands before.
    async fn look_everywhere(&self, trace: &mut Trace, topics: &[String], produced: &Timestamp) -> anyhow::Result<()> {
        for start in [with_slack(produced), Start::Beginning] {
            if trace.is_settled() || topics.is_empty() {
                return Ok(());
            }
            self.say_what_is_read(NOT_NEAR, topics, &start).await?;
            let mut reading = self.records.read(topics, start, false).await?;
            while let Some(record) = reading.next_until_end().await? {
                if trace.take(&record, self.prefix()) && trace.is_settled() {
                    break;
                }
            }
            self.ask_stages(trace).await?;
        }
        Ok(())
    }

    /// Counts the rows that the lake has of each activity. A lake without the table has none.
    async fn in_lake(&self, trace: &mut Trace) -> anyhow::Result<()> {
        let received = trace.received();
        for row in self.rows(&trace.activity_ids(), received.as_ref()).await? {
            trace.take_row(&row);
        }
        // What came before stands under an earlier time: not longer ago than claims last, with a day for clocks.
        let days = i64::from(self.settings.bus.claims.ttl_days) + 1;
        let earlier = received.map(|received| received.start - days * DAY_MICROS..received.end + DAY_MICROS);
        for row in self.rows(&trace.repeated(), earlier.as_ref()).await? {
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

    /// Asks how far the stages are that would have made what was not found.
    async fn ask_stages(&self, trace: &mut Trace) -> anyhow::Result<()> {
        trace.nothing_known();
        let (mut committed, mut enriched) = (HashMap::new(), None);
        for (stage, at) in trace.awaited() {
            let topic = self.without_prefix(&at.topic).to_owned();
            let place = (topic, at.partition);
            let group = match stage {
                Stage::Processing => self.settings.processing.groups().remove(&place.0),
                Stage::Enricher => Some(self.settings.enricher.group.clone()),
            };
            let next = match committed.get(&place).cloned() {
                Some(next) => next,
                None => {
                    let next = self.next_of(group.as_deref(), &place.0, place.1).await;
                    committed.insert(place, next.clone());
                    next
                }
            };
            let progress = match next {
                Err(why) => Progress::Unknown(why),
                Ok(next) => match u64::try_from(at.offset - next) {
                    Err(_) => Progress::Finished,
                    // The enricher's group stands where the files are loaded: what it has put out is far before that.
                    Ok(before) => {
                        let begun = stage == Stage::Enricher && {
                            if enriched.is_none() {
                                enriched = Some(self.enriched().await?);
                            }
                            enriched
                                .as_ref()
                                .is_none_or(|out| out.get(&at.partition).is_none_or(|last| *last >= at.offset))
                        };
                        Progress::Waits { before, begun }
                    }
                },
            };
            trace.is_at(at, progress);
        }
        Ok(())
    }

    /// The next offset that a group reads, or why that cannot be told.
    async fn next_of(&self, group: Option<&str>, topic: &str, partition: i32) -> Result<i64, String> {
        let Some(group) = group else {
            return Err(format!("no stage reads {topic} by these settings (processing.sources)"));
        };
        match self.records.committed(group, topic, partition).await {
            Ok(Some(next)) => Ok(next),
            Ok(None) => Err(format!(
                "the group {group} has no offset in {topic}/{partition} (do the services have the same settings?)"
            )),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    /// Of each partition of the activities the last that is out, enriched.
    async fn enriched(&self) -> anyhow::Result<HashMap<i32, i64>> {
        let topic = ACTIVITIES_ENRICHED.name().to_owned();
        let mut last = HashMap::new();
        if !self.records.topics().await?.contains(&topic) {
            return Ok(last);
        }
        let mut reading = self.records.read(&[topic], Start::LastN(LAST), false).await?;
        while let Some(record) = reading.next_until_end().await? {
            if let Some(from) = record.headers.from {
                let known = last.entry(from.partition).or_insert(from.offset);
                *known = from.offset.max(*known);
            }
        }
        Ok(last)
    }

    /// The rows of activities.
    async fn rows(&self, ids: &[String], received: Option<&Range<i64>>) -> anyhow::Result<Vec<Value>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let lake = &self.settings.lake;
        match loader::find(lake, columns::ACTIVITIES, columns::ID, ids, received).await {
            Err(error) if matches!(error.downcast_ref(), Some(loader::Error::NoTable { .. })) => Ok(Vec::new()),
            rows => rows.with_context(|| format!("cannot read the lake at {}", lake.root)),
        }
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
