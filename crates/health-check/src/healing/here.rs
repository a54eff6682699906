//! Restarts a service within this process, where all services are in it.

use std::time::Duration;

use futures_util::future::BoxFuture;
use service::Host;
use service::restarts::NotRestarted;

use super::remedy::{NotApplied, Remedy, Seen};

/// Beside what the service gets to end what it has begun.
const SPARE: Duration = Duration::from_secs(10);

/// The services of this process. There is one health-check in it, and what it did ends with it: after a start of the process it
/// waits for a whole pause.
#[derive(Debug)]
pub(super) struct Here(pub(super) Host);

impl Remedy for Here {
    fn name(&self) -> &'static str {
        "restart"
    }

    fn limit(&self) -> Duration {
        Duration::from_millis(self.0.settings().shutdown.deadline_ms).saturating_add(SPARE)
    }

    fn look<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Seen, String>> {
        let can = self.0.restarts().can(target);
        Box::pin(async move { if can { Ok(Seen::default()) } else { Err(NotRestarted::NotOffered.to_string()) } })
    }

    fn apply<'a>(&'a self, target: &'a str, _: &'a Seen, _: i64) -> BoxFuture<'a, Result<(), NotApplied>> {
        Box::pin(async move {
            let restarted = self.0.restarts().restart(target).await;
            restarted.map_err(|error| match error {
                NotRestarted::Busy => NotApplied::Overtaken,
                NotRestarted::NotOffered => NotApplied::Refused(error.to_string()),
                NotRestarted::Ended => NotApplied::Unsure(error.to_string()),
            })
        })
    }
}
