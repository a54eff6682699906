//! What went through, over restarts: totals that never lose what an instance counted before it ended, and rates.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use common::health::v1::{Count, Digest};
use prost_types::Timestamp;

/// Why what an instance had in work when it ended is no longer in work. It comes again from the log; at the door, its
/// sender was not thanked.
pub const INSTANCE_ENDED: &str = "instance_ended";

/// The longest window.
const LONGEST: Duration = Duration::from_secs(300);

/// How much of what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// As in `Count`.
    pub taken_in: u64,
    /// As in `Count`.
    pub sent_on: u64,
    /// As in `Count`.
    pub dead_lettered: u64,
    /// As in `Count`.
    pub dropped: BTreeMap<String, u64>,
}

impl Flow {
    /// Adds another.
    pub fn add(&mut self, other: &Flow) {
        self.taken_in += other.taken_in;
        self.sent_on += other.sent_on;
        self.dead_lettered += other.dead_lettered;
        for (reason, n) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += n;
        }
    }

    /// What came to it since another, which was before it; reasons of which nothing came are left out.
    pub fn minus(&self, before: &Flow) -> Flow {
        let dropped = self.dropped.iter().map(|(reason, n)| {
            (reason.clone(), n.saturating_sub(before.dropped.get(reason).copied().unwrap_or_default()))
        });
        Flow {
            taken_in: self.taken_in.saturating_sub(before.taken_in),
            sent_on: self.sent_on.saturating_sub(before.sent_on),
            dead_lettered: self.dead_lettered.saturating_sub(before.dead_lettered),
            dropped: dropped.filter(|(_, n)| *n > 0).collect(),
        }
    }

    /// All that was dropped.
    pub fn all_dropped(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// What was taken in and has no end yet.
    pub fn in_work(&self) -> u64 {
        self.taken_in.saturating_sub(self.sent_on + self.dead_lettered + self.all_dropped())
    }

    /// As the proto says it.
    pub fn count(&self, hop: &str, endpoint: &str, hour: Option<i64>) -> Count {
        Count {
            hop: hop.to_owned(),
            endpoint: endpoint.to_owned(),
            hour: hour.map(|seconds| Timestamp { seconds, nanos: 0 }),
            taken_in: self.taken_in,
            sent_on: self.sent_on,
            dead_lettered: self.dead_lettered,
            dropped: self.dropped.clone().into_iter().collect(),
        }
    }
}

impl From<&Count> for Flow {
    fn from(count: &Count) -> Self {
        Flow {
            taken_in: count.taken_in,
            sent_on: count.sent_on,
            dead_lettered: count.dead_lettered,
            dropped: count.dropped.iter().map(|(reason, n)| (reason.clone(), *n)).collect(),
        }
    }
}

/// Hop, endpoint, and the beginning of the hour.
pub type Key = (String, String, Option<i64>);

/// By hop, endpoint and hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals(pub BTreeMap<Key, Flow>);

impl Totals {
    fn of(digest: &Digest) -> Self {
        let mut totals = Totals::default();
        for count in &digest.counts {
            let key = (count.hop.clone(), count.endpoint.clone(), count.hour.map(|hour| hour.seconds));
            totals.0.entry(key).or_default().add(&Flow::from(count));
        }
        totals
    }

    /// Adds others.
    pub fn add(&mut self, other: &Totals) {
        for (key, flow) in &other.0 {
            self.0.entry(key.clone()).or_default().add(flow);
        }
    }

    /// Hours before `oldest` become one without hour.
    pub fn lump(&mut self, oldest: i64) {
        let is_old = |(_, _, hour): &Key, _: &mut Flow| hour.is_some_and(|hour| hour < oldest);
        let old: Vec<_> = self.0.extract_if(.., is_old).collect();
        for ((hop, endpoint, _), flow) in old {
            self.0.entry((hop, endpoint, None)).or_default().add(&flow);
        }
    }

    /// All endpoints and hours of each hop.
    pub fn by_hop(&self) -> BTreeMap<String, Flow> {
        let mut hops: BTreeMap<String, Flow> = BTreeMap::new();
        for ((hop, _, _), flow) in &self.0 {
            hops.entry(hop.clone()).or_default().add(flow);
        }
        hops
    }

