//! How many deliveries per second an endpoint may have, and what becomes of the rest.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::answer::Refusal;

/// Where a delivery is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// `raw.<source>`
    Prompt,
    /// `raw.<source>.bulk`
    Bulk,
}

/// The limit of one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    per_second: u32,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
}

impl Limit {
    /// So many per second, and as many at once; 0: no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        let limiter = NonZeroU32::new(per_second).map(|n| Arc::new(RateLimiter::direct(Quota::per_second(n))));
        Self { per_second, limiter }
    }

    /// Counts on where `before` was, if the limit is the same.
    pub(crate) fn go_on_from(&mut self, before: &Self) {
        if self.per_second == before.per_second {
            self.limiter.clone_from(&before.limiter);
        }
    }

    /// The lane of one more delivery. Over the limit, a sender that comes again is asked to; one that never does goes
    /// the slow lane, because refusing it would lose the delivery.
    pub(crate) fn lane(&self, retries: bool) -> Result<Lane, Refusal> {
        match &self.limiter {
            Some(limiter) if limiter.check().is_err() => {
                if retries {
                    Err(Refusal::RateLimited)
                } else {
                    Ok(Lane::Bulk)
                }
            }
            _ => Ok(Lane::Prompt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_the_limit_it_depends_on_the_sender() {
        let limit = Limit::new(2);
        assert_eq!(limit.lane(true), Ok(Lane::Prompt));
        assert_eq!(limit.lane(true), Ok(Lane::Prompt));
        assert_eq!(limit.lane(true), Err(Refusal::RateLimited));
        assert_eq!(limit.lane(false), Ok(Lane::Bulk));
    }

    #[test]
    fn no_limit_is_none() {
        let limit = Limit::new(0);
        assert!((0..10_000).all(|_| limit.lane(true) == Ok(Lane::Prompt)));
    }

    #[test]
    fn a_change_that_leaves_the_limit_alone_does_not_start_anew() {
        let before = Limit::new(1);
        assert_eq!(before.lane(true), Ok(Lane::Prompt));
        let mut same = Limit::new(1);
        same.go_on_from(&before);
        assert_eq!(same.lane(true), Err(Refusal::RateLimited));
        let mut other = Limit::new(5);
        other.go_on_from(&before);
        assert_eq!(other.lane(true), Ok(Lane::Prompt));
    }
}
