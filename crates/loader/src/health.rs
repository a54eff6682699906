//! What the loader says about itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bus::{Bus, ConsumerState, Lag};
use common::few::few;
use lake::Lake;
use service::{Action, CheckHandle, CheckSpec, Health};
use stage::{LogChecks, Partitions, Retention};
use tokio_util::sync::CancellationToken;

use crate::STAGE;
use crate::decide::Decision;
use crate::ends::{Found, Gone};
use crate::files::FileCheck;
use crate::load::Waiting;
use crate::outlook::{Outlook, Ready, Taken, Verdicts};
use crate::table::Error;

/// Why an offset lies beyond the end of its partition.
const PUT_BACK: &str = "The log was restored from a copy or truncated, and the lake was not";

/// The checks of the loader.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    pub(crate) log: LogChecks,
    store: CheckHandle,
    held: CheckHandle,
    progress: CheckHandle,
    stalled_after: Duration,
    outlook: Arc<Mutex<Outlook>>,
    partitions: Partitions,
    retention: Retention,
    upkeep: CheckHandle,
    /// How each kind of upkeep ended last, and each table whose checkpoint failed: what one has done says nothing of another.
    upkept: Arc<Mutex<BTreeMap<String, Result<String, String>>>>,
}

impl Checks {
    pub(crate) fn new(health: &Health, hold_warn: Duration, stalled_after: Duration) -> Self {
        let spec = |name, action, gates_readiness, threshold: Option<Duration>| CheckSpec {
            name,
            action,
            gates_readiness,
            unit: if threshold.is_some() { "seconds" } else { "" },
            threshold: threshold.map(|threshold| threshold.as_secs_f64()),
        };
        let checks = Self {
            log: LogChecks::new(health, ["loader_log", "loader_topics", "loader_topic_settings"]),
            store: health.check(spec("loader_lake", Action::Page, true, None)),
            held: health.check(spec("loader_held", Action::Page, false, Some(hold_warn))),
            progress: health.check(spec("loader_progress", Action::Page, false, Some(stalled_after))),
            stalled_after,
            outlook: Arc::default(),
            partitions: Partitions::new(health, "loader_partitions"),
            retention: Retention::new(health, "loader_retention", STAGE),
            upkeep: health.check(spec("loader_upkeep", Action::Ticket, false, None)),
            upkept: Arc::default(),
        };
        checks.held.ok("no request is held");
        checks.progress.unknown("starting: the tables are compared with the log before requests are asked for");
        checks.upkeep.ok("compaction and vacuum have not run yet");
        checks
    }

    /// Whether the lake answers when it is asked for nothing else.
    pub(crate) fn lake(&self, answer: Result<(), String>) {
        self.outlook().lake = answer.err();
        self.tell_store();
    }

    /// What the store does for one table says nothing of another.
    fn tell_store(&self) {
        let outlook = self.outlook();
        let failed: Vec<&String> = outlook.tables.values().filter_map(|table| table.error.as_ref()).collect();
        let lost = "no data is lost";
        // An instance that can load other tables has its work: a roll-out must not wait for one that cannot be loaded.
        self.store.gates_readiness(outlook.lake.is_some() || failed.is_empty() || failed.len() == outlook.tables.len());
        match (&outlook.lake, failed.is_empty()) {
            (Some(error), _) => {
                self.store.fail(format!("{error}; nothing is loaded until the lake answers, and {lost}"))
            }
            (None, false) => {
                self.store.fail(format!("{}; the loader tries again, and {lost}", few(failed, "; ")));
            }
            (None, true) => self.store.ok("answers"),
        }
    }

    /// Nothing is loaded yet, since the table cannot be compared with the log.
    pub(crate) fn cannot_compare(&self, error: &Error, lasts: bool) {
        let text =
            format!("the comparison of the table with the log failed, the loader retries it before it loads: {error}");
        match error {
            // Of a log that does not answer other checks tell, and of one that refuses none.
            Error::Log { .. } if lasts => self.held.fail(text),
            Error::Log { .. } => self.held.warn(text),
            _ => self.lake(Err(error.to_string())),
        }
    }

