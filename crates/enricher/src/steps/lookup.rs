//! A look-up: in batches, cached, time-limited where another process answers, and not asked for a while where it fails.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::activity::v1::{Activity, StepFailure};
use common::enrichment::v1::enrichment_service_client::EnrichmentServiceClient;
use common::enrichment::v1::{Answer, Key, LookUpRequest, LookUpResponse};
use futures_util::future::join_all;
use service::tls::Dial;
use service::{CallLimits, Channel, Uri};
use tokio::time::timeout_at;
use tonic::service::Routes;
use tonic::{Code, Status};

use super::cache::{Cache, CacheLimits};
use super::circuit::{Circuit, CircuitLimits, State};
use super::{Attributes, Found};
use crate::fields::{self, Field};
use crate::settings::LookupSettings;

/// What answers a look-up: a service, or a test.
pub trait Ask: Send + Sync {
    /// One call.
    fn ask(&self, request: LookUpRequest) -> impl Future<Output = Result<LookUpResponse, Status>> + Send;

    /// Whether this process answers. Then there is no time limit: a call can only be late because the process is busy,
    /// and giving up does not make it less so.
    fn is_here(&self) -> bool;
}

/// A service of `weir.enrichment.v1`.
#[derive(Debug, Clone)]
pub enum Grpc {
    /// Of another process.
    Remote(EnrichmentServiceClient<Channel>),
    /// Of this one.
    Here(EnrichmentServiceClient<Routes>),
}

impl Grpc {
    /// Connects when it is asked first.
    #[must_use]
    pub fn remote(url: Uri, settings: &LookupSettings, dial: &Dial) -> Self {
        // The time limit is one for all calls of a look-up: `find` has it.
        let limits = CallLimits { connect: Duration::from_millis(settings.timeout_ms), call: None };
        let client = EnrichmentServiceClient::new(dial.connect_lazy(url, limits));
        Self::Remote(client.max_decoding_message_size(settings.max_message_bytes))
    }

    /// Calls what this process answers.
    #[must_use]
    pub fn here(answers: Routes, settings: &LookupSettings) -> Self {
        Self::Here(EnrichmentServiceClient::new(answers).max_decoding_message_size(settings.max_message_bytes))
    }
}

impl Ask for Grpc {
    async fn ask(&self, request: LookUpRequest) -> Result<LookUpResponse, Status> {
        // Clones share the connection.
        let answer = match self {
            Self::Remote(client) => client.clone().look_up(request).await,
            Self::Here(client) => client.clone().look_up(request).await,
        };
        answer.map(tonic::Response::into_inner)
    }

    fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }
}

/// The time since any fixed moment.
pub type Clock = Box<dyn Fn() -> Duration + Send + Sync>;

/// A look-up of the settings.
pub struct Lookup<A> {
    ask: A,
    name: String,
    key: Vec<Field>,
    /// None: no time limit.
    timeout: Option<Duration>,
    batch: usize,
    max_attributes: usize,
    max_attribute_bytes: usize,
    circuit_open: Duration,
    clock: Clock,
    state: Mutex<Memory>,
}

struct Memory {
    cache: Cache,
    circuit: Circuit,
    /// Why the last call failed; none: it did not.
    failed: Option<String>,
    asked: bool,
}

impl<A> std::fmt::Debug for Lookup<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookup").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What one call brought: an answer for each key, or why there is none.
type Called = Result<Vec<Answer>, (StepFailure, String)>;

impl<A: Ask> Lookup<A> {
    /// A look-up of `name` with these fields as its key.
    pub fn new(ask: A, name: String, key: Vec<Field>, settings: &LookupSettings, clock: Clock) -> Self {
        let millis = Duration::from_millis;
        let cache = CacheLimits {
            entries: settings.cache_entries,
            bytes: settings.cache_bytes,
            ttl: millis(settings.cache_ttl_ms),
            negative_ttl: millis(settings.negative_ttl_ms),
        };
        let open = millis(settings.circuit_open_ms);
        let circuit = CircuitLimits { failures: settings.circuit_failures, open };
        Self {
            timeout: (!ask.is_here()).then(|| millis(settings.timeout_ms)),
            ask,
            name,
            key,
            batch: settings.batch,
            max_attributes: settings.max_attributes,
            max_attribute_bytes: settings.max_attribute_bytes,
            circuit_open: open,
            clock,
            state: Mutex::new(Memory {
                cache: Cache::new(cache),
                circuit: Circuit::new(circuit),
                failed: None,
                asked: false,
            }),
        }
    }

