//! What was thanked for is looked for on the log, id by id.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::{Bus, Reader, Start};
use common::raw::v1::Delivery;
use prost::Message as _;
use simulate::key::natural_key;

use crate::load::Thanked;
use crate::system::System;

/// For how long something that is missing may yet come, while nothing else comes either.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(300);

/// What was compared.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) thanked: u64,
    /// Not on a raw topic.
    pub(crate) not_on_raw: Vec<String>,
    /// Events that the accepted deliveries mean, and those that are on no typed topic.
    pub(crate) events: u64,
    pub(crate) not_typed: Vec<String>,
    /// Records on raw topics beyond those that were thanked for: answered with 503 and written all the same.
    pub(crate) beyond: u64,
    /// From the first look to the last event.
    pub(crate) drained: Duration,
}

/// Waits until all is there, or nothing more comes.
pub(crate) async fn check(system: &System, thanked: &[Thanked]) -> anyhow::Result<Verdict> {
    let mut found = Found::new(system.bus()?, system.prefix());
    let (began, mut moved, mut told) = (Instant::now(), Instant::now(), Instant::now());
    loop {
        if found.read().await? > 0 {
            moved = Instant::now();
        }
        let verdict = found.compare(thanked, began.elapsed());
        if (verdict.not_on_raw.is_empty() && verdict.not_typed.is_empty()) || moved.elapsed() > PATIENCE {
            return Ok(verdict);
        }
        if told.elapsed() > PAUSE * 30 {
            told = Instant::now();
            println!("  {} of {} events are still missing", verdict.not_typed.len(), verdict.events);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What stands on the topics.
struct Found {
    bus: Bus,
    prefix: String,
    topics: Vec<String>,
    reader: Option<Reader>,
    raw: HashSet<String>,
    typed: HashSet<(String, String)>,
}

impl Found {
    fn new(bus: Bus, prefix: &str) -> Self {
        let (raw, typed) = (HashSet::new(), HashSet::new());
        Self { bus, prefix: prefix.to_owned(), topics: Vec::new(), reader: None, raw, typed }
    }

    /// What has come since: how many records.
    async fn read(&mut self) -> anyhow::Result<u64> {
        let mut topics = self.bus.topics().await?;
        topics.retain(|topic| topic.starts_with("raw.") || topic.starts_with("events."));
        topics.sort();
        if topics != self.topics {
            // A topic more: all of it anew.
            self.reader = Some(self.bus.reader(&topics, Start::Beginning).await?);
            self.topics = topics;
            self.raw.clear();
        }
        let Some(reader) = &mut self.reader else { return Ok(0) };
        let mut count = 0;
        while let Some(stored) = reader.next_until_end().await? {
            let topic = stored.coordinates.topic.strip_prefix(&*self.prefix).unwrap_or(&stored.coordinates.topic);
            let payload = stored.payload.as_deref().unwrap_or_default();
            if topic.starts_with("raw.") {
                self.raw.insert(Delivery::decode(payload)?.delivery_id);
            } else {
                let key = natural_key(topic, payload).with_context(|| stored.coordinates.to_string())?;
                self.typed.insert((topic.to_owned(), key));
            }
            count += 1;
        }
        Ok(count)
    }

    fn compare(&self, thanked: &[Thanked], drained: Duration) -> Verdict {
        let missing = thanked.iter().filter(|thanked| !self.raw.contains(&thanked.delivery_id));
        let events = thanked.iter().flat_map(|thanked| &thanked.prepared.events);
        let lacking = events.clone().filter(|(topic, key)| !self.typed.contains(&((*topic).to_owned(), key.clone())));
        Verdict {
            thanked: thanked.len() as u64,
            not_on_raw: missing.map(|thanked| thanked.delivery_id.clone()).collect(),
            events: events.count() as u64,
            not_typed: lacking.map(|(topic, key)| format!("{topic} {key}")).collect(),
            beyond: (self.raw.len() as u64).saturating_sub(thanked.len() as u64),
            drained,
        }
    }
}