    /// How a run ended: `compaction`, `vacuum`.
    pub(crate) fn upkeep(&self, what: &'static str, outcome: Result<String, String>) {
        self.tell_upkeep(|upkept| _ = upkept.insert(what.to_owned(), outcome));
    }

    /// How writing a checkpoint ended.
    pub(crate) fn checkpoint(&self, table: &str, outcome: Result<(), String>) {
        self.tell_upkeep(|upkept| {
            if let Err(error) = outcome {
                upkept.insert(
                    checkpoint_of(table),
                    Err(format!("writing a checkpoint of table {table} failed: {error}")),
                );
            } else {
                upkept.remove(&checkpoint_of(table));
                upkept.insert("checkpoint".to_owned(), Ok("wrote a checkpoint".to_owned()));
            }
        });
    }

    /// The table is loaded by another instance by now, which writes its checkpoints too.
    pub(crate) fn gone(&self, table: &str) {
        let is_told = |upkept: &BTreeMap<String, _>| upkept.contains_key(&checkpoint_of(table));
        if is_told(&self.upkept.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.tell_upkeep(|upkept| _ = upkept.remove(&checkpoint_of(table)));
        }
    }

    fn tell_upkeep(&self, change: impl FnOnce(&mut BTreeMap<String, Result<String, String>>)) {
        let mut upkept = self.upkept.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut upkept);
        let problems: Vec<&String> = upkept.values().filter_map(|outcome| outcome.as_ref().err()).collect();
        if problems.is_empty() {
            self.upkeep.ok(few(upkept.values().flatten(), "; "));
        } else {
            self.upkeep.fail(few(problems, "; "));
        }
    }

    /// It is the turn of a table, or of none.
    pub(crate) fn turn(&self, of: Option<&str>) {
        self.outlook().turn = of.map(|table| (table.to_owned(), Instant::now()));
    }

    /// Something was loaded into a table, or found to be loaded already.
    pub(crate) fn loaded(&self, table: &str) {
        self.outlook().tables.entry(table.to_owned()).or_default().loaded = Some(Instant::now());
    }

    /// How the turn of a table ended.
    pub(crate) fn tried(&self, table: &str, failed: Option<&Error>) {
        // Of a log that does not answer its own checks tell.
        let error = failed.filter(|error| !matches!(error, Error::Log { .. })).map(Error::to_string);
        self.outlook().tables.entry(table.to_owned()).or_default().error = error;
        self.tell_store();
    }

    fn outlook(&self) -> MutexGuard<'_, Outlook> {
        self.outlook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of the requests that wait, and how far they were taken in.
    pub(crate) fn waiting<'a>(
        &self,
        waiting: impl Iterator<Item = &'a Waiting>,
        taken: &Taken,
        found: &Found,
        hold_warn: Duration,
    ) {
        let (mut held, mut oldest, mut ready) = (Vec::new(), Duration::ZERO, Vec::new());
        for waiting in waiting {
            let age = waiting.since.elapsed();
            let (topic, partition, _) = &waiting.place;
            let (place, offset, since) = ((Arc::clone(topic), *partition), waiting.offset, waiting.since);
            let could = waiting.held.is_none().then_some(Ready { place, offset, since });
            ready.push((waiting.request.table.clone(), could));
            if let Some(decision) = waiting.held {
                let at_once = matches!(decision, Decision::Unusable | Decision::Beyond { .. });
                // What could not be used comes first, then the lowest offset: mostly the others wait for it.
                let rank = (!at_once, waiting.request.range.from);
                held.push((rank, at_once || age >= hold_warn, explain(waiting, decision)));
                oldest = oldest.max(age);
            }
        }
        self.held.value(oldest.as_secs_f64());
        held.sort();
        let count = held.len();
        let pages = held.iter().find(|(_, pages, _)| *pages);
        let first = pages.or(held.first());
        let Found { beyond, gone } = found;
        match first.filter(|_| pages.is_some() || (beyond.is_empty() && gone.is_empty())) {
            None => match (beyond.iter().next(), gone.iter().next()) {
                (None, None) => self.held.ok("no request is held"),
                (None, Some((application, gone))) => self.held.fail(of_gone(application, gone)),
                (Some((application, at)), _) => self.held.fail(format!(
                    "requests of application {application} will be held: the table has version {at} of it, and its \
                     partition on the log ends before that. {PUT_BACK}. docs/lake.md says what to do"
                )),
            },
            Some((_, true, text)) => self.held.fail(format!("{count} requests are held: {text}")),
            Some((_, false, text)) => self.held.warn(format!("{count} requests are held: {text}")),
        }
        // At once: a request is on the log or here, whenever somebody looks.
        let mut outlook = self.outlook();
        outlook.waits(ready);
        outlook.taken.clone_from(taken);
    }

    /// Looks at the lake and the partitions until it is cancelled.
    pub(crate) async fn watch(
        &self,
        bus: &Bus,
        lake: &Lake,
        consumer: &ConsumerState,
        every: Duration,
        until: CancellationToken,
    ) {
        let limit = every.max(Duration::from_secs(2));
        let mut verdicts = Verdicts::default();
        let look = async {
            self.store.every(every);
            self.progress.every(every);
            self.partitions.every(every);
            loop {
                let silent = |_| Err(format!("the lake at {} did not answer within {limit:?}", lake.root()));
                let answer = tokio::time::timeout(limit, lake.ping()).await;
                self.lake(answer.map_or_else(silent, |answer| answer.map_err(|error| error.to_string())));
                // The log first: what is taken in between is not missed.
                let lags = consumer.lag();
                let (outlook, now) = (self.outlook().clone(), Instant::now());
                let epoch = |lag: &Lag| consumer.assignment_of(&lag.topic, lag.partition).map(|turn| turn.epoch);
                let untaken = outlook.untaken(lags, epoch);
                let standing = consumer.standing(now);
                let (state, stalled, text) = verdicts.of(&outlook, &standing, untaken, self.stalled_after, now);
                self.progress.value(stalled.as_secs_f64());
                self.progress.set(state, text);
                self.partitions.look([consumer]);
                tokio::time::sleep(every).await;
            }
        };
        let consumers = [consumer.clone()];
        let all = async { tokio::join!(self.retention.watch(bus, &consumers), look) };
        let _ = until.run_until_cancelled(all).await;
    }
}

