//! What processing says about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::claims::ClaimsState;
use bus::{Bus, ConsumerState, Error, Lag, Producer, Reach, Stalls, TopicProblem};
use service::{Action, CheckHandle, CheckSpec, Health};
use tokio_util::sync::CancellationToken;

use crate::pipeline::{STAGE, Shared};
use crate::storm::Weather;

/// How far back the claims reach changes slowly, and some are read for it.
const REACH_INTERVAL: Duration = Duration::from_secs(15);

/// The checks of the stage.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    log: CheckHandle,
    topics: CheckHandle,
    registrations: CheckHandle,
    claims: CheckHandle,
    /// The last claim failed. Only one that succeeds proves the contrary: a store that fails may call itself ready.
    claim_failed: Arc<AtomicBool>,
    claims_reach: CheckHandle,
    progress: CheckHandle,
    partitions: CheckHandle,
    storm: CheckHandle,
    endpoint: CheckHandle,
}

impl Checks {
    pub(crate) fn new(health: &Health, stalled_after: Duration) -> Self {
        let check = |name, action, gates_readiness| {
            health.check(CheckSpec { name, action, gates_readiness, unit: "", threshold: None })
        };
        let progress = health.check(CheckSpec {
            name: "processing_progress",
            action: Action::Page,
            gates_readiness: false,
            unit: "seconds",
            threshold: Some(stalled_after.as_secs_f64()),
        });
        let claims_reach = health.check(CheckSpec {
            name: "processing_claims_reach",
            action: Action::Ticket,
            gates_readiness: false,
            unit: "days",
            threshold: None,
        });
        let checks = Self {
            log: check("processing_log", Action::Page, true),
            topics: check("processing_topics", Action::Page, true),
            registrations: check("processing_registrations", Action::Page, true),
            claims: check("processing_claims", Action::Page, true),
            claim_failed: Arc::default(),
            claims_reach,
            progress,
            partitions: check("processing_partitions", Action::Page, false),
            storm: check("processing_dead_letter_storm", Action::Page, false),
            endpoint: check("processing_endpoint_dead_letters", Action::Page, false),
        };
        checks.claims_reach.unknown("waiting for the store");
        checks.claims.unknown("waiting for the store: topics and registrations come first");
        checks.storm.ok("no storm");
        checks.endpoint.ok("no endpoint sends mostly what cannot be read");
        checks
    }

