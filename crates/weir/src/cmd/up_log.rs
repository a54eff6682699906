//! What `weir up` says of how the embedded log keeps its records.

use std::time::Duration;

use bus::{Bus, Keeping, Unread};
use common::few::few;
use service::{Action, CheckHandle, CheckSpec, Health};

/// The log looks once a minute.
const LOOK: Duration = Duration::from_secs(5);

/// The checks of the embedded log. Neither keeps deliveries out: nothing is lost.
pub(super) struct Checks {
    clock: CheckHandle,
    unread: CheckHandle,
}

impl Checks {
    pub(super) fn new(health: &Health) -> Self {
        let check = |name| {
            let action = Action::Ticket;
            health.check(CheckSpec { name, action, gates_readiness: false, unit: "", threshold: None })
        };
        Self { clock: check("embedded_clock"), unread: check("embedded_unread") }
    }

    /// For ever.
    pub(super) async fn watch(self, bus: Bus) {
        self.clock.every(LOOK);
        self.unread.every(LOOK);
        loop {
            if let Some(keeping) = bus.keeping() {
                self.look(&keeping);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn look(&self, keeping: &Keeping) {
        match &keeping.clock_jumped_by {
            Some(jump) => self.clock.warn(format!(
                "the clock jumped by {jump}, or the machine slept: no record expires until the clock has been right for \
                 an hour"
            )),
            None => self.clock.ok("the clock is right"),
        }
        let mut unread: Vec<&Unread> = keeping.unread.iter().collect();
        unread.sort_by_key(|unread| std::cmp::Reverse(unread.age));
        let Some(oldest) = unread.first() else {
            return self.unread.ok("no group has an unread record older than half of its retention");
        };
        let message = format!("{}; the log keeps unread records", few(unread.iter().map(|unread| told(unread)), "; "));
        if oldest.is_over() { self.unread.fail(message) } else { self.unread.warn(message) }
    }
}

fn told(unread: &Unread) -> String {
    let Unread { group, topic, partition, records, age, retention } = unread;
    let days = |time: &Duration| time.as_secs_f64() / 86_400.0;
    format!(
        "{group} has not read {records} records of {topic}/{partition}: the oldest is {:.1} days old, and the topic keeps \
         records for {:.1} days",
        days(age),
        days(retention)
    )
}

#[cfg(test)]
#[path = "up_log_tests.rs"]
mod tests;
