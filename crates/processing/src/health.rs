//! What processing says about itself.

use std::time::Duration;

use bus::{Bus, ConsumerState};
use common::few::few;
use service::{Action, CheckHandle, CheckSpec, Health};
use stage::{ClaimChecks, LogChecks, Progress, Retention};

use crate::STAGE;
use crate::storm::Weather;

/// The checks of the stage.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    pub(crate) log: LogChecks,
    pub(crate) claims: ClaimChecks,
    progress: Progress,
    retention: Retention,
    registrations: CheckHandle,
    storm: CheckHandle,
    endpoint: CheckHandle,
}

impl Checks {
    pub(crate) fn new(health: &Health, stalled_after: Duration) -> Self {
        let check = |name, gates_readiness| {
            health.check(CheckSpec { name, action: Action::Page, gates_readiness, unit: "", threshold: None })
        };
        let checks = Self {
            log: LogChecks::new(health, ["processing_log", "processing_topics", "processing_topic_settings"]),
            claims: ClaimChecks::new(
                health,
                "processing_claims",
                "processing_claims_reach",
                "topics and registrations come",
            ),
            progress: Progress::new(health, "processing_progress", "processing_partitions", stalled_after),
            retention: Retention::new(health, "processing_retention", STAGE),
            registrations: check("processing_registrations", true),
            storm: check("processing_dead_letter_storm", false),
            endpoint: check("processing_endpoint_dead_letters", false),
        };
        checks.storm.ok("no storm");
        checks.endpoint.ok("no endpoint sends mostly unreadable deliveries");
        checks
    }

    pub(crate) fn weather(&self, weather: &Weather) {
        match weather {
            Weather::Calm => {
                self.storm.ok("no storm");
                self.endpoint.ok("no endpoint sends mostly unreadable deliveries");
            }
            Weather::Endpoint { endpoint, ratio } => self.endpoint.fail(format!(
                "{:.0}% of what endpoint {endpoint:?} delivers is unreadable and becomes dead letters",
                ratio * 100.0
            )),
            Weather::Storm { ratio, endpoints } => self.storm.fail(format!(
                "stopped: {:.0}% of the deliveries of {} endpoints cannot be read ({}), probably because of a bug in \
                 this version; the input is untouched: look at the dead letters, then restart with a version that can \
                 read it",
                ratio * 100.0,
                endpoints.len(),
                few(endpoints, ", "),
            )),
        }
    }

    pub(crate) fn registrations_reading(&self) {
        self.registrations.unknown("the registrations topic has not been read to its end yet: nothing is consumed");
    }

    pub(crate) fn registrations_read(&self, endpoints: usize, accounts: usize) {
        self.registrations.ok(format!("{endpoints} endpoints and {accounts} accounts"));
    }

    /// Looks at the consumers all the time.
    pub(crate) async fn watch_consumers(
        &self,
        bus: &Bus,
        consumers: &[(&'static str, ConsumerState)],
        every: Duration,
    ) {
        let states: Vec<_> = consumers.iter().map(|(_, state)| state.clone()).collect();
        tokio::join!(self.progress.watch(consumers, every), self.retention.watch(bus, &states));
    }
}
