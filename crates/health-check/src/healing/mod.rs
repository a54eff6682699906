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
//! * `remedy`: what every remedy can do; `deployments`: restarts a stage by the API of Kubernetes; `here`: within this process
//! * `healer`: after each round, all of that
//! * `audit`: what was done, and what somebody has to look at
//!
//! No remedy resets offsets, removes dead letters or elects a leader that may have lost records.

pub(crate) mod audit;
mod deployments;
mod healer;
mod here;
mod policy;
mod reason;
mod remedy;
pub mod settings;

use std::sync::Arc;

use common::time::to_millis;
use service::{Action, CheckHandle, CheckSpec, Host, clock};
use tokio::sync::watch;

use self::audit::Audit;
use self::deployments::Deployments;
use self::healer::{Case, Healer};
use self::here::Here;
use self::remedy::Remedy;
use self::settings::HealingSettings;
use crate::collector::Known;

/// Heals after each round, beside the rounds: what does not answer holds up none of them.
pub(crate) struct Healing {
    healer: Healer,
    audit: Audit,
    known: Known,
    check: Option<CheckHandle>,
    rounds: watch::Receiver<()>,
}

impl Healing {
    /// Ready to heal; none: it is off. `rounds` tells that there was another round.
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
        metrics::describe_counter!(
            "weir_healing_attempts_total",
            "attempts to heal without a person, by what came of them"
        );
        let is_here = host.held().is_some();
        // In one process with the stages the check would be one of each of them. There the alert says the same.
        let check = (!is_here).then(|| {
            host.health().check(CheckSpec {
                name: "health_check_healing",
                action: Action::Ticket,
                gates_readiness: false,
                unit: "",
                threshold: None,
            })
        });
        let started_ms = to_millis(&clock::timestamp());
        let restart: Arc<dyn Remedy> =
            if is_here { Arc::new(Here(host.clone())) } else { Arc::new(Deployments::new(&settings.kubernetes)) };
        let case = |stage: &String| Case::new(Arc::clone(&restart), stage, reason::stalled, started_ms);
        let cases = settings.stages.iter().map(case).collect();
        let healer = Healer::new(cases, settings.pacing(), settings.dry_run, audit.clone());
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
        let Some(check) = &self.check else { return };
        match self.audit.problems().as_slice() {
            [] => check.ok("nothing that a person has to do"),
            problems => check.fail(common::few::few(problems, "; ")),
        }
    }
}
