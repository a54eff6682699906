//! Replays recorded weeks, as they are and with faults.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use health_check::volume::{FindingKind, History, Rules, Watch};

/// Seconds between two looks. Health-check looks each minute.
const STEP: i64 = 300;
/// Of an hour.
pub(crate) const STEPS: usize = 12;
pub(crate) const DAY: usize = 24 * STEPS;
pub(crate) const WEEK: usize = 7 * DAY;
/// A Monday in January, in seconds since 1970.
pub(crate) const START: i64 = 1_767_571_200;
/// Faults begin in the seventh week, some times in each recording.
const FAULTS_FROM: usize = 6 * WEEK;
const MOMENTS: usize = 2;

/// The defaults that docs/volume.md names.
const RULES: Rules = Rules { weeks: 2, samples: 3, quantile: 0.25, low: 0.4, high: 3.0, floor: 20, silence: 30 };

pub(crate) fn watch() -> Watch {
    Watch::new(RULES, 500, Vec::new(), History::default())
}

/// By endpoint: how many came in each five minutes.
pub(crate) struct Recording {
    pub(crate) series: Vec<(String, Vec<u32>)>,
}

impl Recording {
    pub(crate) fn steps(&self) -> usize {
        self.series[0].1.len()
    }

    /// Of each endpoint: from so many an hour on, it is one of these.
    fn classes(&self) -> Vec<Class> {
        let mean = |counts: &[u32]| counts.iter().map(|count| f64::from(*count)).sum::<f64>() / counts.len() as f64;
        let class = |(_, counts): &(String, Vec<u32>)| match mean(counts) * STEPS as f64 {
            1000.0.. => Class::Loud,
            100.0.. => Class::Middle,
            20.0.. => Class::Soft,
            _ => Class::Quiet,
        };
        self.series.iter().map(class).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Loud,
    Middle,
    Soft,
    Quiet,
}

/// What was said, and when it began.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    active: BTreeSet<(String, &'static str)>,
    pub(crate) begun: Vec<(String, &'static str, usize)>,
}

impl Alarms {
    pub(crate) fn begun(&self) -> usize {
        self.begun.len()
    }

    fn of(&self, kind: &str) -> usize {
        self.begun.iter().filter(|(_, other, _)| *other == kind).count()
    }
}

/// `change` says what comes instead of a count of an endpoint in a step.
pub(crate) fn replay(
    watch: &mut Watch,
    recording: &Recording,
    steps: Range<usize>,
    mut change: impl FnMut(usize, usize, u32) -> u32,
    alarms: &mut Alarms,
) {
    let mut counts: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for step in steps {
        let hour = (START + step as i64 * STEP) / 3600;
        for (n, (name, series)) in recording.series.iter().enumerate() {
            *counts.entry((name.clone(), hour)).or_default() += u64::from(change(n, step, series[step]));
        }
        counts.retain(|(_, of), _| *of >= hour - 1);
        watch.look(START + (step as i64 + 1) * STEP, &counts, true);
        let kind = |kind: &FindingKind| match kind {
            FindingKind::Silent { .. } => "silent",
            FindingKind::Low { .. } => "low",
            FindingKind::High { .. } => "high",
        };
        let found = watch.findings().iter().map(|found| (found.endpoint.clone(), kind(&found.kind)));
        let active: BTreeSet<_> = found.collect();
        alarms.begun.extend(active.difference(&alarms.active).map(|(name, kind)| (name.clone(), *kind, step)));
        alarms.active = active;
    }
}

/// What comes instead: of the count, in the step after the fault began.
type Change = fn(usize, f64) -> f64;

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    change: Change,
    /// What finds it.
    kinds: &'static [&'static str],
    /// Days within which it may be found.
    days: usize,
    /// Of one endpoint, while the others go on: each third is tried. Else of all at once.
    one: bool,
}

