//! Finds raw deliveries of which something never came out, and sends them once more.
//!
//! Each is read as processing reads it, and the claims are asked which of its events are out; only those that lack one
//! are sent. A claim of one event is never in the way of another: what of the delivery is out is a duplicate, because
//! the record that is sent has other coordinates, and what is not passes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Claims, Coordinates, Error, Prepared, Producer, Start, Stored};
use common::deadletter::v1::{Replay, ReplayRawResponse, Selection};
use common::identity::Id;
use common::raw::v1::Delivery;
use common::reasons::CRASH;
use common::time::from_millis;
use prost::Message as _;
use tonic::Status;

use super::account::{RawAccount, ReadDelivery, What};
use super::course::{Broken, Course, TELL, Work};
use super::reader::{Read, ReadsRaw};
use super::select::RawFilter;
use crate::dead_letters::plan::{self, ReplayRefusal};
use crate::dead_letters::scan::Scan;
use crate::dead_letters::select::Filter;
use crate::failures::unavailable;
use crate::registrations::upkeep::View;

/// So many deliveries, or bytes, are read and looked up at once.
const AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// Claims that are asked for at once.
const CLAIMS_AT_ONCE: usize = 1000;
/// What a door's clock may be before or behind that of the log.
const CLOCKS: Duration = Duration::from_secs(60);
/// The claims' store is waited for so long; whoever asks need not wait longer.
const STORE: Duration = Duration::from_secs(10);
/// Processing is waited for as long as it gets on, and so long where it does not.
const PATIENCE: Duration = Duration::from_secs(30);

/// Raw deliveries that are replayed.
pub(crate) struct Raw {
    pub(crate) filter: RawFilter,
    /// Deliveries at the most.
    pub(crate) limit: u64,
    /// The raw topics that are meant, and the groups in which processing reads them.
    pub(crate) topics: BTreeMap<String, String>,
    pub(crate) view: View,
    /// How the stage reads them.
    pub(crate) reader: Arc<dyn ReadsRaw>,
    pub(crate) account: RawAccount,
    /// The last record that was sent to each partition.
    pub(crate) last: BTreeMap<(Arc<str>, i32), i64>,
}

impl Work for Raw {
    type What = What;
    type Answer = ReplayRawResponse;

    async fn all(course: &mut Course<Self>) -> Result<(), Broken> {
        let away = || Broken::Failed(unavailable("the claims' store is unavailable: retry when it answers"));
        let bus = course.tools.bus.clone();
        let claims = tokio::time::timeout(STORE, bus.claims()).await.map_err(|_| away())??;
        let crashed = course.crashed().await?;
        let topics = bus.topics_with_records(&course.work.topics.keys().cloned().collect::<Vec<_>>()).await?;
        for topic in &topics {
            course.topic(topic, &claims, &crashed).await?;
            if course.work.is_full() {
                break;
            }
        }
        course.settle(0).await;
        if !course.work.last.is_empty() {
            course.confirm(&claims).await?;
        }
        Ok(())
    }

    fn sent(&mut self, _what: What, at: Option<&Coordinates>) {
        self.account.sent();
        if let Some(at) = at {
            let last = self.last.entry((at.topic.clone(), at.partition)).or_insert(at.offset);
            *last = at.offset.max(*last);
        }
    }

    fn refused(&mut self, what: What, why: &ReplayRefusal) {
        self.account.refused(&what, why);
    }

    fn answer(&self, replay_id: &str, done: bool) -> ReplayRawResponse {
        self.account.answer(replay_id, done)
    }

    fn keep(&self, replay: &mut Replay) {
        self.account.keep(replay);
    }
}

impl Raw {
    fn is_full(&self) -> bool {
        self.account.selected() >= self.limit
    }

    /// A record that a replay sent itself is none of them: what it is made of is looked at where it stands.
    fn means(&self, stored: &Stored) -> bool {
        if stored.canary().is_some() {
            return false;
        }
        let delivery = stored.payload.clone().and_then(|payload| Delivery::decode(payload).ok()).unwrap_or_default();
        stored.headers.attempts == 0 && self.filter.fits(&delivery, stored.produced_at_ms)
    }
}

