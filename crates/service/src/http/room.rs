//! Room for connections. When all of it is taken, the one whose client has kept us waiting for longest gives way to the
//! next: clients that hold connections and say nothing keep nobody out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// A client that has kept us waiting for less is only on its way: two round trips over an ocean, one of them for TLS.
const GRACE: Duration = Duration::from_millis(250);
/// For a connection that gives way to end; then another one has to.
const ENDS_WITHIN: Duration = Duration::from_millis(250);
/// Nobody waits for the client: what it asked for is being done.
const AT_WORK: u64 = 0;
/// Its connection is being closed.
const GIVES_WAY: u64 = u64::MAX;

/// The room that a server has.
#[derive(Debug)]
pub(super) struct Room {
    began: Instant,
    grace: Duration,
    permits: Arc<Semaphore>,
    slots: Mutex<Vec<Arc<Slot>>>,
}

/// The slot of one connection.
#[derive(Debug)]
pub(super) struct Slot {
    /// The room's beginning, for the clock.
    began: Instant,
    /// Since when the client keeps us waiting, in milliseconds from 1 on; or one of the two values above.
    waiting: AtomicU64,
    task: OnceLock<AbortHandle>,
}

/// A slot that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) slot: Arc<Slot>,
    room: Arc<Room>,
    _permit: OwnedSemaphorePermit,
}

/// Who can give way.
enum Found {
    GaveWay,
    /// Nobody before this time is over.
    Nobody(Duration),
}

impl Room {
    pub(super) fn new(connections: usize) -> Arc<Self> {
        Self::with_grace(connections, GRACE)
    }

    fn with_grace(connections: usize, grace: Duration) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS)));
        Arc::new(Self { began: Instant::now(), grace, permits, slots: Mutex::default() })
    }

    /// A slot for one more connection. Waits only while nobody can give way. Can be cancelled at any time.
    pub(super) async fn take(self: &Arc<Self>) -> Taken {
        loop {
            let permit = match Arc::clone(&self.permits).try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) => {
                    let wait = match self.make_room() {
                        Found::GaveWay => ENDS_WITHIN,
                        Found::Nobody(wait) => wait,
                    };
                    let acquired = tokio::time::timeout(wait, Arc::clone(&self.permits).acquire_owned()).await;
                    acquired.ok().and_then(Result::ok)
                }
            };
            if let Some(permit) = permit {
                let slot = Arc::new(Slot::new(self.began));
                self.lock().push(Arc::clone(&slot));
                return Taken { slot, room: Arc::clone(self), _permit: permit };
            }
        }
    }

    fn make_room(&self) -> Found {
        let now = self.began.elapsed();
        let slots = self.lock();
        loop {
            let waiting = slots.iter().map(|slot| (slot.waiting.load(Ordering::Acquire), slot));
            let longest =
                waiting.filter(|(since, _)| *since != AT_WORK && *since != GIVES_WAY).min_by_key(|(since, _)| *since);
            let Some((since, slot)) = longest else { return Found::Nobody(GRACE) };
            let waited = now.saturating_sub(Duration::from_millis(since - 1));
            if waited < self.grace {
                return Found::Nobody(self.grace - waited);
            }
            // Else what it asked for came just now.
            if slot.waiting.compare_exchange(since, GIVES_WAY, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                metrics::counter!("weir_http_cut_off_total", "reason" => "room").increment(1);
                if let Some(task) = slot.task.get() {
                    task.abort();
                }
                return Found::GaveWay;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut slots = self.room.lock();
        if let Some(at) = slots.iter().position(|slot| Arc::ptr_eq(slot, &self.slot)) {
            slots.swap_remove(at);
        }
    }
}

impl Slot {
    fn new(began: Instant) -> Self {
        Self { began, waiting: AtomicU64::new(millis(began.elapsed())), task: OnceLock::new() }
    }

    /// What is ended when the connection has to give way.
    pub(super) fn is_served_by(&self, task: AbortHandle) {
        let task = self.task.get_or_init(|| task);
        if self.waiting.load(Ordering::Acquire) == GIVES_WAY {
            task.abort();
        }
    }

    /// From now on we wait for the client.
    pub(super) fn waits(&self) {
        let now = millis(self.began.elapsed());
        let _ =
            self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |since| (since != GIVES_WAY).then_some(now));
    }

    /// All that the client asks for is here. Whether it may be done: not where the connection gives way already.
    pub(super) fn works(&self) -> bool {
        let update = |since| (since != GIVES_WAY).then_some(AT_WORK);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, update).is_ok()
    }
}

fn millis(since: Duration) -> u64 {
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX - 2).saturating_add(1)
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
