//! What is done with load requests: they wait for company, are committed and acknowledged. The driver of [`stage`] does
//! the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bus::{Bus, ConsumerState, Incoming, Producer};
use common::load::v1::LoadRequest;
use lake::Lake;
use object_store::path::Path;
use service::{HopCounts, trace};
use stage::{COMES_AGAIN, Origin, RefusedRecord, Room, Stage};
use tokio_util::sync::CancellationToken;

use crate::ends::Found;
use crate::files::FileCheck;
use crate::health::Checks;
use crate::load::{Loading, Round, Waiting};
use crate::outlook::Taken;
use crate::request::Request;
use crate::table::Table;
use crate::{LoaderSettings, STAGE};

/// Before a round that failed is tried again, at least.
const RETRY: Duration = Duration::from_secs(1);

/// Files that requests name which are not done yet: the vacuum leaves them.
pub(crate) type Wanted = Arc<Mutex<BTreeSet<Path>>>;

/// What a loader works with.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) settings: LoaderSettings,
    pub(crate) bus: Bus,
    pub(crate) lake: Lake,
    pub(crate) producer: Producer,
    pub(crate) checks: Checks,
    pub(crate) counts: HopCounts,
    pub(crate) wanted: Wanted,
    pub(crate) consumer: ConsumerState,
    pub(crate) tables: BTreeMap<String, Loading>,
    pub(crate) taken: Taken,
    /// Where the requests of each table came from.
    pub(crate) partitions: BTreeMap<String, BTreeSet<(Arc<str>, i32)>>,
    /// When the next commit may be.
    pub(crate) due: Instant,
    /// What was found of the log at the start.
    pub(crate) found: Found,
}

/// What is done with load requests: the [`Pipeline`] has it all.
#[derive(Debug)]
pub(crate) struct Loads {
    pub(crate) shutdown: CancellationToken,
}

/// A record of loads, and what it says.
#[derive(Debug)]
pub(crate) struct LoadRecord {
    record: Incoming,
    read: Result<Request, (&'static str, String)>,
}

impl LoadRecord {
    fn of(record: Incoming) -> Self {
        let read = record
            .decode::<LoadRequest>()
            .map_err(|error| ("undecodable", error.to_string()))
            .and_then(|message| Request::of(message).map_err(|problem| ("invalid_request", problem)));
        Self { record, read }
    }
}

impl Stage for Loads {
    type Work = LoadRecord;
    type State = Pipeline;

    fn read(&self, record: Incoming, _too_much: Option<String>, _room: Room) -> LoadRecord {
        LoadRecord::of(record)
    }

    /// They wait for company.
    async fn emit(&self, records: Vec<LoadRecord>, pipeline: &mut Pipeline) -> ControlFlow<()> {
        for record in records {
            let at = &record.record;
            let place = (Arc::clone(&at.coordinates.topic), at.coordinates.partition);
            let taken = (at.assignment.epoch, at.coordinates.offset + 1);
            pipeline.take_in(record).await;
            pipeline.taken.insert(place, taken);
        }
        pipeline.tell();
        ControlFlow::Continue(())
    }

    fn due(&self, pipeline: &Pipeline) -> Option<Instant> {
        let waits = pipeline.tables.values().any(|loading| !loading.queue.is_empty());
        waits.then_some(pipeline.due)
    }

    async fn tick(&self, pipeline: &mut Pipeline) {
        if let Some(next) = self.shutdown.run_until_cancelled(pipeline.rounds()).await {
            pipeline.due = next;
        }
    }
}

impl Pipeline {
    /// Takes a record into the queue of its table.
    async fn take_in(&mut self, LoadRecord { record, read }: LoadRecord) {
        let place = (Arc::clone(&record.coordinates.topic), record.coordinates.partition, record.assignment.epoch);
        for loading in self.tables.values_mut() {
            // What came in an earlier turn comes again in this one.
            loading.queue.retain(|waiting| {
                !(waiting.place.0 == place.0 && waiting.place.1 == place.1) || waiting.place.2 == place.2
            });
        }
        let request = match read {
            Ok(request) => request,
            Err((reason, message)) => return self.refuse(record, reason, message).await,
        };
        let table = match self.tables.entry(request.table.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => match Table::new(&self.lake, &request.table) {
                Ok(table) => entry.insert(Loading::of(table, &self.bus, !self.settings.accepts_requests())),
                Err(error) => return self.refuse(record, "invalid_request", error.to_string()).await,
            },
        };
        let span = trace::continue_from(record.headers.traceparent.as_deref(), || {
            tracing::info_span!(
                "load",
                request = request.id,
                application = %request.application,
                from = request.range.from,
                to = request.range.to,
                rows = request.rows(),
                version = tracing::field::Empty,
            )
        });
        self.partitions.entry(request.table.clone()).or_default().insert((Arc::clone(&place.0), place.1));
        table.queue.push(Waiting {
            taken: self.counts.take("", None, request.rows(), COMES_AGAIN),
            accepted: self.settings.accept.contains(&request.id),
            request,
            check: FileCheck::Pending,
            held: None,
            since: Instant::now(),
            place,
            offset: record.coordinates.offset,
            ack: stage::passes(record.ack, &self.counts, record.headers.canaries),
            span,
        });
    }

