//! How a consumer stands to its log and to its group.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::few::few;

use crate::threads::lock;

/// So many sessions may pass before it is a fault that a consumer has no part and does not hear whether others have all.
const IN_DOUBT: u32 = 3;

/// Whether a consumer is in its group, and has a part of the work. Only of a [`Member`](Self::Member) and a
/// [`Spare`](Self::Spare) it is known how much waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// Its client has not heard of the log yet.
    Starting,
    /// No broker is connected.
    Away,
    /// It waits for its group, or for a partition that the group gave it, and for what exactly. With the partitions that it has
    /// it goes on.
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
    /// It is a fault that it is not in its group once that has lasted for so long: a session, after which the group gives its
    /// partitions to others, or three where others may have all and nobody can be asked.
    pub limit: Duration,
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

/// What a member waits for whose share has these partitions, where they have not begun.
pub(crate) fn not_begun<'a>(places: impl IntoIterator<Item = &'a (Arc<str>, i32)>) -> String {
    format!("the log has not said where its partitions begin: {}", named(places))
}

/// And where others are to give them up.
pub(crate) fn not_given_up<'a>(places: impl IntoIterator<Item = &'a (Arc<str>, i32)>) -> String {
    format!("other members have not given up its partitions: {}", named(places))
}

/// What a member waits for that has no share, and others have not all. `missing`: its topics that are not there.
pub(crate) fn without_partitions(missing: &[Arc<str>]) -> String {
    if missing.is_empty() {
        return "it has been given no partition yet".to_owned();
    }
    format!("a topic does not exist: {}", few(missing, ", "))
}

fn named<'a>(places: impl IntoIterator<Item = &'a (Arc<str>, i32)>) -> String {
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort();
    few(places.into_iter().map(|(topic, partition)| format!("{topic}/{partition}")), ", ")
}

/// What is known of the part of a consumer that does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// It gets it when it is in.
    Due,
    /// No member of the group has it, or one that is not Weir's.
    Lost,
    /// Others may have all, and nobody has said so.
    Unknown,
}

/// What the consumer's thread last told.
#[derive(Debug)]
pub(crate) struct Told {
    brokers_up: AtomicUsize,
    last: Mutex<Last>,
}

#[derive(Debug, Clone)]
struct Last {
    membership: Membership,
    since: Instant,
    /// Since when it is not in although nobody doubts that it should be; none: that is in doubt.
    is_due: Option<Instant>,
    /// Its part is lost. It stays so until the consumer is in, whatever it waits for meanwhile.
    is_lost: bool,
}

impl Default for Told {
    fn default() -> Self {
        let now = Instant::now();
        let last = Last { membership: Membership::Starting, since: now, is_due: Some(now), is_lost: false };
        Self { brokers_up: AtomicUsize::new(0), last: Mutex::new(last) }
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
        self.set_with(membership, Share::Due, now);
    }

    /// `share`: what is known of its part, where it has none.
    pub(crate) fn set_with(&self, membership: Membership, share: Share, now: Instant) {
        let mut last = lock(&self.last);
        // Who has just begun has no broker yet.
        if membership == Membership::Away && last.membership == Membership::Starting {
            return;
        }
        if std::mem::discriminant(&last.membership) != std::mem::discriminant(&membership) {
            // It may have been told of it while it still had partitions.
            let is_in = matches!(membership, Membership::Member | Membership::Spare);
            *last = Last { membership, since: now, is_due: Some(now), is_lost: last.is_lost && !is_in };
        } else {
            last.membership = membership;
        }
        match share {
            Share::Due => _ = last.is_due.get_or_insert(now),
            Share::Lost => last.is_lost = true,
            Share::Unknown => last.is_due = None,
        }
    }

    /// No member of the group has its part. While it is not in, that stays so, whatever it waits for.
    pub(crate) fn part_is_lost(&self) {
        lock(&self.last).is_lost = true;
    }

