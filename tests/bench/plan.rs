//! How much is done. A slice is long enough for the clock of the system, which counts processor time in steps of 10 ms.

/// Connections of the load generator, and so the most that the door has in flight.
pub(crate) const CONNECTIONS: usize = 64;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How often each contender has a slice that counts. One more, at the beginning, does not.
    pub(crate) rounds: usize,
    pub(crate) doors: Vec<DoorRun>,
    /// Deliveries in a slice of processing.
    pub(crate) deliveries: usize,
    /// Deliveries of the slice that does not count.
    pub(crate) warm_up: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct DoorRun {
    pub(crate) name: &'static str,
    /// Of each body.
    pub(crate) bytes: usize,
    /// In a slice.
    pub(crate) requests: usize,
    /// In the slice that does not count.
    pub(crate) warm_up: usize,
    /// Different bodies, sent again and again.
    pub(crate) bodies: usize,
}

impl Plan {
    pub(crate) fn full() -> Self {
        let door = |name, bytes, requests| DoorRun { name, bytes, requests, warm_up: requests / 2, bodies: 4096 };
        Self {
            rounds: 5,
            doors: vec![door("door-1k", 1024, 40_000), door("door-8k", 8192, 16_000)],
            deliveries: 30_000,
            warm_up: 10_000,
        }
    }

    pub(crate) fn quick() -> Self {
        let door = |name, bytes| DoorRun { name, bytes, requests: 300, warm_up: 100, bodies: 50 };
        Self { rounds: 1, doors: vec![door("door-1k", 1024), door("door-8k", 8192)], deliveries: 300, warm_up: 100 }
    }
}
