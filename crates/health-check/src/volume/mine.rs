//! What is usual in an hour of the week, and whether a count is. Pure.

use super::history::{ALL, DAY, HOUR, History, OTHERS, WEEK, WEEKS};

/// Days of which an hour must be known, where the hours of the week are too few.
const DAYS: usize = 7;

/// Weeks of pauses that must be known, the present one too: one of them is whole.
const WEEKS_OF_PAUSES: usize = 3;
/// So many times as long as a usual pause is no pause.
const BEYOND_PAUSES: f64 = 2.0;
/// In as many hours before, as many other times of the same kind make an endpoint irregular.
const LOOK_BACK: i64 = 2 * WEEK;
const IRREGULAR: usize = 2;

/// From when on a volume is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Nothing is said of an endpoint that has been known for fewer weeks.
    pub weeks: u32,
    /// Nothing is compared with fewer equal hours.
    pub samples: usize,
    /// The part of the equal hours that is below the usual volume. The same part is above it.
    pub quantile: f64,
    /// Low is less than this part of the lower end of the usual.
    pub low: f64,
    /// High is more than so many times the upper end of the usual; 0: never.
    pub high: f64,
    /// Where usually fewer come in an hour, no hour proves anything.
    pub floor: u32,
    /// Silent is where at least so many should have come since the last one, and at least twice as many as in the usual long
    /// pause; 0: never.
    pub silence: u32,
}

/// What an hour is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The same hour of the weeks before.
    Week,
    /// The same hour of the days before, because there are too few weeks.
    Day,
}

/// What usually comes in within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// The lower end.
    pub least: u32,
    /// The middle.
    pub middle: u32,
    /// The upper end.
    pub most: u32,
    /// Compared with what.
    pub basis: Basis,
}

/// What an hour was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// As usual.
    Ok,
    /// Less than usual.
    Low {
        /// So many came.
        count: u32,
        /// And so many usually.
        usual: Usual,
    },
    /// More than usual.
    High {
        /// So many came.
        count: u32,
        /// And so many usually.
        usual: Usual,
    },
    /// It cannot be said.
    NotKnown(Why),
}

/// Why it cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Not all of the hour was watched, or something was wrong at the door.
    NotWatched,
    /// The endpoint has not been known for long enough, or too few equal hours were watched.
    TooYoung,
    /// Usually too few come in the hour.
    TooFew,
    /// Instances did not list all endpoints one by one: some of its deliveries may be among the others.
    NotListed,
}

impl Rules {
    /// What is usual in an hour, from what was before it. Hours beside it count too, because clocks are changed twice a year:
    /// what is usual in one of the three is usual. None: too little is known.
    #[must_use]
    pub fn usual(&self, history: &History, endpoint: &str, hour: i64) -> Option<Usual> {
        if !self.is_old_enough(history, endpoint, hour) {
            return None;
        }
        self.of_weeks(history, endpoint, hour).or_else(|| of_days(history, endpoint, hour))
    }

    /// Whether it has been known for so many weeks.
    #[must_use]
    pub fn is_old_enough(&self, history: &History, endpoint: &str, hour: i64) -> bool {
        history.first(endpoint).is_some_and(|first| hour - first >= i64::from(self.weeks) * WEEK)
    }

    fn of_weeks(&self, history: &History, endpoint: &str, hour: i64) -> Option<Usual> {
        let mut usual: Option<Usual> = None;
        for beside in [0, -1, 1] {
            let (mut all, mut known) = ([0; WEEKS as usize], 0);
            for count in (1..=WEEKS).filter_map(|week| history.count(endpoint, hour + beside - week * WEEK)) {
                all[known] = count;
                known += 1;
            }
            let counts = &mut all[..known];
            counts.sort_unstable();
            if counts.len() < self.samples.max(1) {
                return None;
            }
            let last = counts.len() - 1;
            let below = ((self.quantile * last as f64) as usize).min(last);
            let (least, middle, most) = (counts[below], counts[last / 2], counts[last - below]);
            usual = Some(match usual {
                None => Usual { least, middle, most: most.max(least), basis: Basis::Week },
                Some(so_far) => Usual { least: so_far.least.min(least), most: so_far.most.max(most), ..so_far },
            });
        }
        usual
    }

