//! Whether a service that fails is asked. Pure: time is a parameter.

use std::time::Duration;

/// How often, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitLimits {
    /// So many failures in a row open it.
    pub failures: u32,
    /// How long it stays open before one call tries.
    pub open: Duration,
}

/// What a circuit is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Everybody may ask.
    Closed,
    /// Nobody asks.
    Open,
    /// One call tries whether it answers again.
    Trying,
}

/// Opens after failures in a row; after a while one call may try, and its outcome decides. Times are since any fixed
/// moment.
#[derive(Debug)]
pub struct Circuit {
    limits: CircuitLimits,
    failures: u32,
    state: State,
    /// When it opened, or when the call that tries began.
    since: Duration,
}

impl Circuit {
    /// A closed one.
    pub fn new(limits: CircuitLimits) -> Self {
        Self { limits, failures: 0, state: State::Closed, since: Duration::ZERO }
    }

    /// Whether a call may be made now. Each that may has to tell its end to [`success`](Self::success) or
    /// [`failure`](Self::failure); the place of one that never does is free again after the time that a circuit is open.
    pub fn may_call(&mut self, now: Duration) -> bool {
        if self.state == State::Closed {
            return true;
        }
        if now.saturating_sub(self.since) < self.limits.open {
            return false;
        }
        (self.state, self.since) = (State::Trying, now);
        true
    }

    /// A call was answered.
    pub fn success(&mut self) {
        (self.state, self.failures) = (State::Closed, 0);
    }

    /// A call was not answered, or the answer is of no use.
    pub fn failure(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => self.failures >= self.limits.failures,
            State::Trying => true,
            // One that was asked before it opened: it stays open as long as it would.
            State::Open => false,
        };
        if opens {
            (self.state, self.since) = (State::Open, now);
        }
    }

    /// For health.
    pub fn state(&self) -> State {
        self.state
    }
}

#[cfg(test)]
#[path = "circuit_tests.rs"]
mod tests;