    /// `partitions`: those that are consumed at this moment, which may be fewer than when it told. `session`: after so long
    /// without a word from it the group gives them to others.
    pub(crate) fn standing(&self, partitions: usize, session: Duration, now: Instant) -> Standing {
        let Last { membership, since, is_due, is_lost } = lock(&self.last).clone();
        if membership == Membership::Member && partitions == 0 {
            let membership = Membership::Joining("its partitions were taken back".to_owned());
            return Standing { membership, lasts: Duration::ZERO, partitions, limit: session };
        }
        let in_doubt = session * IN_DOUBT;
        let limit = match is_due {
            _ if is_lost => session,
            Some(due) => (due.saturating_duration_since(since) + session).min(in_doubt),
            None => in_doubt,
        };
        Standing { membership, lasts: now.saturating_duration_since(since), partitions, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(45);

    fn joining(stands: &str) -> Membership {
        Membership::Joining(stands.to_owned())
    }

    #[test]
    fn what_lasts_is_counted_from_its_beginning() {
        let (start, told) = (Instant::now(), Told::default());
        let at = |seconds| start + Duration::from_secs(seconds);
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
            let standing = told.standing(partitions, SESSION, at(seconds + 4));
            assert_eq!((standing.membership.clone(), standing.partitions), (wanted, partitions), "at {seconds} s");
            assert_eq!(standing.is_in(), standing.waits_for().is_none());
            assert_eq!(standing.limit, SESSION, "nobody doubts that it should be in");
            lasted.push(standing.lasts.as_secs());
        }
        // Of the first it counts from its making, a moment before.
        assert!((4..=5).contains(&lasted[0]), "{lasted:?}");
        assert_eq!(lasted[1..], [4, 7, 4, 0, 4, 4]);
    }

    #[test]
    fn whose_part_is_in_doubt_may_wait_for_longer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (given, due, lost, doubt) = (Membership::Member, Share::Due, Share::Lost, Share::Unknown);
        // What is told when, and then after how many seconds outside it is a fault.
        type Row<'a> = (&'a str, &'a [(u64, Share)], u64);
        let table: [Row<'_>; 8] = [
            ("it joins", &[(0, due), (40, due)], 45),
            ("nobody can be asked", &[(0, due), (1, doubt)], 135),
            ("and for long", &[(0, due), (1, doubt), (200, doubt)], 135),
            ("the group is shared out anew", &[(0, due), (1, doubt), (60, due)], 105),
            ("again and again", &[(0, due), (1, doubt), (60, due), (62, doubt), (120, due)], 135),
            ("nobody has it", &[(0, due), (1, doubt), (20, lost)], 45),
            ("and another client begins", &[(0, due), (1, doubt), (20, lost), (21, due)], 45),
            ("which hears nothing", &[(0, due), (1, doubt), (20, lost), (21, due), (23, doubt)], 45),
        ];
        for (name, steps, limit) in table {
            let told = Told::default();
            for (seconds, share) in steps {
                told.set_with(joining("outside"), *share, at(*seconds));
            }
            let standing = told.standing(0, SESSION, at(300));
            assert_eq!((standing.limit.as_secs(), standing.lasts.as_secs()), (limit, 300), "{name}");
            told.set(given.clone(), at(300));
            told.set(joining("outside"), at(301));
            assert_eq!(told.standing(0, SESSION, at(302)).limit, SESSION, "{name}: that is over");
        }
    }

    #[test]
    fn a_part_that_a_member_has_lost_stays_lost_until_it_is_in_again() {
        let (start, told) = (Instant::now(), Told::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        told.set(Membership::Member, at(0));
        // It leaves, so that the group decides again, and its next client hears nothing.
        told.part_is_lost();
        told.set(joining("another client begins"), at(1));
        told.set_with(joining("outside"), Share::Unknown, at(3));
        assert_eq!(told.standing(0, SESSION, at(4)).limit, SESSION);
        told.set(Membership::Away, at(5));
        told.set_with(joining("outside"), Share::Unknown, at(6));
        assert_eq!(told.standing(0, SESSION, at(7)).limit, SESSION, "whatever it waits for meanwhile");
        told.set(Membership::Spare, at(8));
        told.set_with(joining("outside"), Share::Unknown, at(9));
        assert_eq!(told.standing(0, SESSION, at(10)).limit, SESSION * IN_DOUBT, "that is over");
    }

    #[test]
    fn partitions_are_named_in_their_order() {
        let places: Vec<(Arc<str>, i32)> = [("b", 0), ("a", 2), ("a", 10), ("c", 1)].map(|(t, p)| (t.into(), p)).into();
        let text = "the log has not said where its partitions begin: a/2, a/10, b/0, and 1 more";
        assert_eq!(not_begun(&places), text);
    }

    #[test]
    fn a_topic_that_is_missing_is_named() {
        let (none, one): ([Arc<str>; 0], [Arc<str>; 1]) = ([], ["loads".into()]);
        assert_eq!(without_partitions(&one), "a topic does not exist: loads");
        assert_eq!(without_partitions(&none), "it has been given no partition yet");
    }
}