    /// What is known about each activity. The time limit holds for all of it.
    pub async fn find(&self, activities: &[Option<&Activity>]) -> Vec<Found> {
        let keys: Vec<Option<Vec<String>>> =
            activities.iter().map(|activity| activity.and_then(|activity| fields::key(&self.key, activity))).collect();
        let mut known: HashMap<&Vec<String>, Found> = HashMap::new();
        let mut missing: Vec<&Vec<String>> = Vec::new();
        let now = (self.clock)();
        {
            let mut state = self.state();
            for key in keys.iter().flatten() {
                if known.contains_key(key) {
                    continue;
                }
                let cached = state.cache.get(key, now);
                if cached.is_none() {
                    missing.push(key);
                }
                // Those that are asked about stand here until there is an answer.
                known.insert(key, cached.map_or(Found::Failed(StepFailure::CircuitOpen), found));
            }
            metrics::counter!("weir_lookup_keys_total", "lookup" => self.name.clone(), "cached" => "yes")
                .increment((known.len() - missing.len()) as u64);
        }
        if !missing.is_empty() {
            metrics::counter!("weir_lookup_keys_total", "lookup" => self.name.clone(), "cached" => "no")
                .increment(missing.len() as u64);
            let deadline = self.timeout.map(|timeout| tokio::time::Instant::now() + timeout);
            let calls = missing.chunks(self.batch).map(|keys| self.call(keys, deadline));
            for (keys, outcomes) in missing.chunks(self.batch).zip(join_all(calls).await) {
                for (key, outcome) in keys.iter().zip(outcomes) {
                    known.insert(key, outcome);
                }
            }
        }
        let of = |key: &Option<Vec<String>>| key.as_ref().and_then(|key| known.get(key)).cloned();
        keys.iter().map(|key| of(key).unwrap_or(Found::Nothing)).collect()
    }

    /// One call about keys that are not known; an outcome for each.
    async fn call(&self, keys: &[&Vec<String>], deadline: Option<tokio::time::Instant>) -> Vec<Found> {
        {
            let mut state = self.state();
            state.asked = true;
            if !state.circuit.may_call((self.clock)()) {
                return vec![Found::Failed(StepFailure::CircuitOpen); keys.len()];
            }
        }
        let started = std::time::Instant::now();
        let request =
            LookUpRequest { lookup: self.name.clone(), keys: keys.iter().map(|key| self.named(key)).collect() };
        let asking = self.ask.ask(request);
        let answer = match deadline {
            None => Some(asking.await),
            Some(deadline) => timeout_at(deadline, asking).await.ok(),
        };
        let called: Called = match answer {
            None => {
                let limit = self.timeout.unwrap_or_default();
                Err((StepFailure::TimedOut, format!("no answer within {limit:?}")))
            }
            Some(Err(status)) => Err(failure(&status)),
            Some(Ok(response)) if response.answers.len() != keys.len() => {
                let problem = format!("the service gave {} answers for {} keys", response.answers.len(), keys.len());
                Err((StepFailure::InvalidAnswer, problem))
            }
            Some(Ok(response)) => Ok(response.answers),
        };
        metrics::histogram!("weir_lookup_seconds", "lookup" => self.name.clone()).record(started.elapsed());
        let now = (self.clock)();
        let mut state = self.state();
        match called {
            Err((failure, why)) => {
                state.circuit.failure(now);
                if state.failed.replace(why.clone()).is_none() {
                    tracing::warn!(lookup = self.name, why, "a look-up failed");
                }
                vec![Found::Failed(failure); keys.len()]
            }
            Ok(answers) => {
                state.circuit.success();
                state.failed = None;
                keys.iter().zip(answers).map(|(key, answer)| self.take(key, answer, now, &mut state)).collect()
            }
        }
    }

    /// Remembers an answer. One that is too large is of no use, and says nothing about the others.
    fn take(&self, key: &[String], answer: Answer, now: Duration, state: &mut Memory) -> Found {
        let bytes: usize = answer.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
        if answer.attributes.len() > self.max_attributes || bytes > self.max_attribute_bytes {
            let count = answer.attributes.len();
            tracing::debug!(lookup = self.name, ?key, count, bytes, "an answer is too large and is not used");
            return Found::Failed(StepFailure::InvalidAnswer);
        }
        let answer = answer.found.then(|| Arc::new(answer.attributes));
        state.cache.put(key.to_vec(), answer.clone(), now);
        found(answer)
    }

    fn named(&self, key: &[String]) -> Key {
        let names = self.key.iter().map(|field| field.name.to_owned());
        Key { fields: names.zip(key.iter().cloned()).collect() }
    }

    /// What it is like: a message, and where something is wrong whether it has failed or only may.
    pub fn health(&self) -> Result<String, (String, bool)> {
        let state = self.state();
        let cached = state.cache.len();
        match (state.circuit.state(), &state.failed) {
            (State::Open | State::Trying, why) => {
                let (why, open) = (why.as_deref().unwrap_or("the last call failed"), self.circuit_open);
                Err((
                    format!("the circuit breaker is open, one call every {open:?}: {why}; {cached} keys cached"),
                    true,
                ))
            }
            (State::Closed, Some(why)) => Err((format!("the last call failed: {why}; {cached} keys cached"), false)),
            (State::Closed, None) if state.asked => Ok(format!("answers; {cached} keys cached")),
            (State::Closed, None) => Ok("not called yet".to_owned()),
        }
    }

    fn state(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn found(answer: Option<Attributes>) -> Found {
    answer.map_or(Found::Nothing, Found::Attributes)
}

/// What a failed call means. The client itself says `OutOfRange` where the message is too large.
fn failure(status: &Status) -> (StepFailure, String) {
    let failure = match status.code() {
        Code::DeadlineExceeded | Code::Cancelled => StepFailure::TimedOut,
        Code::OutOfRange => StepFailure::InvalidAnswer,
        _ => StepFailure::Unavailable,
    };
    (failure, format!("{:?}: {}", status.code(), status.message()))
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
