//! How a consumer stands to its log and to its group.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::threads::lock;

/// Whether a consumer is in its group, and has a part of the work. Only of a [`Member`](Self::Member) and a
/// [`Spare`](Self::Spare) it is known how much waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// Its client has not heard of the log yet.
    Starting,
    /// No broker is connected.
    Away,
    /// It waits for its group or for its partitions, and for what exactly. With the partitions that it has it goes on.
    Joining(String),
    /// It is in its group, and has partitions.
    Member,
    /// It is in its group, and has no partition, since other members have all of them.
    Spare,
}

/// Where a consumer stands at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it is.
    pub membership: Membership,
    /// For how long it has been that; while it joins, whatever it waited for.
    pub lasts: Duration,
    /// The partitions that it consumes.
    pub partitions: usize,
    /// After so long without a word from it the group gives its partitions to others.
    pub session: Duration,
}

impl Standing {
    /// Whether it is where it should be: with partitions, or known to have none.
    #[must_use]
    pub fn is_in(&self) -> bool {
        matches!(self.membership, Membership::Member | Membership::Spare)
    }

    /// What it waits for, for people; none: nothing.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        let what = match &self.membership {
            Membership::Starting => "an answer of the log",
            Membership::Away => "a broker, none is connected",
            Membership::Joining(stands) => return Some(format!("its group ({stands})")),
            Membership::Member | Membership::Spare => return None,
        };
        Some(what.to_owned())
    }
}

/// What the consumer's thread last told.
#[derive(Debug)]
pub(crate) struct Told {
    brokers_up: AtomicUsize,
    membership: Mutex<(Membership, Instant)>,
}

impl Default for Told {
    fn default() -> Self {
        Self { brokers_up: AtomicUsize::new(0), membership: Mutex::new((Membership::Starting, Instant::now())) }
    }
}

impl Told {
    pub(crate) fn set_brokers(&self, up: usize) {
        self.brokers_up.store(up, Ordering::Relaxed);
    }

    pub(crate) fn brokers_up(&self) -> usize {
        self.brokers_up.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, membership: Membership, now: Instant) {
        let mut told = lock(&self.membership);
        // Who has just begun has no broker yet.
        if membership == Membership::Away && told.0 == Membership::Starting {
            return;
        }
        if std::mem::discriminant(&told.0) != std::mem::discriminant(&membership) {
            told.1 = now;
        }
        told.0 = membership;
    }

    /// `partitions`: those that are consumed at this moment, which may be fewer than when it told.
    pub(crate) fn standing(&self, partitions: usize, session: Duration, now: Instant) -> Standing {
        let (membership, since) = lock(&self.membership).clone();
        if membership == Membership::Member && partitions == 0 {
            let membership = Membership::Joining("its partitions were taken back".to_owned());
            return Standing { membership, lasts: Duration::ZERO, partitions, session };
        }
        Standing { membership, lasts: now.saturating_duration_since(since), partitions, session }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_counted_from_its_beginning() {
        let (start, told) = (Instant::now(), Told::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        let joining = |stands: &str| Membership::Joining(stands.to_owned());
        let session = Duration::from_secs(45);
        let steps = [
            // It has just begun, and no broker is connected yet.
            (1, Membership::Away, 0, Membership::Starting),
            (2, joining("wait-coord"), 0, joining("wait-coord")),
            (5, joining("wait-join"), 0, joining("wait-join")),
            (9, Membership::Member, 3, Membership::Member),
            // They were lost since.
            (9, Membership::Member, 0, joining("its partitions were taken back")),
            (20, Membership::Away, 3, Membership::Away),
            (30, Membership::Spare, 0, Membership::Spare),
        ];
        let mut lasted = Vec::new();
        for (seconds, tells, partitions, wanted) in steps {
            told.set(tells, at(seconds));
            let standing = told.standing(partitions, session, at(seconds + 4));
            assert_eq!((standing.membership.clone(), standing.partitions), (wanted, partitions), "at {seconds} s");
            assert_eq!(standing.is_in(), standing.waits_for().is_none());
            lasted.push(standing.lasts.as_secs());
        }
        // Of the first it counts from its making, a moment before.
        assert!((4..=5).contains(&lasted[0]), "{lasted:?}");
        assert_eq!(lasted[1..], [4, 7, 4, 0, 4, 4]);
    }
}
