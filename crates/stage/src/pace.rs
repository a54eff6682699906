//! How fast events may pass: so many in a second in all, and so many of one endpoint.
//!
//! What waits here waits before its claim and holds its place: order within a partition is kept, and since the
//! bus hands out only so much at once, waiting reaches back to the log and no memory fills.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};

type Total = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<Moment>>;
type Keyed = RateLimiter<String, HashMapStateStore<String>, MonotonicClock, NoOpMiddleware<Moment>>;
type Moment = <MonotonicClock as governor::clock::Clock>::Instant;

/// The limits, shared by all lanes of a process.
#[derive(Debug)]
pub struct Pace {
    clock: MonotonicClock,
    total: Option<(Total, NonZeroU32)>,
    endpoint: Option<(Keyed, NonZeroU32)>,
}

impl Pace {
    /// Events per second in all and of each endpoint; 0: no limit. A second's worth may come at once.
    pub fn new(total: u32, endpoint: u32) -> Self {
        Self {
            clock: MonotonicClock,
            total: NonZeroU32::new(total)
                .map(|rate| (RateLimiter::direct_with_clock(Quota::per_second(rate), MonotonicClock), rate)),
            endpoint: NonZeroU32::new(endpoint)
                .map(|rate| (RateLimiter::hashmap_with_clock(Quota::per_second(rate), MonotonicClock), rate)),
        }
    }

    /// Events per second in all; 0: no limit. A tenth of a second's worth may come at once.
    pub fn of_all(rate: u32) -> Self {
        let burst = NonZeroU32::new(rate / 10).unwrap_or(NonZeroU32::MIN);
        let quota = NonZeroU32::new(rate).map(|rate| Quota::per_second(rate).allow_burst(burst));
        let total = quota.map(|quota| (RateLimiter::direct_with_clock(quota, MonotonicClock), burst));
        Self { clock: MonotonicClock, total, endpoint: None }
    }

    /// Waits until `events` of `endpoint` may pass; how long that was.
    pub async fn admit(&self, endpoint: &str, events: usize) -> Duration {
        let mut waited = Duration::ZERO;
        let Ok(events) = u32::try_from(events) else {
            return waited;
        };
        if let Some((limiter, burst)) = &self.endpoint {
            let endpoint = endpoint.to_owned();
            for part in parts(events, *burst) {
                waited += self.wait(|| limiter.check_key_n(&endpoint, part)).await;
            }
        }
        if let Some((limiter, burst)) = &self.total {
            for part in parts(events, *burst) {
                waited += self.wait(|| limiter.check_n(part)).await;
            }
        }
        waited
    }

    async fn wait<E>(&self, check: impl Fn() -> Result<Result<(), NotUntil<Moment>>, E>) -> Duration {
        let mut waited = Duration::ZERO;
        // The outer error says that the part is larger than the burst, which `parts` never makes.
        while let Ok(Err(not_until)) = check() {
            let pause = not_until.wait_time_from(self.clock.now());
            tokio::time::sleep(pause).await;
            waited += pause;
        }
        waited
    }
}

/// A delivery may hold more events than a second's worth: it passes in parts.
fn parts(events: u32, burst: NonZeroU32) -> impl Iterator<Item = NonZeroU32> {
    let burst = burst.get();
    (0..events.div_ceil(burst)).filter_map(move |n| NonZeroU32::new((events - n * burst).min(burst)))
}

/// How long the slow lane rests after working for `worked`, so that it takes no more than `share` of the time.
pub fn rest(worked: Duration, share: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(5);
    if share >= 1.0 {
        return Duration::ZERO;
    }
    worked.mul_f64((1.0 / share.max(0.01)) - 1.0).min(LONGEST)
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