    /// What is in work will never be told to have ended.
    fn end(mut self) -> Self {
        for flow in self.0.values_mut() {
            let left = flow.in_work();
            if left > 0 {
                *flow.dropped.entry(INSTANCE_ENDED.to_owned()).or_default() += left;
            }
        }
        self
    }
}

/// An instance from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunId {
    instance: String,
    started: Option<(i64, i32)>,
}

impl RunId {
    pub(crate) fn of(digest: &Digest) -> Self {
        let started = digest.started_at.map(|at| (at.seconds, at.nanos));
        Self { instance: digest.instance.clone(), started }
    }
}

/// What one instance counted, as far as it has told.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) totals: Totals,
    /// Oldest first; one of them may be older than the longest window.
    samples: VecDeque<(SystemTime, BTreeMap<String, Flow>)>,
}

impl Run {
    pub(crate) fn new(digest: &Digest, now: SystemTime) -> Self {
        let mut run = Self { id: RunId::of(digest), totals: Totals::of(digest), samples: VecDeque::new() };
        // It began with nothing, which tells rates before a second look.
        if let Some(started) = digest.started_at.and_then(|at| SystemTime::try_from(at).ok())
            && now.duration_since(started).is_ok_and(|age| age < LONGEST)
        {
            run.samples.push_back((started, BTreeMap::new()));
        }
        run.samples.push_back((now, run.totals.by_hop()));
        run
    }

    /// Takes in a later digest of the same run; false where it counts less than before, which no run does.
    pub(crate) fn update(&mut self, digest: &Digest, now: SystemTime) -> bool {
        let totals = Totals::of(digest);
        let (hops, before) = (totals.by_hop(), self.totals.by_hop());
        let less = |(hop, before): (&String, &Flow)| {
            let now = hops.get(hop).cloned().unwrap_or_default();
            now.taken_in < before.taken_in
                || now.sent_on < before.sent_on
                || now.dead_lettered < before.dead_lettered
                || now.all_dropped() < before.all_dropped()
        };
        if before.iter().any(less) {
            return false;
        }
        self.totals = totals;
        self.samples.push_back((now, hops));
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at).is_ok_and(|age| age >= LONGEST)) {
            self.samples.pop_front();
        }
        true
    }

    /// What it leaves behind.
    pub(crate) fn end(self) -> Totals {
        self.totals.end()
    }

    /// What a hop did in the window before `now` where this has ended: with what it had in work. None: it told nothing in it.
    pub(crate) fn ended_within(&self, hop: &str, window: Duration, now: SystemTime) -> Option<Flow> {
        let (mut flow, _) = self.within(hop, window, now)?;
        let lost = self.totals.by_hop().get(hop).map_or(0, Flow::in_work);
        if lost > 0 {
            flow.dropped.insert(INSTANCE_ENDED.to_owned(), lost);
        }
        Some(flow)
    }

    /// Taken in, sent on, dead-lettered: units per second of a hop over the window before `now`. None: it is not known, since it
    /// did not tell twice, or not within the window.
    pub(crate) fn rates(&self, hop: &str, window: Duration, now: SystemTime) -> Option<[f64; 3]> {
        let (flow, seconds) = self.within(hop, window, now)?;
        Some([flow.taken_in, flow.sent_on, flow.dead_lettered].map(|n| n as f64 / seconds))
    }

    /// What a hop did in the window before `now`, and in how many seconds: more of them where it was asked before the window,
    /// fewer where it was not. None: as with rates.
    pub(crate) fn within(&self, hop: &str, window: Duration, now: SystemTime) -> Option<(Flow, f64)> {
        let (last_at, last) = self.samples.back()?;
        let within = |at: &SystemTime| now.duration_since(*at).map_or(true, |age| age <= window);
        if !within(last_at) {
            return None;
        }
        // The last one before the window, so that all of the window is in it; else the first there is.
        let before = self.samples.iter().rev().find(|(at, _)| !within(at)).or(self.samples.front());
        let (first_at, first) = before?;
        let seconds = last_at.duration_since(*first_at).unwrap_or_default().as_secs_f64();
        if seconds <= 0.0 {
            return None;
        }
        let of = |hops: &BTreeMap<String, Flow>| hops.get(hop).cloned().unwrap_or_default();
        Some((of(last).minus(&of(first)), seconds))
    }
}
