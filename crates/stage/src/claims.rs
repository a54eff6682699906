//! The claims of a stage.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::claims::ClaimsState;
use bus::{Claim, Claims, Coordinates, Error, Reach, Verdict};
use common::backoff::Backoff;
use service::{Action, CheckHandle, CheckSpec, Health};
use tokio::sync::Mutex;

use crate::RETRY;
use crate::rebuild::Outputs;

/// The claims' store answers one pipeline of at most so many.
const AT_ONCE: usize = 2000;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// After which a store that is waited for at the start is told.
const OPEN_WITHIN: Duration = Duration::from_secs(5);
/// How far back the claims reach changes slowly, and some are read for it.
const REACH_INTERVAL: Duration = Duration::from_secs(15);

/// What a stage says of its claims: it is not ready without them.
#[derive(Debug, Clone)]
pub struct ClaimChecks {
    claims: CheckHandle,
    /// The last claim failed. Only one that succeeds proves the contrary: a store that fails may call itself ready.
    failed: Arc<AtomicBool>,
    reach: CheckHandle,
}

impl ClaimChecks {
    /// Checks of these names. `waiting`: what comes before the claims, for the message until then.
    #[must_use]
    pub fn new(health: &Health, claims: &'static str, reach: &'static str, waiting: &str) -> Self {
        let check = |name, action, gates_readiness, unit| {
            health.check(CheckSpec { name, action, gates_readiness, unit, threshold: None })
        };
        let checks = Self {
            claims: check(claims, Action::Page, true, ""),
            failed: Arc::default(),
            reach: check(reach, Action::Ticket, false, "days"),
        };
        checks.claims.unknown(format!("waiting for the store: {waiting} first"));
        checks.reach.unknown("waiting for the store");
        checks
    }

    fn answered(&self) {
        self.failed.store(false, Ordering::Relaxed);
        self.claims.ok("answers");
    }

    fn failed(&self, error: &Error) {
        self.failed.store(true, Ordering::Relaxed);
        self.claims.fail(format!("{error}; nothing is emitted until the store answers: duplicates would pass"));
    }

    fn state(&self, state: ClaimsState) {
        match state {
            ClaimsState::Ready if self.failed.load(Ordering::Relaxed) => {}
            ClaimsState::Ready => self.claims.ok("answers"),
            ClaimsState::Away { reason } => self.claims.fail(format!(
                "the store is unavailable ({reason}); nothing is emitted until it answers: duplicates would pass"
            )),
            ClaimsState::Emptied => {
                self.claims.fail("the store was emptied: its claims are being rebuilt from the outputs");
            }
        }
    }

    /// A redelivery that the claims have lost comes out twice: somebody should know, and need not be woken.
    fn reach(&self, reach: &Result<Reach, Error>) {
        let reach = match reach {
            Ok(reach) => reach,
            Err(error) => return self.reach.unknown(error.to_string()),
        };
        self.reach.value(reach.days());
        match (reach.lost(), reach.risk()) {
            (Some(lost), _) => self.reach.fail(format!("{lost}; {reach}")),
            (None, Some(risk)) => self.reach.warn(format!("{risk}; {reach}")),
            (None, None) => self.reach.ok(reach.to_string()),
        }
    }
}

/// The claims of a stage, which waits for them as long as it takes: what it emits without them could be a duplicate.
#[derive(Debug)]
pub struct StageClaims {
    stage: &'static str,
    claims: Claims,
    outputs: Outputs,
    checks: ClaimChecks,
    /// Held by whoever rebuilds them.
    rebuilding: Mutex<()>,
}