    /// What a watched hour was.
    #[must_use]
    pub fn judge(&self, history: &History, endpoint: &str, hour: i64) -> Judgement {
        let Some(count) = history.listed(endpoint, hour) else { return Judgement::NotKnown(Why::NotWatched) };
        let Some(usual) = self.usual(history, endpoint, hour) else { return Judgement::NotKnown(Why::TooYoung) };
        let high = f64::from(usual.most.max(self.floor)) * self.high;
        if self.high > 0.0 && f64::from(count) > high {
            return Judgement::High { count, usual };
        }
        if usual.least < self.floor {
            return Judgement::NotKnown(Why::TooFew);
        }
        let low = f64::from(usual.least) * self.low;
        if f64::from(count) >= low {
            return Judgement::Ok;
        }
        // What is not listed may be of this endpoint.
        let others = if endpoint == ALL { 0 } else { history.so_far(OTHERS, hour) };
        let is_low = f64::from(count.saturating_add(others)) < low;
        if is_low { Judgement::Low { count, usual } } else { Judgement::NotKnown(Why::NotListed) }
    }

    /// The hour in which it began to be as in this one, within a day; none: that happens to the endpoint again and again, and
    /// says nothing.
    #[must_use]
    pub fn began(&self, history: &History, endpoint: &str, hour: i64) -> Option<i64> {
        let kind = |hour| std::mem::discriminant(&self.judge(history, endpoint, hour));
        let of_it = kind(hour);
        let first = (hour - DAY + 1..=hour).rev().take_while(|hour| kind(*hour) == of_it).last()?;
        let mut times = 0;
        let mut inside = true;
        for before in (hour - LOOK_BACK..first).rev() {
            let is_it = kind(before) == of_it;
            times += usize::from(is_it && !inside);
            inside = is_it;
            if times >= IRREGULAR {
                return None;
            }
        }
        Some(first)
    }

    /// From so many on that should have come, at least and in the middle, nothing comes by chance or as a usual pause; none:
    /// it is not known how long the pauses of the endpoint are. The second longest of all weeks is a usual one, so that one
    /// outage is not.
    #[must_use]
    pub fn silent_from(&self, history: &History, endpoint: &str) -> Option<[f64; 2]> {
        let pauses = history.pauses(endpoint);
        if self.silence == 0 || pauses.len() < WEEKS_OF_PAUSES {
            return None;
        }
        Some([f64::from(self.silence), BEYOND_PAUSES * f64::from(pauses[1])])
    }

    /// So many should have come from one second to another, at least and in the middle. An hour that was not watched from its beginning to its
    /// end counts from `clean` on. What is not known counts as nothing.
    #[must_use]
    pub fn expected(&self, history: &History, endpoint: &str, [from, clean, to]: [i64; 3]) -> [f64; 2] {
        if from >= to {
            return [0.0; 2];
        }
        let is_listed = |hour: &i64| endpoint == ALL || history.so_far(OTHERS, *hour) == 0;
        let of_hour = |hour: i64| {
            let from = if history.is_watched(hour) { from } else { from.max(clean) };
            let seconds = (to.min((hour + 1) * HOUR) - from.max(hour * HOUR)).max(0);
            let usual = || self.usual(history, endpoint, hour).map_or([0; 2], |usual| [usual.least, usual.middle]);
            if seconds == 0 { [0.0; 2] } else { usual().map(|usual| seconds as f64 / HOUR as f64 * f64::from(usual)) }
        };
        let hours = (from.div_euclid(HOUR)..=to.div_euclid(HOUR)).filter(is_listed).map(of_hour);
        hours.fold([0.0; 2], |[least, middle], [less, more]| [least + less, middle + more])
    }
}

/// The ends are the least and the most of all days: some of them are no working days.
fn of_days(history: &History, endpoint: &str, hour: i64) -> Option<Usual> {
    let days = |beside: i64| (1..=WEEKS * 7).filter_map(move |day| history.count(endpoint, hour + beside - day * DAY));
    let mut counts: Vec<u32> = days(0).collect();
    if counts.len() < DAYS {
        return None;
    }
    counts.sort_unstable();
    let middle = counts[(counts.len() - 1) / 2];
    let all = || [0, -1, 1].into_iter().flat_map(days);
    Some(Usual { least: all().min()?, middle, most: all().max()?, basis: Basis::Day })
}

#[cfg(test)]
#[path = "mine_tests.rs"]
mod tests;