    pub(crate) fn weather(&self, weather: &Weather) {
        match weather {
            Weather::Calm => {
                self.storm.ok("no storm");
                self.endpoint.ok("no endpoint sends mostly what cannot be read");
            }
            Weather::Endpoint { endpoint, ratio } => self.endpoint.fail(format!(
                "{:.0}% of what endpoint {endpoint:?} delivers cannot be read and goes to the dead letters",
                ratio * 100.0
            )),
            Weather::Storm { ratio, endpoints } => self.storm.fail(format!(
                "stopped: {:.0}% of the deliveries of {} endpoints cannot be read ({}), which looks like a mistake of \
                 this version; the input is untouched: look at the dead letters, start again with a version that can",
                ratio * 100.0,
                endpoints.len(),
                endpoints.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", "),
            )),
        }
    }

    pub(crate) fn claims_ok(&self) {
        self.claim_failed.store(false, Ordering::Relaxed);
        self.claims.ok("answers");
    }

    pub(crate) fn claims_failed(&self, error: &Error) {
        self.claim_failed.store(true, Ordering::Relaxed);
        self.claims.fail(format!("{error}; nothing is emitted until it answers, else duplicates would pass"));
    }

    pub(crate) fn topics(&self, outcome: &Result<Vec<TopicProblem>, Error>) {
        match outcome {
            Err(error) => self.topics.fail(error.to_string()),
            Ok(problems) if problems.is_empty() => self.topics.ok("all there"),
            Ok(problems) => {
                let text: Vec<String> =
                    problems.iter().map(|problem| format!("{}: {}", problem.topic, problem.problem)).collect();
                let text = text.join("; ");
                if problems.iter().any(|problem| problem.blocks) {
                    self.topics.fail(text);
                } else {
                    self.topics.warn(text);
                }
            }
        }
    }

    pub(crate) fn registrations_reading(&self) {
        self.registrations.unknown("the registrations topic has not been read to its end yet: nothing is consumed");
    }

    pub(crate) fn registrations_read(&self, endpoints: usize, accounts: usize) {
        self.registrations.ok(format!("{endpoints} endpoints and {accounts} accounts"));
    }

    /// Looks at the log until it is cancelled.
    pub(crate) async fn watch_log(&self, bus: &Bus, producer: &Producer, every: Duration, shutdown: CancellationToken) {
        let limit = every.max(Duration::from_secs(2));
        let look = async {
            loop {
                let state = producer.state();
                match (bus.ping(limit).await, state.fatal) {
                    (Err(error), _) => self.log.fail(error.to_string()),
                    (Ok(()), Some(fatal)) => self.log.warn(format!("answers; the producer was built anew: {fatal}")),
                    (Ok(()), None) => self.log.ok("answers"),
                }
                metrics::gauge!("weir_producer_in_flight_records", "stage" => STAGE)
                    .set(state.in_flight_records as f64);
                metrics::gauge!("weir_producer_in_flight_bytes", "stage" => STAGE).set(state.in_flight_bytes as f64);
                tokio::time::sleep(every).await;
            }
        };
        let _ = shutdown.run_until_cancelled(look).await;
    }

    /// Looks at the consumers and the claims' store until it is cancelled.
    pub(crate) async fn watch_stage(
        &self,
        consumers: &[(&'static str, ConsumerState)],
        shared: &Shared,
        every: Duration,
        stalled_after: Duration,
        shutdown: CancellationToken,
    ) {
        let mut stalls = vec![Stalls::default(); consumers.len()];
        let look = async {
            loop {
                self.look_at(consumers, &mut stalls, stalled_after);
                // Also where nothing comes any more: what was seen leaves the window. A storm is for the lanes to see.
                match shared.weather() {
                    Weather::Storm { .. } => {}
                    weather if !shared.stop.is_cancelled() => self.weather(&weather),
                    _ => {}
                }
                let (endpoints, accounts) = shared.view.with(common::registrations::Registrations::len);
                self.registrations_read(endpoints, accounts);
                self.claims_state(shared.claims.state());
                tokio::time::sleep(every).await;
            }
        };
        let reach = async {
            loop {
                self.reach(&shared.claims.reach(STAGE).await);
                tokio::time::sleep(every.max(REACH_INTERVAL)).await;
            }
        };
        let _ = shutdown.run_until_cancelled(async { tokio::join!(look, reach) }).await;
    }

    /// A redelivery that the claims have lost comes out twice: somebody should know, and need not be woken.
    fn reach(&self, reach: &Result<Reach, Error>) {
        let reach = match reach {
            Ok(reach) => reach,
            Err(error) => return self.claims_reach.unknown(error.to_string()),
        };
        self.claims_reach.value(reach.days());
        match (reach.lost(), reach.risk()) {
            (Some(lost), _) => self.claims_reach.fail(format!("{lost}; {reach}")),
            (None, Some(risk)) => self.claims_reach.warn(format!("{risk}; {reach}")),
            (None, None) => self.claims_reach.ok(reach.to_string()),
        }
    }

    fn claims_state(&self, state: ClaimsState) {
        match state {
            ClaimsState::Ready if self.claim_failed.load(Ordering::Relaxed) => {}
            ClaimsState::Ready => self.claims.ok("answers"),
            ClaimsState::Away { reason } => self.claims.fail(format!(
                "the store does not answer ({reason}); nothing is emitted until it does, else duplicates would pass"
            )),
            ClaimsState::Emptied => {
                self.claims.fail("the store was emptied: its claims are rebuilt from what came out");
            }
        }
    }

    /// A consumer can stop without a word: what counts is whether it gets on while there is work.
    fn look_at(&self, consumers: &[(&'static str, ConsumerState)], stalls: &mut [Stalls], stalled_after: Duration) {
        let mut longest: Option<(Lag, Duration)> = None;
        let mut message = Vec::new();
        let mut stopped = Vec::new();
        for ((lane, state), stalls) in consumers.iter().zip(stalls) {
            let lag = state.total_lag();
            metrics::gauge!("weir_lag_records", "stage" => STAGE, "lane" => *lane).set(lag as f64);
            let partitions = state.assignment().len();
            message.push(format!("{lane}: {lag} records waiting in {partitions} partitions"));
            longest =
                stalls.longest(state.lag(), Instant::now()).into_iter().chain(longest).max_by_key(|(_, since)| *since);
            for partition in state.stopped() {
                stopped.push(format!("{}/{}: {}", partition.topic, partition.partition, partition.reason));
            }
        }
        let message = message.join(", ");
        self.progress.value(longest.as_ref().map_or(0.0, |(_, since)| since.as_secs_f64()));
        match longest {
            Some((at, since)) if since >= stalled_after => self.progress.fail(format!(
                "{message}, and nothing of {}/{} is done for {} s, where {} wait",
                at.topic,
                at.partition,
                since.as_secs(),
                at.records
            )),
            _ => self.progress.ok(message),
        }
        if stopped.is_empty() {
            self.partitions.ok("none stands still");
        } else {
            self.partitions.fail(stopped.join("; "));
        }
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
