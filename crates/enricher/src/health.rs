//! What the enricher says about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::claims::ClaimsState;
use bus::{Bus, ConsumerState, Error, Producer, Reach, Stalls, TopicProblem};
use lake::Lake;
use service::{Action, CheckHandle, CheckSpec, Health};
use tokio_util::sync::CancellationToken;

use crate::STAGE;
use crate::pipeline::Shared;

/// A store in a cloud is asked no more often than this: each question costs.
const LAKE_INTERVAL: Duration = Duration::from_secs(15);

/// How far back the claims reach changes slowly, and some are read for it.
const REACH_INTERVAL: Duration = Duration::from_secs(15);

/// The checks of the stage. Those of the steps are with the steps.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    log: CheckHandle,
    topics: CheckHandle,
    claims: CheckHandle,
    /// The last claim failed. Only one that succeeds proves the contrary: a store that fails may call itself ready.
    claim_failed: Arc<AtomicBool>,
    claims_reach: CheckHandle,
    progress: CheckHandle,
    partitions: CheckHandle,
    lake: CheckHandle,
    /// The last file was not taken, which a store that answers questions does not disprove.
    put_failed: Arc<AtomicBool>,
    requests: CheckHandle,
}

impl Checks {
    pub(crate) fn new(health: &Health, stalled_after: Duration) -> Self {
        let check = |name, gates_readiness| {
            health.check(CheckSpec { name, action: Action::Page, gates_readiness, unit: "", threshold: None })
        };
        let progress = health.check(CheckSpec {
            name: "enricher_progress",
            action: Action::Page,
            gates_readiness: false,
            unit: "seconds",
            threshold: Some(stalled_after.as_secs_f64()),
        });
        let claims_reach = health.check(CheckSpec {
            name: "enricher_claims_reach",
            action: Action::Ticket,
            gates_readiness: false,
            unit: "days",
            threshold: None,
        });
        let checks = Self {
            log: check("enricher_log", true),
            topics: check("enricher_topics", true),
            claims: check("enricher_claims", true),
            claim_failed: Arc::default(),
            claims_reach,
            progress,
            partitions: check("enricher_partitions", false),
            lake: check("enricher_lake", false),
            put_failed: Arc::default(),
            requests: check("enricher_load_requests", false),
        };
        checks.claims_reach.unknown("waiting for the store");
        checks.claims.unknown("waiting for the store: the topics come first");
        checks.requests.ok("none failed");
        checks
    }

    pub(crate) fn claims_ok(&self) {
        self.claim_failed.store(false, Ordering::Relaxed);
        self.claims.ok("answers");
    }

    pub(crate) fn claims_failed(&self, error: &Error) {
        self.claim_failed.store(true, Ordering::Relaxed);
        self.claims.fail(format!("{error}; nothing is emitted until it answers, else duplicates would pass"));
    }

    pub(crate) fn lake_ok(&self) {
        self.put_failed.store(false, Ordering::Relaxed);
        self.lake.ok("takes files");
    }

    pub(crate) fn lake_failed(&self, error: &str) {
        self.put_failed.store(true, Ordering::Relaxed);
        self.lake.fail(format!("a file was not taken: {error}; the input is held and comes to no harm"));
    }

    pub(crate) fn request_ok(&self) {
        self.requests.ok("the last one was acknowledged");
    }

    pub(crate) fn request_failed(&self, error: &str) {
        self.requests.fail(format!("a load request is not acknowledged: {error}; the input is held"));
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

    /// Looks at the log and the lake until it is cancelled.
    pub(crate) async fn watch_stores(
        &self,
        bus: &Bus,
        producer: &Producer,
        lake: &Lake,
        every: Duration,
        until: CancellationToken,
    ) {
        let limit = every.max(Duration::from_secs(2));
        let log = async {
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
        let lake = async {
            loop {
                match lake.ping().await {
                    Err(error) => self.lake.fail(format!("{error}; the input is held")),
                    Ok(()) if self.put_failed.load(Ordering::Relaxed) => {}
                    Ok(()) => self.lake.ok("answers"),
                }
                tokio::time::sleep(every.max(LAKE_INTERVAL)).await;
            }
        };
        let _ = until.run_until_cancelled(async { tokio::join!(log, lake) }).await;
    }

    /// Looks at the consumer and the claims' store until it is cancelled.
    pub(crate) async fn watch_stage(
        &self,
        consumer: &ConsumerState,
        shared: &Shared,
        every: Duration,
        stalled_after: Duration,
        until: CancellationToken,
    ) {
        let mut stalls = Stalls::default();
        let look = async {
            loop {
                self.look_at(consumer, &mut stalls, stalled_after);
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
        let _ = until.run_until_cancelled(async { tokio::join!(look, reach) }).await;
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
                self.claims.fail("the store was emptied: its claims are rebuilt from what came out")
            }
        }
    }

    /// A consumer can stop without a word: what counts is whether it gets on while there is work.
    fn look_at(&self, consumer: &ConsumerState, stalls: &mut Stalls, stalled_after: Duration) {
        let (lag, partitions) = (consumer.total_lag(), consumer.assignment().len());
        metrics::gauge!("weir_lag_records", "stage" => STAGE).set(lag as f64);
        let longest = stalls.longest(consumer.lag(), Instant::now());
        self.progress.value(longest.as_ref().map_or(0.0, |(_, since)| since.as_secs_f64()));
        let message = format!("{lag} records waiting or held in {partitions} partitions");
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
        let stopped: Vec<String> = consumer
            .stopped()
            .iter()
            .map(|partition| format!("{}/{}: {}", partition.topic, partition.partition, partition.reason))
            .collect();
        if stopped.is_empty() {
            self.partitions.ok("none stands still");
        } else {
            self.partitions.fail(stopped.join("; "));
        }
    }
}
