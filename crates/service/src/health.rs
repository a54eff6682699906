//! Checks, and the digest of all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use common::health::v1::{Action, Check, Digest, FailureKind, State};
use prost_types::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Counts, clock, errors};

/// The bytes of a message, at most.
const MAX_MESSAGE: usize = 1024;
/// How one ends that was longer. The log has all of it, where the state changed.
const CUT: &str = " … (cut; see the log)";

/// So many looks may fail to come before a check that is looked at again and again is unknown, and never before this.
const LOOKS: u32 = 4;
const SHORTEST: Duration = Duration::from_secs(30);
/// For so long what was found may do for what cannot be found again. Longer than a log takes to come back.
const STAYS: Duration = Duration::from_secs(600);

/// What a check is, apart from its result.
#[derive(Clone, Copy, Debug)]
pub struct CheckSpec {
    /// snake_case, unique within the process.
    pub name: &'static str,
    /// What somebody has to do when it fails.
    pub action: Action,
    /// Whether the service is not ready while it fails or is unknown.
    pub gates_readiness: bool,
    /// The unit of value and threshold: `seconds`, `records`, `bytes`; empty where there is none.
    pub unit: &'static str,
    /// The value from which on it is not ok.
    pub threshold: Option<f64>,
}

/// All checks of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    service: &'static str,
    instance: String,
    started_at: Timestamp,
    shutdown: CancellationToken,
    counts: Counts,
    checks: Mutex<BTreeMap<&'static str, Entry>>,
    ready: watch::Sender<bool>,
    beside: Mutex<Vec<Health>>,
    measures: Mutex<Vec<Measure>>,
}

/// Writes what a service knows at the moment of the question onto the page of metrics.
struct Measure(Box<dyn Fn(&mut String) + Send + Sync>);

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Measure")
    }
}

#[derive(Debug)]
struct Entry {
    spec: CheckSpec,
    state: State,
    since: Timestamp,
    message: String,
    value: Option<f64>,
    /// Set by [`CheckHandle::value`], shown with the next state.
    next_value: Option<f64>,
    failure: FailureKind,
    /// Set by [`CheckHandle::because`], shown with the next state.
    next_failure: FailureKind,
    /// How often it is looked at; none: it is told when something happens.
    every: Option<Duration>,
    /// When something was last found.
    found: Instant,
    /// When it was last told, with something found or without.
    told: Instant,
    told_at: Timestamp,
}

impl Entry {
    /// As the digest says it. Who looks may hang: that all was well long ago says nothing of now.
    fn check(&self, now: Instant) -> Check {
        let silent = now.saturating_duration_since(self.told);
        let is_old = matches!(self.state, State::Ok | State::Warning)
            && self.every.is_some_and(|every| silent >= (every * LOOKS).max(SHORTEST));
        let before = crate::digest_json::state_name(self.state);
        let (state, since, message) = if is_old {
            let text = format!("not looked at for {} s; before that: {before}: {}", silent.as_secs(), self.message);
            (State::Unknown, self.told_at, bounded(&text))
        } else {
            (self.state, self.since, self.message.clone())
        };
        Check {
            name: self.spec.name.to_owned(),
            state: state.into(),
            since: Some(since),
            action: self.spec.action.into(),
            message,
            value: self.value.filter(|_| !is_old),
            threshold: self.spec.threshold,
            unit: self.spec.unit.to_owned(),
            gates_readiness: self.spec.gates_readiness,
            checked_at: Some(self.told_at),
            failure: if is_old { FailureKind::Unspecified } else { self.failure }.into(),
        }
    }

    fn stays(&mut self, now: Instant) {
        if now.saturating_duration_since(self.found) < STAYS {
            self.told = now;
        }
    }

    /// By what was found last, however long ago: a look that hangs must not take work from an instance that does it.
    fn blocks(&self) -> bool {
        self.spec.gates_readiness && matches!(self.state, State::Failing | State::Unknown | State::Unspecified)
    }
}

/// Sets the result of one check. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CheckHandle {
    health: Health,
    name: &'static str,
}

