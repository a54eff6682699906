//! The hold on a consumed record.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::Error;

/// How everything that came of a record ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckOutcome {
    /// All outputs are durable.
    Completed,
    /// At least one failed, or was forgotten.
    Failed,
}

/// Is told once, when the last hold on a record has ended.
pub(crate) trait Settle: Send + Sync {
    /// `why`: what the first output that failed says; none where it was forgotten.
    fn settle(&self, outcome: AckOutcome, why: Option<&str>);
}

/// Holds a consumed record until all its outputs are durable.
///
/// Cloning counts one more output. Each clone must end in [`complete`](Self::complete) or [`fail`](Self::fail); one
/// that is dropped without either counts as failed. When the last one has ended, the record is done, or failed if any
/// did: then its offset is not stored, the consumer goes back to it, and it comes again.
#[must_use = "dropping an ack fails its record"]
#[derive(Debug)]
pub struct Ack {
    /// None: nothing waits for it, or it has ended.
    hold: Option<Arc<Hold>>,
}

struct Hold {
    ends: AtomicUsize,
    failed: AtomicBool,
    why: OnceLock<Box<str>>,
    settle: Box<dyn Settle>,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").field("ends", &self.ends).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Ack {
    pub(crate) fn new(settle: impl Settle + 'static) -> Self {
        let hold = Hold {
            ends: AtomicUsize::new(1),
            failed: AtomicBool::new(false),
            why: OnceLock::new(),
            settle: Box::new(settle),
        };
        Self { hold: Some(Arc::new(hold)) }
    }

    /// One output is durable, or there was nothing to put out.
    pub fn complete(mut self) {
        self.end(true);
    }

    /// One output could not be made durable.
    pub fn fail(mut self, why: &Error) {
        self.fail_for(&why.to_string());
    }

    /// For what is produced without a source record.
    pub fn none() -> Self {
        Self { hold: None }
    }

    /// The same hold, which also tells `ended` how everything ended, when it has. To be taken before it is cloned.
    pub fn watched(self, ended: impl FnOnce(AckOutcome) + Send + 'static) -> Self {
        struct Watched<F>(std::sync::Mutex<Option<(Ack, F)>>);
        impl<F: FnOnce(AckOutcome) + Send> Settle for Watched<F> {
            fn settle(&self, outcome: AckOutcome, why: Option<&str>) {
                let watched = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                let Some((mut ack, ended)) = watched else { return };
                // Told first: whoever sees the record done sees what was told.
                ended(outcome.clone());
                match why {
                    Some(why) => ack.fail_for(why),
                    None => ack.end(outcome == AckOutcome::Completed),
                }
            }
        }
        Self::new(Watched(std::sync::Mutex::new(Some((self, ended)))))
    }

    /// An ack whose outcome a test can wait for.
    pub fn testing() -> (Self, oneshot::Receiver<AckOutcome>) {
        struct Tell(std::sync::Mutex<Option<oneshot::Sender<AckOutcome>>>);
        impl Settle for Tell {
            fn settle(&self, outcome: AckOutcome, _why: Option<&str>) {
                let mut sender = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some(sender) = sender.take() {
                    // A test that does not look does not need to know.
                    let _ = sender.send(outcome);
                }
            }
        }
        let (sender, receiver) = oneshot::channel();
        (Self::new(Tell(std::sync::Mutex::new(Some(sender)))), receiver)
    }

    fn fail_for(&mut self, why: &str) {
        if let Some(hold) = &self.hold {
            // Others that fail later do so for the same reason, most likely.
            let _ = hold.why.set(why.into());
        }
        self.end(false);
    }

    fn end(&mut self, well: bool) {
        let Some(hold) = self.hold.take() else { return };
        if !well {
            hold.failed.store(true, Ordering::Release);
        }
        if hold.ends.fetch_sub(1, Ordering::AcqRel) == 1 {
            let failed = hold.failed.load(Ordering::Acquire);
            let why = hold.why.get().map(AsRef::as_ref);
            hold.settle.settle(if failed { AckOutcome::Failed } else { AckOutcome::Completed }, why);
        }
    }
}

impl Clone for Ack {
    fn clone(&self) -> Self {
        if let Some(hold) = &self.hold {
            hold.ends.fetch_add(1, Ordering::AcqRel);
        }
        Self { hold: self.hold.clone() }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        self.end(false);
    }
}

#[cfg(test)]
#[path = "ack_tests.rs"]
mod tests;