    /// What is no request becomes a dead letter. Nothing is lost without a word: the request behind it begins at an
    /// offset that the table has not come to, and is held.
    async fn refuse(&self, record: Incoming, reason: &'static str, message: String) {
        // What it says quotes the record, and the dead letter is counted as an error by itself.
        tracing::warn!(at = %record.coordinates, reason, because = message, "a record on topic loads is not a valid load request");
        let taken = self.counts.take("", None, 1, COMES_AGAIN);
        let refused = RefusedRecord { record, origin: Origin::default(), reason, message, taken };
        refused.send(STAGE, &self.producer).await;
    }

    /// One commit for each table that has something waiting. Answers when the next one may be.
    async fn rounds(&mut self) -> Instant {
        let (started, state) = (Instant::now(), self.consumer.clone());
        let (store, limit) = (self.lake.store(), self.settings.commit_timeout());
        let log = (self.settings.checkpoint_commits, self.settings.log_commits);
        let mut failed = false;
        for (name, loading) in &mut self.tables {
            // What belongs to another instance by now is its to load.
            loading.queue.retain(|waiting| {
                let turn = state.assignment_of(&waiting.place.0, waiting.place.1);
                turn.is_some_and(|turn| turn.epoch == waiting.place.2)
            });
            let is_here = |(topic, partition): &(Arc<str>, i32)| state.assignment_of(topic, *partition).is_some();
            if !self.partitions.get(name).is_some_and(|partitions| partitions.iter().any(is_here)) {
                self.checks.gone(name);
            }
            if loading.queue.is_empty() {
                continue;
            }
            self.checks.turn(Some(name));
            loading.begins = begins(&loading.queue);
            let later = loading.queue.split_off(self.settings.max_requests.min(loading.queue.len()));
            let looked_at = loading.queue.len();
            let round = loading.round(&store, limit).await;
            // What is held stands behind what has not been looked at.
            let held = std::mem::replace(&mut loading.queue, later);
            if held.len() < looked_at {
                // Also with what was loaded already: after a crash that may be all of it for a while.
                self.checks.loaded(name);
            }
            loading.queue.extend(held);
            self.checks.tried(name, round.as_ref().err());
            match round {
                Ok(Round { version: None, .. }) => {}
                Ok(round @ Round { version: Some(version), .. }) => {
                    told(name, version, &round, &self.counts, started);
                    match loading.checkpoint(log).await {
                        Ok(true) => self.checks.checkpoint(name, Ok(())),
                        Ok(false) => {}
                        Err(error) => self.checks.checkpoint(name, Err(error.to_string())),
                    }
                }
                Err(error) => {
                    failed = true;
                    tracing::warn!(%error, "loading failed, retrying");
                }
            }
        }
        self.checks.turn(None);
        self.tell();
        let pause = self.settings.commit_interval();
        if failed { Instant::now() + pause.max(RETRY) } else { started + pause }
    }

    /// Tells health and the vacuum what waits.
    fn tell(&self) {
        let waiting = || self.tables.values().flat_map(|loading| &loading.queue);
        let mut found = self.found.clone();
        // Until something of it is loaded.
        let loaded = |application: &Arc<str>| {
            self.tables.values().any(|loading| loading.table.known(application).is_some_and(|version| version >= 0))
        };
        found.beyond.retain(|application, _| !loaded(application));
        found.beyond.extend(self.tables.values().flat_map(|loading| loading.beyond.clone()));
        self.checks.waiting(waiting(), &self.taken, &found, Duration::from_millis(self.settings.hold_warn_ms));
        let mut wanted = BTreeSet::new();
        for loading in self.tables.values() {
            let files = loading.queue.iter().flat_map(|waiting| &waiting.request.files);
            wanted.extend(files.map(|file| loading.table.path_of(&file.path)));
        }
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        metrics::gauge!("weir_loader_waiting_requests").set(waiting().count() as f64);
        let held = waiting().filter(|waiting| waiting.held.is_some()).count();
        metrics::gauge!("weir_loader_held_requests").set(held as f64);
    }
}

/// Where the rows of each application begin, as far as it is known here.
fn begins(queue: &[Waiting]) -> BTreeMap<Arc<str>, i64> {
    let mut begins = BTreeMap::new();
    for request in queue.iter().map(|waiting| &waiting.request) {
        let first = begins.entry(Arc::clone(&request.application)).or_insert(request.range.from);
        *first = request.range.from.min(*first);
    }
    begins
}

/// Counts and logs what a round has loaded.
fn told(table: &str, version: u64, round: &Round, counts: &HopCounts, started: Instant) {
    let (requests, rows) = (round.requests, round.rows);
    let took = started.elapsed();
    tracing::info!(table, version, requests, rows, took_ms = took.as_millis() as u64, "loaded");
    metrics::counter!("weir_loader_commits_total", "table" => table.to_owned()).increment(1);
    metrics::histogram!("weir_loader_commit_seconds", "table" => table.to_owned()).record(took);
    let Some((oldest, youngest)) = round.received else { return };
    for micros in [oldest, youngest] {
        let Ok(micros) = u64::try_from(micros) else { continue };
        let received: SystemTime = UNIX_EPOCH + Duration::from_micros(micros);
        counts.age(service::clock::now().duration_since(received).unwrap_or_default());
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