impl StageClaims {
    /// Waits for the store, and for the claims to be in it.
    pub async fn open(stage: &'static str, outputs: Outputs, checks: ClaimChecks) -> Self {
        let claims = loop {
            let mut opening = pin!(outputs.bus.claims());
            let opened = loop {
                match tokio::time::timeout(OPEN_WITHIN, &mut opening).await {
                    Ok(opened) => break opened,
                    Err(_) => checks.claims.fail("the store does not answer yet: see the log of the service"),
                }
            };
            match opened {
                Ok(claims) => break claims,
                Err(error) => checks.failed(&error),
            }
            tokio::time::sleep(RETRY).await;
        };
        // Where nothing came out yet this is soon done. Another instance may be at it: each does it for itself, because
        // what the other has not finished cannot be told from what it never will.
        while claims.is_new() {
            match outputs.rebuild(stage, &claims).await {
                Ok(entered) => {
                    tracing::info!(entered, "the claims' store was incomplete and was rebuilt from the outputs");
                    break;
                }
                Err(error) => checks.failed(&error),
            }
            tokio::time::sleep(RETRY).await;
        }
        checks.answered();
        Self { stage, claims, outputs, checks, rebuilding: Mutex::new(()) }
    }

    /// A verdict for each. The store is waited for within; health says that it is away.
    pub async fn claim(&self, claims: &[Claim<'_>]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(claims.len());
        for part in claims.chunks(AT_ONCE) {
            verdicts.append(&mut self.claim_part(part).await);
        }
        verdicts
    }

    async fn claim_part(&self, part: &[Claim<'_>]) -> Vec<Verdict> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let started = Instant::now();
            match self.claims.claim(self.stage, part).await {
                Ok(verdicts) => {
                    metrics::histogram!("weir_claims_seconds", "stage" => self.stage).record(started.elapsed());
                    self.checks.answered();
                    return verdicts;
                }
                Err(error) => {
                    self.checks.failed(&error);
                    if matches!(error, Error::ClaimsEmptied { .. }) {
                        tracing::error!(stage = self.stage, %error, "rebuilding the claims from the outputs");
                        self.rebuild().await;
                    } else {
                        tracing::debug!(%error, "the claims' store failed, retrying");
                    }
                }
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    /// An attempt that fails is logged, and the caller comes again.
    async fn rebuild(&self) {
        let _only = self.rebuilding.lock().await;
        match self.outputs.rebuild(self.stage, &self.claims).await {
            Ok(claims) => tracing::warn!(claims, "the claims have been rebuilt from the outputs"),
            Err(error) => tracing::warn!(stage = self.stage, %error, "the claims could not be rebuilt yet, retrying"),
        }
    }

    /// Gives back the claim of what the log refused for good: else it would pass for a duplicate when it is replayed.
    ///
    /// # Errors
    /// The store does not answer, and health says so.
    pub async fn release(&self, claim: &Claim<'_>) -> Result<(), Error> {
        let released = self.claims.release(self.stage, claim).await;
        if let Err(error) = &released {
            self.checks.failed(error);
        }
        released
    }

    /// Gives back what was claimed at these places: records that the one of the claims stands for, and whose attempts
    /// may have ended between claim and output. What such an attempt did put out comes out once more, as after any crash;
    /// what was restored from outputs stays claimed. Waits for the store.
    pub async fn take_over(&self, claims: impl Iterator<Item = Claim<'_>>, places: &[Coordinates]) {
        for claim in claims {
            for at in places {
                let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
                while let Err(error) = self.release(&Claim { at, ..claim }).await {
                    if matches!(error, Error::ClaimsEmptied { .. }) {
                        // Nothing is held there, and whoever claims next sees to it.
                        return;
                    }
                    tokio::time::sleep(backoff.pause()).await;
                }
            }
        }
    }

    /// Looks at the store, and at how far back the claims reach, for ever.
    pub async fn watch(&self, every: Duration) {
        self.checks.claims.every(every);
        self.checks.reach.every(every.max(REACH_INTERVAL));
        let state = async {
            loop {
                self.checks.state(self.claims.state());
                tokio::time::sleep(every).await;
            }
        };
        let reach = async {
            loop {
                self.checks.reach(&self.claims.reach(self.stage).await);
                tokio::time::sleep(every.max(REACH_INTERVAL)).await;
            }
        };
        tokio::join!(state, reach);
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
