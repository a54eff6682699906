//! Whether those who connect come to a request. After a change of the balancer nobody may: the HTTP layer refuses every
//! connection by itself, and the door would look idle.

use std::collections::VecDeque;
use std::time::Duration;

use service::http::{Unserved, UnservedTotals};

/// Over which time connections are compared with requests.
const WINDOW: Duration = Duration::from_secs(60);
/// Fewer in that time may be a stranger who tries the port.
const FEW: u64 = 5;

/// What was counted at each look, the oldest as old as the window.
#[derive(Debug)]
pub(crate) struct Arrivals {
    seen: VecDeque<(Duration, UnservedTotals)>,
}

impl Default for Arrivals {
    fn default() -> Self {
        // What came before the first look counts too.
        Self { seen: VecDeque::from([(Duration::ZERO, UnservedTotals::default())]) }
    }
}

impl Arrivals {
    /// What is wrong, for people; `None`: nothing. `now` is the time since any moment that stays the same.
    pub(crate) fn look(&mut self, now: Duration, totals: UnservedTotals) -> Option<String> {
        while self.seen.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW) {
            self.seen.pop_front();
        }
        let before = self.seen.front().map(|(_, totals)| *totals).unwrap_or_default();
        self.seen.push_back((now, totals));
        let requests = totals.requests - before.requests;
        let unserved = Unserved::ALL.iter().zip(totals.unserved.iter().zip(before.unserved));
        let unserved: Vec<_> = unserved.map(|(why, (now, before))| (*why, now - before)).collect();
        let count: u64 = unserved.iter().map(|(_, count)| count).sum();
        if count < FEW || count <= requests {
            return None;
        }
        let (why, _) = unserved.into_iter().max_by_key(|(_, count)| *count)?;
        Some(format!(
            "{count} connections of the last minute ended without a request, {requests} requests came: {}",
            why.hint()
        ))
    }
}

#[cfg(test)]
#[path = "arrivals_tests.rs"]
mod tests;
