//! Who is on call, and when nobody is to be told. Pure: the time is an argument, in milliseconds since 1970.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::matcher::Matcher;

pub(crate) const MINUTE: i64 = 60_000;
const DAY: i64 = 1440 * MINUTE;

/// People who are on call one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// As routes call it.
    pub name: String,
    /// The receivers of the people, in their order. Never empty.
    pub people: Vec<String>,
    /// When the shift of the first of them began.
    pub start_ms: i64,
    /// How long each is on call.
    pub shift_ms: i64,
    /// Who stands in for whoever it is; the last one that covers a time counts.
    pub overrides: Vec<Substitute>,
}

/// Somebody else, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// From then on.
    pub from_ms: i64,
    /// Until before then.
    pub to_ms: i64,
    /// The receiver of whoever it is.
    pub who: String,
}

impl Rotation {
    /// Who is on call; none where there is nobody at all.
    #[must_use]
    pub fn on_call(&self, now_ms: i64) -> Option<&str> {
        let covers = |one: &&Substitute| one.from_ms <= now_ms && now_ms < one.to_ms;
        if let Some(one) = self.overrides.iter().rev().find(covers) {
            return Some(&one.who);
        }
        let people = i64::try_from(self.people.len()).ok().filter(|people| *people > 0)?;
        // Before the start it goes round the other way.
        let shift = now_ms.saturating_sub(self.start_ms).div_euclid(self.shift_ms.max(1)).rem_euclid(people);
        self.people.get(usize::try_from(shift).ok()?).map(String::as_str)
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

const WEEK: [Weekday; 7] =
    [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];

/// Days on which something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    /// Of every week; none: every day.
    Weekly(Vec<Weekday>),
    /// Days since 1970-01-01, in local time.
    Dates(Vec<i64>),
}

/// A time in which alerts are expected, and nobody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// As people call it.
    pub name: String,
    /// Which alerts.
    pub about: Matcher,
    /// On which days it begins.
    pub days: Days,
    /// Minutes after midnight at which it begins.
    pub from_minute: i64,
    /// Minutes after midnight before which it ends; not after `from_minute`: on the next day.
    pub to_minute: i64,
    /// What local time is ahead of UTC.
    pub utc_offset_minutes: i64,
}

impl Maintenance {
    /// Whether it is going on.
    #[must_use]
    pub fn is_on(&self, now_ms: i64) -> bool {
        let local = now_ms.saturating_add(self.utc_offset_minutes * MINUTE);
        let (day, minute) = (local.div_euclid(DAY), local.rem_euclid(DAY) / MINUTE);
        if self.from_minute < self.to_minute {
            return self.begins_on(day) && (self.from_minute..self.to_minute).contains(&minute);
        }
        (self.begins_on(day) && minute >= self.from_minute) || (self.begins_on(day - 1) && minute < self.to_minute)
    }

    fn begins_on(&self, day: i64) -> bool {
        match &self.days {
            Days::Weekly(days) if days.is_empty() => true,
            Days::Weekly(days) => days.contains(&weekday(day)),
            Days::Dates(dates) => dates.contains(&day),
        }
    }
}

/// 1970-01-01 was a Thursday.
fn weekday(day: i64) -> Weekday {
    WEEK[usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default()]
}

/// Alerts of which nobody is to be told for a time, because somebody said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Which alerts.
    pub about: Matcher,
    /// From then on.
    pub from_ms: i64,
    /// Until before then: every silence ends.
    pub until_ms: i64,
    /// Who said so.
    pub author: String,
    /// Why.
    pub comment: String,
}

impl Silence {
    /// Whether nobody is to be told of this one now.
    #[must_use]
    pub fn covers(&self, alert: &Alert, now_ms: i64) -> bool {
        self.from_ms <= now_ms && now_ms < self.until_ms && self.about.takes(alert)
    }
}

/// Somebody is at it: no further people are called, and nobody is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Which alerts.
    pub about: Matcher,
    /// Those that had begun by then, and no later ones.
    pub at_ms: i64,
    /// Who is at it.
    pub by: String,
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
