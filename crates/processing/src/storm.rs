//! When dead letters stop being the senders' fault.
//!
//! One endpoint that sends nonsense is its sender's mistake: its dead letters are kept and the others go on.
//! When the deliveries of *several* endpoints turn into dead letters at once, the mistake is ours (a release
//! that cannot read what it could read yesterday), and it is better to stop with the input untouched than to
//! move it all to the dead letters. Pure: time is a parameter.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many steps a window moves in.
const STEPS: u32 = 10;

/// What makes a storm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StormLimits {
    /// How far back to look.
    pub window: Duration,
    /// Fewer deliveries than this in the window prove nothing.
    pub min_deliveries: u64,
    /// The part of the deliveries, 0 to 1, above which it is a storm.
    pub ratio: f64,
    /// How many deliveries must be refused at other endpoints than the worst one.
    pub min_elsewhere: u64,
}

/// What has been seen of one endpoint.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Seen {
    deliveries: u64,
    /// A delivery of which half is refused counts half.
    refused: f64,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.refused += other.refused;
    }

    fn ratio(self) -> f64 {
        if self.deliveries == 0 { 0.0 } else { self.refused / self.deliveries as f64 }
    }
}

/// What the window shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Weather {
    /// Nothing to speak of.
    Calm,
    /// Many dead letters, nearly all of one endpoint: they are kept, and everything goes on.
    Endpoint {
        /// The endpoint.
        endpoint: String,
        /// The part of its deliveries that was refused.
        ratio: f64,
    },
    /// Dead letters of several endpoints: stop.
    Storm {
        /// The part of all deliveries that was refused.
        ratio: f64,
        /// The endpoints with refused deliveries, the worst first.
        endpoints: Vec<String>,
    },
}

/// An endpoint of which most is refused, in a window that is no storm of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Noisy {
    /// The endpoint.
    pub endpoint: String,
    /// The part of its deliveries that was refused.
    pub ratio: f64,
    /// When something of it was last refused, to a tenth of the window; as the window measures time.
    pub last: Duration,
}

/// Deliveries and dead letters of the last while, by endpoint.
#[derive(Debug)]
pub struct Storm {
    limits: StormLimits,
    /// Oldest first, each with the number of its step.
    steps: VecDeque<(u64, BTreeMap<String, Seen>)>,
}

impl Storm {
    /// A window without deliveries.
    pub fn new(limits: StormLimits) -> Self {
        Self { limits, steps: VecDeque::new() }
    }

    /// Takes in one delivery of which `refused` of `items` were refused. `now` is the time since any fixed moment.
    pub fn record(&mut self, endpoint: &str, refused: usize, items: usize, now: Duration) {
        let step = self.advance(now);
        let part = if items == 0 { 0.0 } else { refused as f64 / items as f64 };
        if self.steps.back().is_none_or(|(last, _)| *last != step) {
            self.steps.push_back((step, BTreeMap::new()));
        }
        if let Some((_, endpoints)) = self.steps.back_mut() {
            let seen = Seen { deliveries: 1, refused: part };
            match endpoints.get_mut(endpoint) {
                Some(sum) => sum.add(seen),
                None => {
                    endpoints.insert(endpoint.to_owned(), seen);
                }
            }
        }
    }

    /// What the window shows now.
    pub fn weather(&mut self, now: Duration) -> Weather {
        self.advance(now);
        let mut endpoints: BTreeMap<&str, Seen> = BTreeMap::new();
        let mut all = Seen::default();
        for (endpoint, seen) in self.steps.iter().flat_map(|(_, endpoints)| endpoints) {
            endpoints.entry(endpoint).or_default().add(*seen);
            all.add(*seen);
        }
        let mut refused: Vec<(&str, Seen)> = endpoints.into_iter().filter(|(_, seen)| seen.refused > 0.0).collect();
        refused.sort_by(|(_, a), (_, b)| b.refused.total_cmp(&a.refused));
        let Some((worst, of_worst)) = refused.first().copied() else {
            return Weather::Calm;
        };
        let elsewhere =
            Seen { deliveries: all.deliveries - of_worst.deliveries, refused: all.refused - of_worst.refused };
        let StormLimits { min_deliveries, ratio, min_elsewhere, .. } = self.limits;
        let enough = all.deliveries >= min_deliveries;
        if enough && all.ratio() > ratio && elsewhere.ratio() > ratio && elsewhere.refused >= min_elsewhere as f64 {
            let endpoints = refused.iter().map(|(endpoint, _)| (*endpoint).to_owned()).collect();
            return Weather::Storm { ratio: all.ratio(), endpoints };
        }
        if of_worst.deliveries >= min_deliveries && of_worst.ratio() > ratio {
            return Weather::Endpoint { endpoint: worst.to_owned(), ratio: of_worst.ratio() };
        }
        Weather::Calm
    }

    /// Every endpoint of which most is refused. None in a storm of several: then the mistake is ours.
    pub fn noisy(&mut self, now: Duration) -> Vec<Noisy> {
        if matches!(self.weather(now), Weather::Storm { .. }) {
            return Vec::new();
        }
        let mut endpoints: BTreeMap<&str, (Seen, u64)> = BTreeMap::new();
        for (step, seen) in self.steps.iter().flat_map(|(step, of)| of.iter().map(move |seen| (step, seen))) {
            let (sum, last) = endpoints.entry(seen.0).or_default();
            sum.add(*seen.1);
            if seen.1.refused > 0.0 {
                *last = *step;
            }
        }
        let (limits, length) = (self.limits, self.length());
        let is_noisy = |seen: &Seen| seen.deliveries >= limits.min_deliveries && seen.ratio() > limits.ratio;
        let noisy = endpoints.into_iter().filter(|(_, (seen, _))| is_noisy(seen));
        // The end of the step.
        let at = |step: u64| length.saturating_mul(u32::try_from(step + 1).unwrap_or(u32::MAX));
        noisy
            .map(|(name, (seen, last))| Noisy { endpoint: name.to_owned(), ratio: seen.ratio(), last: at(last) })
            .collect()
    }

    fn length(&self) -> Duration {
        (self.limits.window / STEPS).max(Duration::from_millis(1))
    }

    /// Forgets what has left the window; the number of the present step.
    fn advance(&mut self, now: Duration) -> u64 {
        let length = self.length();
        let step = u64::try_from(now.as_millis() / length.as_millis()).unwrap_or(u64::MAX);
        while self.steps.front().is_some_and(|(oldest, _)| oldest + u64::from(STEPS) <= step) {
            self.steps.pop_front();
        }
        step
    }
}

#[cfg(test)]
#[path = "storm_tests.rs"]
mod tests;
