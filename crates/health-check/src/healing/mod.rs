//! What is done without a person, where that is allowed: a stage that stands still is restarted.
//!
//! ```text
//! view of a round ─▶ reason ─▶ policy ─▶ remedy: look, then apply ─▶ audit ─▶ page, JSON, alerts, metrics, log
//!                    (pure)    (pure)
//! ```
//!
//! * [`settings`]: what can be set; it is off unless it is set
//! * `reason`: what a remedy can help against, and what it cannot
//! * `policy`: when it may be applied, how often, and when it is given up
//! * `remedy`: what every remedy can do; `deployments`: restarts a stage by the API of Kubernetes
//! * `healer`: after each round, all of that
//! * `audit`: what was done, and what somebody has to look at
//!
//! No remedy resets offsets, removes dead letters or elects a leader that may have lost records.

pub(crate) mod audit;
mod deployments;
mod healer;
mod policy;
mod reason;
mod remedy;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use common::time::to_millis;
use service::{Action, CheckHandle, CheckSpec, Host, clock};
use tokio::sync::watch;

use self::audit::Audit;
use self::deployments::Deployments;
use self::healer::{Case, Healer};
use self::settings::HealingSettings;
use crate::collector::Known;

/// For one request to whoever can heal.
const LIMIT: Duration = Duration::from_secs(10);

/// Heals after each round, beside the rounds: what does not answer holds up none of them.
pub(crate) struct Healing {
    healer: Healer,
    audit: Audit,
    known: Known,
    check: CheckHandle,
    rounds: watch::Receiver<()>,
}

impl Healing {
    /// Where each stage is a process of its own; none: it is off. `rounds` tells that there was another round.
    ///
    pub(crate) fn open(
        settings: &HealingSettings,
        known: Known,
        host: &Host,
        audit: Audit,
        rounds: watch::Receiver<()>,
    ) -> Option<Self> {
        if !settings.enabled {
            return None;
        }
        if host.held().is_some() {
            tracing::warn!("health_check.healing does nothing in a process with all services");
            return None;
        }
        metrics::describe_counter!(
            "weir_healing_attempts_total",
            "attempts to heal without a person, by what came of them"
        );
        let check = host.health().check(CheckSpec {
            name: "health_check_healing",
            action: Action::Ticket,
            gates_readiness: false,
            unit: "",
            threshold: None,
        });
        let started_ms = to_millis(&clock::timestamp());
        let restart = Arc::new(Deployments::new(&settings.kubernetes));
        let case = |stage: &String| Case::new(restart.clone(), stage, reason::stalled, started_ms);
        let cases = settings.stages.iter().map(case).collect();
        let healer = Healer::new(cases, settings.pacing(), settings.dry_run, audit.clone(), LIMIT);
        Some(Self { healer, audit, known, check, rounds })
    }

    /// Until there are no more rounds.
    pub(crate) async fn run(mut self) {
        self.tell();
        while self.rounds.changed().await.is_ok() {
            let view = self.known.view();
            self.healer.round(&view, to_millis(&clock::timestamp())).await;
            self.tell();
        }
    }

    fn tell(&self) {
        match self.audit.problems().as_slice() {
            [] => self.check.ok("nothing that a person has to do"),
            problems => self.check.fail(common::few::few(problems, "; ")),
        }
    }
}