impl Course<Raw> {
    /// The records on which the process ended: they are not read here either.
    async fn crashed(&self) -> Result<HashSet<Coordinates>, Broken> {
        let selection = Selection {
            stage: self.work.reader.stage().to_owned(),
            reason: CRASH.to_owned(),
            from: Some(self.work.filter.from(CLOCKS)),
            ..Selection::default()
        };
        let filter =
            Filter::new(&selection).map_err(|invalid| Broken::Failed(Status::internal(invalid.to_string())))?;
        let mut found = HashSet::new();
        let note = |_: &Stored, letter: common::deadletter::v1::DeadLetter| {
            let at = letter.coordinates.unwrap_or_default();
            let (log, topic) = (at.log.into(), at.topic.into());
            found.insert(Coordinates { log, topic, partition: at.partition, offset: at.offset });
        };
        Scan::each(&self.tools.letters, &filter, note).await?;
        Ok(found)
    }

    async fn topic(&mut self, topic: &str, claims: &Claims, crashed: &HashSet<Coordinates>) -> Result<(), Broken> {
        let start = Start::AtTime(self.work.filter.from(CLOCKS));
        let mut reader = self.tools.bus.reader(&[topic.to_owned()], start).await?;
        let mut done = HashMap::new();
        loop {
            let (mut records, mut bytes, mut at_end) = (Vec::new(), 0, false);
            while records.len() < AT_ONCE && bytes < BYTES_AT_ONCE && !at_end {
                match reader.next_until_end().await? {
                    Some(stored) if self.work.means(&stored) => {
                        bytes += stored.payload.as_ref().map_or(0, bytes::Bytes::len);
                        records.push(stored);
                    }
                    Some(_) => {}
                    None => at_end = true,
                }
                self.tell().await?;
            }
            // Before the claims are looked at: what is done now has claimed.
            for stored in &records {
                let partition = stored.coordinates.partition;
                if let std::collections::hash_map::Entry::Vacant(entry) = done.entry(partition) {
                    let offset = self.done_until(topic, partition).await?;
                    entry.insert(offset);
                }
            }
            self.records(topic, records, claims, crashed, &done).await?;
            if at_end || self.work.is_full() {
                return Ok(());
            }
        }
    }

    /// The offset before which processing has worked on everything.
    async fn done_until(&self, topic: &str, partition: i32) -> Result<i64, Broken> {
        let Some(group) = self.work.topics.get(topic) else { return Ok(0) };
        Ok(self.tools.bus.group_offset(group, topic, partition).await?.unwrap_or(0))
    }

    /// Reads them as processing does, looks what is out, and sends what is not.
    async fn records(
        &mut self,
        topic: &str,
        records: Vec<Stored>,
        claims: &Claims,
        crashed: &HashSet<Coordinates>,
        done: &HashMap<i32, i64>,
    ) -> Result<(), Broken> {
        let mut whole = Vec::with_capacity(records.len());
        for stored in records {
            let delivery = || head(&stored);
            if crashed.contains(&stored.coordinates) {
                self.work.account.refuse(&delivery(), &ReplayRefusal::Crashed);
            } else if let Err(why) =
                plan::check_age(common::time::to_millis(&delivery().received_at), &self.tools.limits)
            {
                self.work.account.refuse(&delivery(), &why);
            } else {
                whole.push(stored);
            }
        }
        let (view, producer, reader) = (self.work.view.clone(), self.tools.producer.clone(), self.work.reader.clone());
        let looking = move || {
            let look = |stored: Stored| (look(&stored, &view, &producer, reader.as_ref()), stored);
            whole.into_iter().map(look).collect()
        };
        let deliveries: Vec<(ReadDelivery, Stored)> = tokio::task::spawn_blocking(looking)
            .await
            .map_err(|_| Broken::Failed(Status::internal("a delivery could not be read: see the log of processing")))?;
        let events: Vec<_> = deliveries.iter().flat_map(|(delivery, _)| &delivery.events).collect();
        let asked: Vec<_> = events.iter().map(|event| (&*event.ce_type, event.id)).collect();
        let claimed = are_claimed(claims, self.work.reader.stage(), &asked).await?;
        let mut claimed = claimed.as_slice();
        for (delivery, stored) in deliveries {
            if self.work.is_full() {
                return Ok(());
            }
            let (own, rest) = claimed.split_at(delivery.events.len());
            claimed = rest;
            let at = &stored.coordinates;
            let is_done = done.get(&at.partition).is_some_and(|next| at.offset < *next);
            if let Some(what) = self.work.account.look(delivery, own, is_done) {
                self.delivery(topic, &stored, what).await?;
            }
            self.tell().await?;
        }
        Ok(())
    }