impl Health {
    /// No checks; not ready once `shutdown` is cancelled.
    #[must_use]
    pub fn new(service: &'static str, shutdown: CancellationToken) -> Health {
        let (ready, _) = watch::channel(true);
        Health {
            inner: Arc::new(Inner {
                service,
                instance: instance(),
                started_at: clock::timestamp(),
                shutdown,
                counts: Counts::default(),
                checks: Mutex::new(BTreeMap::new()),
                ready,
                beside: Mutex::default(),
                measures: Mutex::default(),
            }),
        }
    }

    /// The checks of another one, which is no part of the digest and of readiness, are on this one's page of metrics too.
    pub fn show(&self, other: Health) {
        self.inner.beside.lock().unwrap_or_else(PoisonError::into_inner).push(other);
    }

    /// Each time that the page of metrics is asked for, this adds to it, as a [`Family`](crate::Family) each: what is not known
    /// then is not there.
    pub fn measure(&self, write: impl Fn(&mut String) + Send + Sync + 'static) {
        self.inner.measures.lock().unwrap_or_else(PoisonError::into_inner).push(Measure(Box::new(write)));
    }

    pub(crate) fn write_measures(&self, page: &mut String) {
        for Measure(write) in self.inner.measures.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            write(page);
        }
    }

    /// The checks of this one and of those that are shown with it.
    pub(crate) fn all_checks(&self) -> Vec<Digest> {
        let beside = self.inner.beside.lock().unwrap_or_else(PoisonError::into_inner);
        [self].into_iter().chain(beside.iter()).map(Health::checks).collect()
    }

    /// Adds a check, whose state is unknown at first. A name that is there already: the same check, with this spec.
    #[must_use]
    pub fn check(&self, spec: CheckSpec) -> CheckHandle {
        let now = clock::timestamp();
        self.change(|checks| {
            checks.entry(spec.name).and_modify(|entry| entry.spec = spec).or_insert_with(|| Entry {
                spec,
                state: State::Unknown,
                since: now,
                message: "not checked yet".to_owned(),
                value: None,
                next_value: None,
                failure: FailureKind::Unspecified,
                next_failure: FailureKind::Unspecified,
                every: None,
                found: Instant::now(),
                told: Instant::now(),
                told_at: now,
            });
        });
        CheckHandle { health: self.clone(), name: spec.name }
    }

    /// What goes through the hops of this process.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    /// Everything at this moment, with the errors of the process.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut digest = self.checks();
        self.inner.counts.fill(&mut digest);
        errors::fill(&mut digest);
        digest
    }

    /// The digest without what goes through.
    pub(crate) fn checks(&self) -> Digest {
        let (ready, now) = (self.is_ready(), Instant::now());
        let checks = self.lock();
        Digest {
            service: self.inner.service.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.inner.instance.clone(),
            started_at: Some(self.inner.started_at),
            at: Some(clock::timestamp()),
            ready,
            checks: checks.values().map(|entry| entry.check(now)).collect(),
            ..Digest::default()
        }
    }

    /// The checks as the digest would have them at another moment, if nothing were told until then.
    #[must_use]
    pub fn checks_at(&self, now: Instant) -> Vec<Check> {
        self.lock().values().map(|entry| entry.check(now)).collect()
    }

    /// Whether no check that gates readiness is failing or unknown, and nothing is shutting down.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.inner.shutdown.is_cancelled() && !self.lock().values().any(Entry::blocks)
    }

    /// Why it is not ready: a line for each check that blocks, and for the shutdown. Empty: it is ready.
    #[must_use]
    pub fn not_ready_because(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.inner.shutdown.is_cancelled() {
            reasons.push("shutting down".to_owned());
        }
        let checks = self.lock();
        reasons.extend(checks.values().filter(|entry| entry.blocks()).map(|entry| {
            let state = crate::digest_json::state_name(entry.state);
            format!("{}: {state}: {}", entry.spec.name, entry.message)
        }));
        reasons
    }

    /// Says whenever readiness changes by a check; the shutdown is not in it.
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.inner.ready.subscribe()
    }

    pub(crate) fn shutting_down(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<&'static str, Entry>)) {
        let mut checks = self.lock();
        change(&mut checks);
        let ready = !checks.values().any(Entry::blocks);
        // Under the lock, so that subscribers see changes in their order.
        self.inner.ready.send_if_modified(|was| std::mem::replace(was, ready) != ready);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Entry>> {
        // Nothing panics while it is held; and health has to be told even then.
        self.inner.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CheckHandle {
    /// As it should be.
    pub fn ok(&self, message: impl Into<String>) {
        self.set(State::Ok, message.into());
    }

    /// Worth a look.
    pub fn warn(&self, message: impl Into<String>) {
        self.set(State::Warning, message.into());
    }

    /// Broken.
    pub fn fail(&self, message: impl Into<String>) {
        self.set(State::Failing, message.into());
    }

    /// Not known.
    pub fn unknown(&self, message: impl Into<String>) {
        self.set(State::Unknown, message.into());
    }

    /// Whether the service is not ready while it fails or is unknown, from now on.
    pub fn gates_readiness(&self, gates: bool) {
        self.health.change(|checks| {
            if let Some(entry) = checks.get_mut(self.name) {
                entry.spec.gates_readiness = gates;
            }
        });
    }

    /// From now on it is looked at this often, and unknown where it is not: four times in a row, and at least half a minute.
    pub fn every(&self, every: Duration) {
        self.health.change(|checks| {
            if let Some(entry) = checks.get_mut(self.name) {
                (entry.every, entry.told) = (Some(every), Instant::now());
            }
        });
    }

    /// It was looked at, and what was found before stays, because something else is in the way of an answer. After ten minutes
    /// without one it grows old all the same: of what is in the way another check tells, or none.
    pub fn stays(&self) {
        self.health.change(|checks| {
            if let Some(entry) = checks.get_mut(self.name) {
                entry.stays(Instant::now());
            }
        });
    }

    /// The measured value, shown with the next state.
    pub fn value(&self, value: f64) {
        self.health.change(|checks| {
            if let Some(entry) = checks.get_mut(self.name) {
                entry.next_value = Some(value);
            }
        });
    }

    /// What is behind it, shown with the next state only.
    pub fn because(&self, failure: FailureKind) {
        self.health.change(|checks| {
            if let Some(entry) = checks.get_mut(self.name) {
                entry.next_failure = failure;
            }
        });
    }

    /// The result.
    pub fn set(&self, state: State, message: impl Into<String>) {
        let message = message.into();
        let now = clock::timestamp();
        let mut was = None;
        self.health.change(|checks| {
            let Some(entry) = checks.get_mut(self.name) else { return };
            if entry.state != state {
                was = Some(entry.state);
                entry.since = now;
                entry.state = state;
            }
            entry.message = bounded(&message);
            entry.value = entry.next_value.take();
            entry.failure = std::mem::replace(&mut entry.next_failure, FailureKind::Unspecified);
            entry.found = Instant::now();
            (entry.told, entry.told_at) = (entry.found, now);
        });
        // Once for each change, so that a check that runs every second does not fill the log.
        match (was, state) {
            (None, _) => {}
            (Some(_), State::Failing) => tracing::error!(check = self.name, message, "check failing"),
            (Some(_), State::Warning) => tracing::warn!(check = self.name, message, "check warning"),
            (Some(_), State::Ok) => tracing::info!(check = self.name, message, "check ok"),
            (Some(_), _) => tracing::info!(check = self.name, message, "check unknown"),
        }
    }
}

/// A message goes into every digest, and onto a page that somebody reads on a phone: what is longer is cut. Who has a list
/// to tell tells its first and its count ([`common::few`]), and does not come here.
fn bounded(message: &str) -> String {
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MAX_MESSAGE - CUT.len());
    format!("{}{CUT}", message.get(..end).unwrap_or_default())
}

pub(crate) fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    format!("{}:{}", if host.is_empty() { "localhost" } else { host }, std::process::id())
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