fn checkpoint_of(table: &str) -> String {
    format!("checkpoint of {table}")
}

/// What is left of a life of the log, and what somebody can do.
fn of_gone(application: &str, gone: &Gone) -> String {
    let Gone { version, end, .. } = gone;
    let epoch = gone.epoch().unwrap_or_default();
    format!(
        "the log was restored from a copy. The table has the rows of application {application} up to offset {version}, \
         but the log has its records only up to {end}. Later records belong to epoch {epoch} and are loaded. Records \
         that were acknowledged after the copy was made and are not in the table are lost with the replaced log: have \
         them re-sent. Then add {epoch} to loader.accept and restart the loader. docs/lake.md says more"
    )
}

/// Which request waits, why, and what somebody can do.
fn explain(waiting: &Waiting, decision: Decision) -> String {
    let request = &waiting.request;
    let (id, table, application) = (&request.id, &request.table, &request.application);
    let (from, to) = (request.range.from, request.range.to);
    let which = format!("request {id} of application {application} for table {table}, offsets {from} to {to},");
    match (decision, &waiting.check) {
        (Decision::Gap { version }, _) => format!(
            "{which} cannot be loaded. The table has version {version} of the application, and no request covers \
             {version} to {from}. Look for the missing request on topic loads and among the dead letters. If its rows \
             are lost for good, add {id} to loader.accept and restart the loader"
        ),
        (Decision::Beyond { at }, _) => format!(
            "{which} is neither loaded nor counted as loaded. Offset {at} of the application is in the table or in a \
             request, but its partition on the log ends before that. {PUT_BACK}. Check whether the rows of {from} to \
             {to} are in the table. Add the id of the first request whose rows are missing to loader.accept and \
             restart the loader. The loader then loads that request and those after it, and counts those before it as \
             loaded. docs/lake.md says how"
        ),
        (_, FileCheck::Unusable(problem)) => format!(
            "{which} cannot be loaded: {problem}. Restore the original file (from a version of the bucket, or a \
             backup): the loader then loads the request without a restart. If the file is lost for good, add {id} to \
             loader.accept and restart the loader"
        ),
        _ => format!("{which} waits"),
    }
}