const fn fault(name: &'static str, change: Change, kinds: &'static [&'static str]) -> Fault {
    Fault { name, change, kinds, days: 2, one: false }
}

const LESS: &[&str] = &["low", "silent"];

pub(crate) const FAULTS: [Fault; 10] = [
    fault("no delivery from a moment on", |_, _| 0.0, &["silent"]),
    Fault { one: true, ..fault("no delivery of one endpoint, the others go on", |_, _| 0.0, &["silent"]) },
    fault("10 % of the usual", |_, count| count * 0.1, LESS),
    fault("30 % of the usual", |_, count| count * 0.3, LESS),
    fault("50 % of the usual", |_, count| count * 0.5, LESS),
    fault("only five minutes of each hour", |step, count| if step.is_multiple_of(STEPS) { count } else { 0.0 }, LESS),
    fault("nothing for an hour, then as before", |step, count| if step < STEPS { 0.0 } else { count }, LESS),
    Fault { days: 14, ..fault("5 % less each day, for two weeks", |step, count| count * fade(step), LESS) },
    fault("twice the usual", |_, count| count * 2.0, &["high"]),
    fault("five times the usual", |_, count| count * 5.0, &["high"]),
];

fn fade(step: usize) -> f64 {
    (0..step / DAY).fold(1.0, |part, _| part * 0.95)
}

/// What became of one fault at endpoints of one class.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) trials: usize,
    /// Hours until it was found.
    pub(crate) hours: Vec<f64>,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) found: BTreeMap<(usize, Class), Found>,
    pub(crate) false_low: usize,
    pub(crate) false_high: usize,
    pub(crate) false_pages: usize,
    /// Weeks in which thresholds were known, of all recordings.
    pub(crate) weeks: usize,
    pub(crate) endpoints: usize,
}

impl Report {
    pub(crate) fn false_tickets(&self) -> usize {
        self.false_low + self.false_high
    }

    /// So large a part of the faults at endpoints with more than 20 an hour was found.
    pub(crate) fn must_find(&self, fault: &str, part: f64) {
        let of_it = self.found.iter().filter(|((n, class), _)| FAULTS[*n].name == fault && *class < Class::Quiet);
        let (trials, found) =
            of_it.fold((0, 0), |(trials, found), (_, one)| (trials + one.trials, found + one.hours.len()));
        assert!(trials > 0 && found as f64 >= trials as f64 * part, "{fault}: {found} of {trials}");
    }
}

/// Replays a recording as it is; and from some moments on, with each of the faults.
pub(crate) fn run(recording: &Recording, seed: u64, report: &mut Report) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut moments: Vec<usize> = (0..MOMENTS).map(|_| FAULTS_FROM + random.usize(..WEEK - DAY)).collect();
    moments.sort_unstable();
    let (mut watch, mut alarms, mut at) = (watch(), Alarms::default(), 0);
    for moment in moments {
        let hour = moment / STEPS * STEPS;
        replay(&mut watch, recording, at..hour, |_, _, count| count, &mut alarms);
        at = hour;
        for (n, fault) in FAULTS.iter().enumerate() {
            let endpoints = recording.series.len();
            // Of one endpoint: every third has its turn. Of all: there is one turn.
            let (turns, each) = if fault.one { (endpoints.div_ceil(3), 1) } else { (1, endpoints) };
            for whom in (0..turns).map(|turn| turn * 3..turn * 3 + each) {
                try_fault((n, fault), &watch, recording, [hour, moment], whom, &mut random, report);
            }
        }
    }
    replay(&mut watch, recording, at..recording.steps(), |_, _, count| count, &mut alarms);
    report.false_low += alarms.of("low");
    report.false_high += alarms.of("high");
    report.false_pages += alarms.of("silent");
    report.weeks += recording.steps() / WEEK - RULES.weeks as usize;
    report.endpoints = recording.series.len();
}

fn try_fault(
    (n, fault): (usize, &Fault),
    watch: &Watch,
    recording: &Recording,
    [hour, moment]: [usize; 2],
    whom: Range<usize>,
    random: &mut fastrand::Rng,
    report: &mut Report,
) {
    let (mut watch, mut alarms) = (watch.clone(), Alarms::default());
    let end = (moment + fault.days * DAY).min(recording.steps());
    let change = |endpoint: usize, step: usize, count: u32| {
        if step < moment || !whom.contains(&endpoint) {
            return count;
        }
        // By chance up or down, so that small counts keep their mean.
        ((fault.change)(step - moment, f64::from(count)) + random.f64()) as u32
    };
    replay(&mut watch, recording, hour..end, change, &mut alarms);
    let classes = recording.classes();
    for endpoint in whom.clone() {
        let name = &recording.series[endpoint].0;
        let is_it =
            |(of, kind, step): &&(String, &str, usize)| of == name && fault.kinds.contains(kind) && *step >= moment;
        let found = report.found.entry((n, classes[endpoint])).or_default();
        found.trials += 1;
        found.hours.extend(alarms.begun.iter().find(is_it).map(|(.., step)| (step - moment + 1) as f64 / STEPS as f64));
    }
}
