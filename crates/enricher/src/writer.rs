//! Gathers rows into files and ranges, and has them uploaded and requested to be loaded.
//!
//! One task has all of it: it takes in what was emitted, in order; finishes the files of a partition when they are large
//! or old enough, or when there is no room for more; and hands each range on, one at a time for each partition. What a
//! turn gathered is thrown away when the turn is over.

mod gathered;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Ack, ConsumerState};
use parquet::errors::ParquetError;
use stage::Partition as At;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::files::rows::{Row, received_at};
use crate::files::{DayFile, day};
use crate::item::{Item, Outcome, RecordPosition, place};
use crate::range::Taken;
use crate::shared::Shared;
use crate::upload::{Ended, Uploads};
use gathered::Partition;

/// How often it looks whether something is due.
const TICK: Duration = Duration::from_millis(20);

/// What the files may be like, and what may be held.
#[derive(Debug, Clone)]
pub(crate) struct FileLimits {
    pub(crate) flush_bytes: usize,
    pub(crate) flush_after: Duration,
    pub(crate) buffered_bytes: usize,
    pub(crate) held_records: usize,
    pub(crate) held_bytes: usize,
}

/// The task.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    consumer: ConsumerState,
    limits: FileLimits,
    uploads: Arc<Uploads>,
    partitions: HashMap<At, Partition>,
    running: JoinSet<Ended>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, consumer: ConsumerState, uploads: Uploads, limits: FileLimits) -> Self {
        let uploads = Arc::new(uploads);
        let (partitions, running) = (HashMap::new(), JoinSet::new());
        Self { shared, consumer, limits, uploads, partitions, running }
    }

    /// Until nothing more comes and all that came is requested to be loaded.
    pub(crate) async fn run(mut self, mut items: mpsc::Receiver<Vec<Item>>) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            let room = self.memory() < self.limits.buffered_bytes;
            tokio::select! {
                batch = items.recv(), if open && room => match batch {
                    Some(batch) => self.take(batch).await?,
                    None => open = false,
                },
                Some(ended) = self.running.join_next() => self.ended(ended.context("the upload task failed")?)?,
                _ = ticks.tick() => self.drop_what_is_over(),
            }
            self.seal(!open);
            self.hand_on();
            if !open && self.partitions.values().all(Partition::is_idle) {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, mut items: Vec<Item>) -> anyhow::Result<()> {
        loop {
            let later = self.other_log(&items).map(|first| items.split_off(first)).unwrap_or_default();
            self.take_in(items).await?;
            let Some(Item { place: RecordPosition { at, .. }, .. }) = later.first() else { return Ok(()) };
            if let Some(partition) = self.partitions.get_mut(&place(at)) {
                partition.begin_log(Arc::clone(&at.log));
            }
            items = later;
        }
    }

    /// The first item in whose partition the log has another identity than before: an epoch begins with it.
    fn other_log(&self, items: &[Item]) -> Option<usize> {
        let one = &items.first()?.place.at.log;
        let is_one = items.iter().all(|item| item.place.at.log == *one);
        if is_one && self.partitions.values().all(|partition| partition.log == *one) {
            return None;
        }
        let mut logs: HashMap<At, (u64, Arc<str>)> = HashMap::new();
        items.iter().position(|Item { place: RecordPosition { at, assignment, .. }, .. }| {
            let (at, now) = (place(at), (assignment.epoch, Arc::clone(&at.log)));
            let before = self.partitions.get(&at).map(|partition| (partition.turn().epoch, Arc::clone(&partition.log)));
            let known = logs.entry(at).or_insert_with(|| before.unwrap_or_else(|| now.clone()));
            if known.0 < now.0 {
                *known = now;
                return false;
            }
            known.0 == now.0 && known.1 != now.1
        })
    }

    async fn take_in(&mut self, items: Vec<Item>) -> anyhow::Result<()> {
        let mut rows: HashMap<At, BTreeMap<String, Vec<Row>>> = HashMap::new();
        for Item { place: RecordPosition { at, assignment: turn, bytes, produced_at_ms }, ack, outcome } in items {
            let place = place(&at);
            let begin = || Partition::begin(turn, Arc::clone(&at.log));
            let partition = self.partitions.entry(place.clone()).or_insert_with(begin);
            match partition.look(turn) {
                // Its ack ends as one that comes too late.
                Taken::Late => continue,
                Taken::Anew => {
                    rows.remove(&place);
                    *partition = begin();
                }
                Taken::Same => {}
            }
            let (row, canary) = match outcome {
                Outcome::Waits => {
                    partition.wait(ack);
                    continue;
                }
                Outcome::Row(row) => (Some(*row), None),
                Outcome::Canary(canary) => (None, Some(canary)),
                Outcome::Without => (None, None),
            };
            if !partition.take(at.offset, bytes, ack, canary) {
                continue;
            }
            if let Some(row) = row {
                let received_at = row.enriched.activity.as_ref().and_then(received_at);
                let day = day::of(received_at, produced_at_ms);
                rows.entry(place).or_default().entry(day).or_default().push(row);
            }
        }
        self.write(rows).await
    }

    /// Writes rows into the files of their days, on a thread that may be blocked.
    async fn write(&mut self, rows: HashMap<At, BTreeMap<String, Vec<Row>>>) -> anyhow::Result<()> {
        let mut work: Vec<(At, String, Option<DayFile>, Vec<Row>)> = Vec::new();
        for (place, days) in rows {
            for (day, rows) in days {
                let file = self.partitions.get_mut(&place).and_then(|partition| partition.files.remove(&day));
                work.push((place.clone(), day, file, rows));
            }
        }
        let writing = tokio::task::spawn_blocking(move || {
            work.into_iter()
                .map(|(place, day, file, rows)| {
                    let mut file = file.map_or_else(DayFile::new, Ok)?;
                    file.append(&rows)?;
                    Ok((place, day, file))
                })
                .collect::<Result<Vec<_>, ParquetError>>()
        });
        // A file that cannot be written must not be passed over: the process ends, and begins with the committed offsets.
        for (place, day, file) in
            writing.await.context("the task that writes rows failed")?.context("writing rows failed")?
        {
            if let Some(partition) = self.partitions.get_mut(&place) {
                partition.files.insert(day, file);
            }
        }
        Ok(())
    }

    /// Ends ranges: those that are due, and the largest while too much is held; all of them at the end.
    fn seal(&mut self, all: bool) {
        for partition in self.partitions.values_mut() {
            if all || partition.is_due(&self.limits) {
                partition.seal();
            }
        }
        loop {
            let (mut records, mut bytes) = (0, 0);
            for partition in self.partitions.values() {
                records += partition.open_records();
                bytes += partition.open_bytes();
            }
            let limits = &self.limits;
            let over = records >= limits.held_records.div_ceil(2)
                || bytes >= limits.held_bytes.div_ceil(2)
                || self.memory() >= limits.buffered_bytes;
            let open = self.partitions.values_mut().filter(|partition| partition.is_open());
            let Some(largest) = open.max_by_key(|partition| partition.open_bytes()).filter(|_| over) else { return };
            largest.seal();
        }
    }

    /// Has the next range of each partition uploaded and requested.
    fn hand_on(&mut self) {
        for (place, partition) in &mut self.partitions {
            if let Some((range, content)) = partition.hand_on() {
                let (uploads, shared, consumer) =
                    (Arc::clone(&self.uploads), Arc::clone(&self.shared), self.consumer.clone());
                let (place, over) = (place.clone(), partition.over.clone());
                self.running.spawn(async move { uploads.run(place, range, content, over, &consumer, &shared).await });
            }
            partition.let_go();
        }
    }

    fn ended(&mut self, ended: Ended) -> anyhow::Result<()> {
        let Ended { place, range, outcome } = ended;
        let held = outcome?;
        if let Some(partition) = self.partitions.get_mut(&place) {
            partition.done(range);
        }
        // Where the turn is over its acks are late, and that is all.
        held.into_iter().flatten().for_each(Ack::complete);
        Ok(())
    }

    /// Throws away what was gathered in turns that are over.
    fn drop_what_is_over(&mut self) {
        for ((topic, number), partition) in &mut self.partitions {
            let now = self.consumer.assignment_of(topic, *number);
            if now.is_none_or(|now| now.epoch != partition.turn().epoch) {
                partition.give_up();
            }
        }
        metrics::gauge!("weir_enricher_buffered_bytes").set(self.memory() as f64);
        let held: usize = self.partitions.values().map(Partition::held_records).sum();
        metrics::gauge!("weir_enricher_held_records").set(held as f64);
    }

    fn memory(&self) -> usize {
        self.partitions.values().map(Partition::memory).sum()
    }
}
