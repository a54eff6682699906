//! A record that was sent and whose outcome is to come.

use std::sync::Arc;

use service::{Taken, What};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::answer::Refusal;
use crate::endpoints::Endpoint;
use crate::limit::Lane;

/// Waits for the acknowledgement of one delivery and counts it, also when the sender is told 503 before, or has gone:
/// what was sent may be written all the same, and the numbers shall say so.
pub(crate) struct Pending {
    waiting: Option<(bus::Receipt, Sent)>,
    tasks: TaskTracker,
}

struct Sent {
    endpoint: Arc<Endpoint>,
    lane: Lane,
    taken: Taken,
    at: Instant,
}

impl Pending {
    pub(crate) fn new(
        receipt: bus::Receipt,
        endpoint: Arc<Endpoint>,
        lane: Lane,
        taken: Taken,
        tasks: TaskTracker,
    ) -> Self {
        Self { waiting: Some((receipt, Sent { endpoint, lane, taken, at: Instant::now() })), tasks }
    }

    /// Whether the log has made the record durable, told at the deadline at the latest.
    pub(crate) async fn acknowledged(mut self, deadline: Instant) -> Result<(), Refusal> {
        let Some((receipt, _)) = &mut self.waiting else { return Err(Refusal::Internal) };
        let Ok(outcome) = timeout_at(deadline, receipt).await else { return Err(Refusal::NotAcknowledged) };
        let Some((_, sent)) = self.waiting.take() else { return Err(Refusal::Internal) };
        sent.count(outcome, false)
    }
}

impl Sent {
    fn count(mut self, outcome: Result<bus::Coordinates, bus::Error>, late: bool) -> Result<(), Refusal> {
        let meters = &self.endpoint.meters;
        match outcome {
            Ok(_) => {
                meters.acknowledged(self.lane, self.at.elapsed(), late);
                self.taken.end(What::SentOn, 1);
                Ok(())
            }
            Err(error) => {
                // The health check says it once; a line for each delivery would say it for ever.
                tracing::debug!(endpoint = self.endpoint.name, %error, "delivery not acknowledged");
                meters.dropped(Refusal::NotAcknowledged.reason());
                self.taken.end(What::Dropped(Refusal::NotAcknowledged.reason()), 1);
                Err(Refusal::NotAcknowledged)
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some((receipt, sent)) = self.waiting.take() else { return };
        // Outside of a runtime there is nobody left to wait.
        let Ok(runtime) = Handle::try_current() else { return };
        self.tasks.spawn_on(async move { sent.count(receipt.await, true) }, &runtime);
    }
}
