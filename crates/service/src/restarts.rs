//! Restarts of a service within its process: who wants one asks whoever runs the services.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

/// Is told when the service runs again.
pub type RunsAgain = oneshot::Sender<()>;

/// The services of a process that can be ended and run again while the others go on.
#[derive(Debug, Default)]
pub struct Restarts {
    services: Mutex<BTreeMap<String, mpsc::Sender<RunsAgain>>>,
}

/// Why a service was not restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRestarted {
    /// Nobody offers it.
    #[error("it cannot be restarted within this process")]
    NotOffered,
    /// It is being restarted, or has ended.
    #[error("it is being restarted, or has ended")]
    Busy,
    /// The process is ending.
    #[error("it did not run again: its process is ending")]
    Ended,
}

impl Restarts {
    /// This service can be restarted: whoever runs it is asked here.
    pub fn offer(&self, service: &str) -> mpsc::Receiver<RunsAgain> {
        let (ask, asked) = mpsc::channel(1);
        self.services.lock().unwrap_or_else(PoisonError::into_inner).insert(service.to_owned(), ask);
        asked
    }

    /// Whether it is offered.
    #[must_use]
    pub fn can(&self, service: &str) -> bool {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).contains_key(service)
    }

    /// Ends the service, and waits until it runs again.
    ///
    /// # Errors
    /// Where it was not restarted.
    pub async fn restart(&self, service: &str) -> Result<(), NotRestarted> {
        let (runs_again, again) = oneshot::channel();
        let ask = self.services.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned();
        ask.ok_or(NotRestarted::NotOffered)?.try_send(runs_again).map_err(|_| NotRestarted::Busy)?;
        again.await.map_err(|_| NotRestarted::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_offers_is_asked_once_at_a_time() {
        let restarts = Restarts::default();
        assert_eq!(restarts.restart("loader").await, Err(NotRestarted::NotOffered));
        let mut asked = restarts.offer("loader");
        assert!(restarts.can("loader") && !restarts.can("processing"));
        let waits = restarts.restart("loader");
        let others = async {
            tokio::task::yield_now().await;
            assert_eq!(restarts.restart("loader").await, Err(NotRestarted::Busy), "one is waiting");
            asked.recv().await.unwrap().send(()).unwrap();
        };
        assert_eq!(tokio::join!(waits, others).0, Ok(()));
        let waits = restarts.restart("loader");
        let ends = async { drop(asked.recv().await) };
        assert_eq!(tokio::join!(waits, ends).0, Err(NotRestarted::Ended));
    }
}
