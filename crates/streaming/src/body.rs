//! Reads a body into one buffer, within limits of size, time and memory.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::answer::Refusal;

/// The room that a body has before more of it has arrived.
const FIRST: usize = 16 * 1024;
/// The unit in which the budget is counted.
const UNIT: usize = 1024;

/// The memory set aside for the bodies of all requests together.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    units: usize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(units)), units }
    }

    /// The part of it that is in use, from 0 to 1.
    #[allow(clippy::cast_precision_loss, reason = "a share for people and thresholds")]
    pub(crate) fn used(&self) -> f64 {
        1.0 - self.room.available_permits() as f64 / self.units as f64
    }
}

/// A body, and its part of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _room: Room,
}

#[derive(Debug)]
struct Room {
    budget: Budget,
    permits: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Takes more of the budget, so that `bytes` fit.
    fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let units = bytes.div_ceil(UNIT) - self.bytes / UNIT;
        let units_u32 = u32::try_from(units).map_err(|_| Refusal::Crowded)?;
        let more = Arc::clone(&self.budget.room).try_acquire_many_owned(units_u32).map_err(|_| Refusal::Crowded)?;
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            none => *none = Some(more),
        }
        self.bytes += units * UNIT;
        Ok(())
    }
}

/// The largest body that is taken in only to be forgotten, and for how long.
const FORGOTTEN: u64 = 64 * 1024;
const FORGETTING: Duration = Duration::from_millis(250);

/// Takes in the body of a request that is refused without looking at it, and forgets it piece by piece. Who closes a
/// connection on what was not read may destroy the answer on its way; and a connection that is left in order can be used
/// again. A large body is not worth it.
pub(crate) async fn forget<B: Body>(body: B) {
    let mut left = FORGOTTEN;
    if body.size_hint().lower() > left {
        return;
    }
    let deadline = Instant::now() + FORGETTING;
    let mut body = pin!(body);
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}

/// Reads `body`, of at most `max` bytes, until `deadline`.
///
/// The buffer is never more than twice what has arrived, and never more than what was declared: a header alone makes
/// nobody set memory aside. A body of one piece, the usual case, is not copied.
pub(crate) async fn read<B>(body: B, max: usize, deadline: Instant, budget: &Budget) -> Result<Held, Refusal>
where
    B: Body<Data = Bytes>,
{
    let hint = body.size_hint();
    if hint.lower() > max as u64 {
        return Err(Refusal::TooLarge);
    }
    let most = hint.exact().and_then(|exact| usize::try_from(exact).ok()).map_or(max, |exact| exact.min(max));
    let mut room = Room { budget: budget.clone(), permits: None, bytes: 0 };
    room.grow_to(most.min(FIRST))?;

    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Refusal::BodyTimeout),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Refusal::BodyTruncated),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are signed by nobody.
        let Ok(data) = frame.into_data() else { continue };
        let length = first.len() + rest.len() + data.len();
        if length > max {
            return Err(Refusal::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            room.grow_to(length)?;
            first = data;
            continue;
        }
        if length > rest.capacity() {
            let capacity = (2 * length).min(most.max(length));
            room.grow_to(capacity)?;
            rest.reserve_exact(capacity - rest.len());
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    let bytes = if rest.is_empty() { first } else { Bytes::from(rest) };
    Ok(Held { bytes, _room: room })
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
