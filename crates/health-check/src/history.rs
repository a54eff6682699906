//! What was before this moment: the numbers of the last hour, and the states of the last day. Pure.
//!
//! It is in memory and bounded: of at most 32 stages a point for each half minute (36 bytes, 120 of them), and the states of
//! each as times from minute to minute (24 bytes, 1440 at most). That is 1.3 MB if every stage changes its state each minute,
//! and usually less than 200 KB. After a restart it begins again, and says since when it watches.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::health::v1::{Hop, State};

use crate::cause::Cause;
use crate::pipeline::View;
use crate::urgency::rank;

/// Between two points.
const STEP_SECONDS: u64 = 30;
/// Points of one hour.
pub(crate) const POINTS: usize = 120;
/// Minutes of one day.
pub(crate) const MINUTES: u64 = 1440;
/// More stages than there are; whoever watches more has no trends of the rest.
const STAGES: usize = 32;
/// Of what was wrong, as people read it.
const LONGEST_SUMMARY: usize = 200;
/// As many times of the whole pipeline are told in words.
const TOLD: usize = 50;

/// The numbers of a stage at some time; none: not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    /// Half minutes since 1970.
    at: u32,
    pub(crate) taken_in: Option<f32>,
    pub(crate) sent_on: Option<f32>,
    pub(crate) lag: Option<f32>,
    pub(crate) age: Option<f32>,
}

/// A time in one state, which was the worst of each of its minutes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Time {
    /// Its first minute since 1970.
    pub(crate) from: u64,
    /// Its last one.
    pub(crate) to: u64,
    pub(crate) state: State,
}

/// States in the order of time, each minute once. Minutes in which nobody watched are in none of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Times(Vec<Time>);

impl Times {
    pub(crate) fn all(&self) -> &[Time] {
        &self.0
    }

    fn record(&mut self, minute: u64, state: State) {
        let last = self.0.last().cloned();
        match last {
            Some(last) if last.to == minute => {
                if rank(state) <= rank(last.state) {
                    return;
                }
                // The worst of a minute is that of all of it.
                self.0.pop();
                if last.from < minute {
                    self.0.push(Time { to: minute - 1, ..last });
                }
            }
            _ => {}
        }
        match self.0.last_mut() {
            Some(before) if before.to + 1 == minute && before.state == state => before.to = minute,
            _ => self.0.push(Time { from: minute, to: minute, state }),
        }
        let oldest = (minute + 1).saturating_sub(MINUTES);
        self.0.retain(|time| time.to >= oldest);
        if let Some(first) = self.0.first_mut() {
            first.from = first.from.max(oldest);
        }
    }

    /// What lies after this minute was told by a clock that was ahead.
    fn forget_after(&mut self, minute: u64) {
        self.0.retain(|time| time.from <= minute);
        if let Some(last) = self.0.last_mut() {
            last.to = last.to.min(minute);
        }
    }
}

/// Something that was wrong for a while.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// The cause that it is about; none: nobody watched.
    cause: Option<String>,
    /// So many stages it was about when it was summed up.
    stages: usize,
    pub(crate) from: SystemTime,
    /// When it was last so.
    pub(crate) to: SystemTime,
    pub(crate) state: State,
    pub(crate) summary: String,
}

impl Event {
    /// Whether it is a time in which nobody watched.
    pub(crate) fn is_gap(&self) -> bool {
        self.cause.is_none()
    }
}

/// The last hour and the last day of one stage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    points: VecDeque<Point>,
    pub(crate) day: Times,
}

impl Past {
    fn record(&mut self, hop: &Hop, now: SystemTime) {
        let at = (seconds(now) / STEP_SECONDS) as u32;
        let known = |value: f64, is: bool| is.then_some(value as f32);
        let point = Point {
            at,
            taken_in: known(hop.in_per_second, !hop.rates_unknown),
            sent_on: known(hop.out_per_second, !hop.rates_unknown),
            lag: known(hop.lag as f64, !hop.lag_unknown),
            age: hop.age_seconds.map(|age| age as f32),
        };
        self.day.record(seconds(now) / 60, hop.state());
        match self.points.back_mut() {
            Some(last) if last.at == at => {
                // Rates are over a minute as they are; a peak of the others must not be lost.
                let peak = |before: Option<f32>, now: Option<f32>| before.into_iter().chain(now).reduce(f32::max);
                *last = Point { lag: peak(last.lag, point.lag), age: peak(last.age, point.age), ..point };
            }
            _ => self.points.push_back(point),
        }
        let oldest = at.saturating_sub(POINTS as u32 - 1);
        while self.points.front().is_some_and(|point| point.at < oldest) {
            self.points.pop_front();
        }
    }

    /// What lies after this moment was told by a clock that was ahead.
    fn forget_after(&mut self, now: SystemTime) {
        self.day.forget_after(seconds(now) / 60);
        self.points.retain(|point| u64::from(point.at) <= seconds(now) / STEP_SECONDS);
    }

