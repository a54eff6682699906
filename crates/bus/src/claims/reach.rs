//! How far back claims reach: for how long a redelivery is known as one.

use std::fmt;
use std::time::Duration;

/// Claims that are looked at by chance for the age of the oldest: of claims that came evenly, the oldest of so many is as
/// old as the oldest of all, less 3%.
pub(super) const SAMPLES: usize = 32;
/// From this part of its memory on a store is said to be nearly full.
const NEARLY_FULL: f64 = 0.9;

/// How far back claims reach, and what was thrown away before its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// How long a claim lasts.
    pub ttl: Duration,
    /// Of this last time all claims are there: nothing was thrown away since, and the store is not younger. At most `ttl`.
    /// What was restored when the store began reaches further back, as far as the outputs did.
    pub whole: Duration,
    /// How old the oldest is of some claims that were looked at by chance. None: there are none.
    pub oldest: Option<Duration>,
    /// Keys that the store has thrown away before their time, as long as it has run.
    pub evicted: u64,
    /// Since when it is known that this has not happened again. None: not within `ttl`.
    pub evicted_before: Option<Duration>,
    /// A `maxmemory-policy` that throws keys away when memory is full.
    pub evicts: Option<String>,
    /// The part of its memory that is in use, where it has a limit.
    pub fill: Option<f64>,
}

impl Reach {
    /// Times in milliseconds since 1970: when the claims began to be whole, when the last one was found thrown away, and
    /// when the oldest was made.
    pub(super) fn of(
        ttl: Duration,
        now: u64,
        begun: Option<u64>,
        evicted_at: Option<u64>,
        oldest: Option<u64>,
    ) -> Self {
        let since = |at: u64| Duration::from_millis(now.saturating_sub(at));
        let evicted_before = evicted_at.map(since).filter(|ago| *ago < ttl);
        let whole = begun.map(since).into_iter().chain(evicted_before).chain([ttl]).min().unwrap_or(ttl);
        Self { ttl, whole, oldest: oldest.map(since), evicted: 0, evicted_before, evicts: None, fill: None }
    }

    /// [`whole`](Self::whole) in days.
    pub fn days(&self) -> f64 {
        days(self.whole)
    }

    /// Claims were thrown away before their time: what it means, and what to do. None: none were, within the time for
    /// which they last.
    pub fn lost(&self) -> Option<String> {
        let before = days(self.evicted_before?);
        Some(format!(
            "the store evicted claims before they expired ({} keys since it was started, the last {before:.1} days ago): \
             a redelivery of an event that was claimed before that may be produced twice; give the store more memory, \
             and set maxmemory-policy noeviction",
            self.evicted,
        ))
    }

    /// What is not well with the store and has done no harm yet.
    pub fn risk(&self) -> Option<String> {
        let policy = self.evicts.as_ref().map(|policy| {
            format!(
                "maxmemory-policy is {policy}: when its memory is full, the store evicts claims, and redeliveries are \
                 produced twice; set it to noeviction"
            )
        });
        let full = self.fill.filter(|fill| *fill >= NEARLY_FULL).map(|fill| {
            let percent = fill * 100.0;
            format!(
                "{percent:.0}% of the store's memory is in use: when it is full, nothing is produced; raise maxmemory"
            )
        });
        let risks: Vec<String> = policy.into_iter().chain(full).collect();
        (!risks.is_empty()).then(|| risks.join("; "))
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "claims last {:.1} days, all claims of the last {:.1} days are present",
            days(self.ttl),
            self.days()
        )?;
        match self.oldest {
            Some(oldest) => write!(f, ", the oldest in a sample is {:.1} days old", days(oldest)),
            None => write!(f, ", the store has no claims yet"),
        }
    }
}

fn days(time: Duration) -> f64 {
    time.as_secs_f64() / 86_400.0
}

/// What Redis tells of itself.
#[derive(Debug, PartialEq)]
pub(super) struct MemoryFigures<'a> {
    /// Which start of the server this is: its counts begin with each.
    run: &'a str,
    pub(super) evicted: u64,
    policy: &'a str,
    used: u64,
    /// 0: as much as there is.
    most: u64,
}

impl<'a> MemoryFigures<'a> {
    /// From the answer to INFO; none where it does not tell all of it.
    pub(super) fn read(info: &'a str) -> Option<Self> {
        let field =
            |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let number = |name: &str| field(name)?.parse().ok();
        Some(Self {
            run: field("run_id")?,
            evicted: number("evicted_keys")?,
            policy: field("maxmemory_policy")?,
            used: number("used_memory")?,
            most: number("maxmemory")?,
        })
    }

    pub(super) fn evicts(&self) -> Option<String> {
        (self.policy != "noeviction").then(|| self.policy.to_owned())
    }

    pub(super) fn fill(&self) -> Option<f64> {
        (self.most > 0).then(|| self.used as f64 / self.most as f64)
    }
}

/// When keys were last found to have been thrown away, as all instances know it.
#[derive(Debug, PartialEq)]
pub(super) struct Evictions {
    /// In milliseconds since 1970.
    pub(super) last: Option<u64>,
    /// What has to be noted, and how many were thrown away since what was noted before.
    pub(super) note: Option<(String, u64)>,
}

impl Evictions {
    /// From what was noted before: `run:evicted:milliseconds`. What happened since then happened at any time until now.
    pub(super) fn of(figures: &MemoryFigures<'_>, noted: Option<&str>, now: u64) -> Self {
        let noted = noted.and_then(|noted| {
            let mut parts = noted.split(':');
            let (run, evicted, at) = (parts.next()?, parts.next()?.parse::<u64>().ok()?, parts.next()?.parse().ok()?);
            Some((run, evicted, at))
        });
        let last = noted.map(|(_, _, at)| at);
        let before = noted.map_or(0, |(run, evicted, _)| if run == figures.run { evicted } else { 0 });
        let more = figures.evicted.saturating_sub(before);
        if more == 0 {
            return Self { last, note: None };
        }
        Self { last: Some(now), note: Some((format!("{}:{}:{now}", figures.run, figures.evicted), more)) }
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
