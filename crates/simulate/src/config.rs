//! What a simulation is asked to do.

use std::str::FromStr;
use std::sync::Arc;

use crate::catalogue::{COUNT, PLATFORMS};
use crate::endpoints::Endpoints;
use crate::platform::{Platform, WorldConfig};

/// What to generate. Two generators with equal configurations yield the same deliveries.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where deliveries go, and what signs them.
    pub endpoints: Arc<Endpoints>,
    /// Decides everything that is not decided here.
    pub seed: u64,
    /// Pages of Facebook; each has an Instagram account. At least 2; they alternate between the tenants.
    pub pages: u32,
    /// Repositories of GitHub, at least 1.
    pub repositories: u32,
    /// How unequal pages and repositories are: 0 is even, 1 is as in real life (Zipf's exponent).
    pub skew: f64,
    /// Shares of the platforms.
    pub mix: Mix,
    /// Share of the intact Meta deliveries that mix 2 to 20 pages of two tenants in one batch, 0 to 1.
    pub mixed: f64,
    /// Share of the deliveries that bring what was brought before, half of them batched differently, 0 to 1.
    pub redeliver: f64,
    /// Share of the deliveries that are broken on purpose, 0 to 1.
    pub broken: f64,
    /// Time of the first event, milliseconds since 1970.
    pub start_ms: i64,
    /// What ids are counted from. Runs that follow each other on one log need numbers of their own, else the second
    /// one's issue 1 is the first one's.
    pub first_number: u64,
    /// How far the simulation's clock goes on with each delivery, in microseconds.
    pub step_us: u64,
}

/// Why a configuration cannot be generated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} {problem}")]
pub struct InvalidConfig {
    /// The field.
    pub what: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Config {
    /// 50 pages and 12 repositories, skewed, 40% mixed batches, nothing twice, nothing broken.
    pub fn new(endpoints: Arc<Endpoints>, seed: u64, start_ms: i64) -> Self {
        Self {
            endpoints,
            seed,
            pages: 50,
            repositories: 12,
            skew: 0.8,
            mix: Mix::default(),
            mixed: 0.4,
            redeliver: 0.0,
            broken: 0.0,
            start_ms,
            first_number: 0,
            step_us: 1000,
        }
    }

    /// Counts ids from a number that depends on the start, and is not reached again by runs that start later, as long as
    /// they make less than a thousand things in a second.
    #[must_use]
    pub fn numbered_by_start(self) -> Self {
        /// 2026-01-01, in milliseconds since 1970.
        const EPOCH_MS: i64 = 1_767_225_600_000;
        Self { first_number: u64::try_from(self.start_ms - EPOCH_MS).unwrap_or(0), ..self }
    }

    /// What the worlds know of it.
    pub(crate) fn world(&self) -> WorldConfig {
        let Self { seed, pages, repositories, skew, mixed, redeliver, .. } = *self;
        WorldConfig { seed, pages, repositories, skew, mixed, remembers: redeliver > 0.0 }
    }

    /// Checks every field.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        let invalid = |what, problem: &str| Err(InvalidConfig { what, problem: problem.to_owned() });
        if self.pages < 2 || self.pages > 1_000_000 {
            return invalid("pages", "must be 2 to 1000000: a batch mixes the pages of two tenants");
        }
        if self.repositories < 1 || self.repositories > 100_000 {
            return invalid("repositories", "must be 1 to 100000");
        }
        if !(0.0..=10.0).contains(&self.skew) {
            return invalid("skew", "must be 0 (even) to 10 (one page gets nearly all)");
        }
        for (what, share) in [("mixed", self.mixed), ("redeliver", self.redeliver), ("broken", self.broken)] {
            if !(0.0..=1.0).contains(&share) {
                return invalid(what, "must be a share from 0 to 1");
            }
        }
        if self.redeliver + self.broken > 1.0 {
            return invalid("redeliver", "and broken together must not be more than 1");
        }
        if self.mix.total() == 0 {
            return invalid("mix", "must have a share above 0, for example facebook=60,github=40");
        }
        Ok(())
    }
}

/// Shares of the platforms, in any unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix([u32; COUNT]);

impl Default for Mix {
    fn default() -> Self {
        Self(PLATFORMS.each_ref().map(|platform| platform.share))
    }
}

impl Mix {
    /// The same without this platform.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        for (share, _) in self.0.iter_mut().zip(&PLATFORMS).filter(|(_, platform)| platform.name == name) {
            *share = 0;
        }
        self
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|share| u64::from(*share)).sum()
    }

    /// The platform at this place of all shares, below their sum.
    pub(crate) fn at(&self, mut at: u64) -> &'static Platform {
        let [.., last] = &PLATFORMS;
        for (platform, share) in PLATFORMS.iter().zip(self.0) {
            match at.checked_sub(share.into()) {
                None => return platform,
                Some(rest) => at = rest,
            }
        }
        last
    }
}

impl FromStr for Mix {
    type Err = InvalidConfig;

    /// `facebook=60,github=40`: what is not named gets nothing.
    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        let mut mix = Self([0; COUNT]);
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let invalid = || {
                let names: Vec<_> = PLATFORMS.iter().map(|platform| platform.name).collect();
                let names = names.join(", ");
                let problem = format!("has {part:?}: write shares of {names}, for example facebook=60,github=40");
                InvalidConfig { what: "mix", problem }
            };
            let (name, share) = part.split_once('=').ok_or_else(invalid)?;
            let share = share.trim().parse().map_err(|_| invalid())?;
            let mut named = mix.0.iter_mut().zip(&PLATFORMS).filter(|(_, platform)| platform.name == name.trim());
            let (of_platform, _) = named.next().ok_or_else(invalid)?;
            *of_platform = share;
        }
        if mix.total() == 0 {
            return Err(InvalidConfig {
                what: "mix",
                problem: "gives no platform a share, for example facebook=60,github=40".into(),
            });
        }
        Ok(mix)
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