    /// The points of the last hour with their places: 0 is an hour ago, `POINTS - 1` is now.
    pub(crate) fn hour(&self, now: SystemTime) -> impl Iterator<Item = (usize, Point)> {
        let newest = seconds(now) / STEP_SECONDS;
        let place = move |point: &Point| (POINTS - 1).checked_sub(newest.checked_sub(point.at.into())? as usize);
        self.points.iter().filter_map(move |point| Some((place(point)?, *point)))
    }
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub(crate) since: Option<SystemTime>,
    stages: BTreeMap<String, Past>,
    /// Of the whole pipeline.
    pub(crate) day: Times,
    /// What was wrong with it, the latest last.
    pub(crate) events: VecDeque<Event>,
    /// Between two rounds.
    every: Duration,
    /// When the last round was, and the state then.
    last: Option<(SystemTime, State)>,
}

impl History {
    /// Nothing yet, of rounds as often as this.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, ..Self::default() }
    }

    /// Of a stage.
    pub(crate) fn of(&self, stage: &str) -> Option<&Past> {
        self.stages.get(stage)
    }

    /// Adds how the pipeline is now.
    pub fn record(&mut self, view: &View, now: SystemTime) {
        self.forget_after(now);
        self.since.get_or_insert(now);
        for hop in &view.pipeline.hops {
            if self.stages.contains_key(&hop.service) || self.stages.len() < STAGES {
                self.stages.entry(hop.service.clone()).or_default().record(hop, now);
            }
        }
        // Who is gone has no trend; its day is told no more.
        self.stages.retain(|name, _| view.pipeline.hops.iter().any(|hop| hop.service == *name));
        self.day.record(seconds(now) / 60, view.pipeline.state());
        self.note(view, now);
    }

    /// A clock that was ahead told of what has not been yet.
    fn forget_after(&mut self, now: SystemTime) {
        if self.last.is_none_or(|(at, _)| at <= now) {
            return;
        }
        self.since = self.since.map(|since| since.min(now));
        self.last = None;
        self.day.forget_after(seconds(now) / 60);
        self.stages.values_mut().for_each(|past| past.forget_after(now));
        // Nor was there a time without a watch until then.
        self.events.retain(|event| event.from <= now && !(event.is_gap() && event.to > now));
        for event in &mut self.events {
            event.to = event.to.min(now);
        }
    }

    /// Whether the last event goes on.
    pub(crate) fn goes_on(&self) -> bool {
        let last = self.last.map(|(at, _)| at);
        self.events.back().is_some_and(|event| !event.is_gap() && Some(event.to) == last)
    }

    /// Something is one event as long as its cause is there in one state, whatever else comes to it.
    fn note(&mut self, view: &View, now: SystemTime) {
        let state = view.pipeline.state();
        let before = self.last.replace((now, state));
        let is_next = |at: SystemTime| {
            // A minute without a round is a gap, where rounds are not that rare.
            seconds(now) / 60 <= seconds(at) / 60 + 1 || now.duration_since(at).is_ok_and(|time| time <= self.every * 2)
        };
        let watched = before.filter(|(at, _)| is_next(*at));
        if let (Some((from, _)), None) = (before, watched) {
            let summary = "health-check asked nobody".to_owned();
            self.events.push_back(Event { cause: None, stages: 0, from, to: now, state: State::Unknown, summary });
        }
        let last = self.events.back_mut().filter(|event| !event.is_gap() && watched == Some((event.to, state)));
        match last.and_then(|event| Some((about(view, event.cause.as_deref())?, event))) {
            _ if state == State::Ok => {}
            Some(((_, stages, summary), event)) => {
                event.to = now;
                // Where it reached most stages it says most.
                if stages > event.stages {
                    (event.stages, event.summary) = (stages, summary);
                }
            }
            None => self.events.extend(about(view, None).map(|(cause, stages, summary)| Event {
                cause: Some(cause),
                stages,
                from: now,
                to: now,
                state,
                summary,
            })),
        }
        let is_old = |event: &Event| now.duration_since(event.to).is_ok_and(|age| age.as_secs() > MINUTES * 60);
        while self.events.len() > TOLD || self.events.front().is_some_and(is_old) {
            self.events.pop_front();
        }
    }
}

/// What is wrong: the name, the stages and the summary of this cause, where it still is as urgent as all of the pipeline;
/// without a name of the most urgent one.
fn about(view: &View, cause: Option<&str>) -> Option<(String, usize, String)> {
    let state = view.pipeline.state();
    let short = |text: &str| text.chars().take(LONGEST_SUMMARY).collect();
    if view.causes.is_empty() {
        return cause.is_none_or(str::is_empty).then(|| (String::new(), 0, short(&view.pipeline.headline)));
    }
    let is_it = |one: &&Cause| cause.is_none_or(|id| one.id == id && one.urgency().state() == state);
    view.causes.iter().find(is_it).map(|one| (one.id.clone(), one.hops.len(), short(&one.summary)))
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