    async fn delivery(&mut self, topic: &str, stored: &Stored, what: What) -> Result<(), Broken> {
        // Of what else is in it the dead letters are there already.
        let items = what.events.iter().map(|event| event.index).collect();
        let record = plan::whole(topic, stored, stored.headers.attempts, items, &self.tools.limits);
        let record = record.map(Prepared::from).and_then(|record| match self.tools.producer.check(&record) {
            Ok(()) => Ok(record),
            Err(error) => Err(ReplayRefusal::TooLarge(error.to_string())),
        });
        if record.is_ok() {
            self.work.account.goes(&what, self.order.dry_run);
        }
        self.send(record, what).await
    }

    /// Waits until processing has worked on what was sent, and looks what is out then.
    async fn confirm(&mut self, claims: &Claims) -> Result<(), Broken> {
        self.work.account.waits = true;
        let mut waiting = self.work.last.clone();
        let prefix = self.tools.limits.prefix.clone();
        let mut behind = i64::MAX;
        let mut got_on = Instant::now();
        loop {
            let mut left = 0;
            let places: Vec<_> = waiting.keys().cloned().collect();
            for place in places {
                let topic = place.0.strip_prefix(&prefix).unwrap_or(&place.0);
                let next = self.done_until(topic, place.1).await?;
                let last = waiting.get(&place).copied().unwrap_or(-1);
                if next > last {
                    waiting.remove(&place);
                } else {
                    left += last + 1 - next;
                }
            }
            if left < behind {
                (behind, got_on) = (left, Instant::now());
            }
            if waiting.is_empty() || got_on.elapsed() > PATIENCE {
                break;
            }
            self.tell().await?;
            tokio::time::sleep(TELL / 2).await;
        }
        let remembered = self.work.account.remembered();
        let asked: Vec<_> = remembered.iter().map(|(ce_type, id)| (&**ce_type, *id)).collect();
        let out = are_claimed(claims, self.work.reader.stage(), &asked).await?.into_iter().filter(|out| *out).count();
        self.work.account.came_out(remembered.len() as u64, out as u64);
        Ok(())
    }
}

async fn are_claimed(claims: &Claims, stage: &'static str, asked: &[(&str, Id)]) -> Result<Vec<bool>, Broken> {
    let mut claimed = Vec::with_capacity(asked.len());
    for part in asked.chunks(CLAIMS_AT_ONCE) {
        let answer = tokio::time::timeout(STORE, claims.are_claimed(stage, part)).await;
        let answer = match answer {
            Ok(Err(Error::ClaimsEmptied { .. })) => {
                Err("the claims' store was emptied and is being rebuilt: retry when /health reports the claims as ok")
            }
            Ok(answer) => Ok(answer?),
            Err(_) => Err("the claims' store is unavailable: retry when it answers"),
        };
        claimed.append(&mut answer.map_err(|message| Broken::Failed(unavailable(message)))?);
    }
    Ok(claimed)
}

/// What is known of a record before anything of it is read.
fn head(stored: &Stored) -> ReadDelivery {
    let delivery = stored.payload.clone().and_then(|payload| Delivery::decode(payload).ok()).unwrap_or_default();
    ReadDelivery {
        delivery_id: delivery.delivery_id,
        endpoint: delivery.endpoint,
        received_at: delivery.received_at.unwrap_or_else(|| from_millis(stored.produced_at_ms)),
        events: Vec::new(),
        refused: 0,
    }
}

/// What comes of a record now.
fn look(stored: &Stored, view: &View, producer: &Producer, reader: &dyn ReadsRaw) -> ReadDelivery {
    let Read { endpoint, events, refused } = view.with(|registrations| reader.read(stored, registrations, producer));
    ReadDelivery { endpoint, events, refused, ..head(stored) }
}
