//! From digests over time to how the pipeline is. Pure: no clock, no network.
//!
//! * `stages`: which stages there are, and how each is
//! * `watching`: looks at the volume of the door

mod stages;
mod watching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime};

use common::health::v1::{Action, Count, Digest, FailureKind, Hop, Instance, Pipeline, State};

use crate::advice;
use crate::canary::Canaries;
use crate::cause::{self, Cause};
use crate::errors::entry::{Series, entries_of};
use crate::errors::group::groups;
use crate::errors::memory::{Memory, joined};
use crate::errors::rate::{self, Limits};
use crate::flow::{Flow, Run, RunId, Totals};
use crate::problems::{self, Problem, Thresholds};
use crate::stage::{Partition, partition};
use crate::urgency::{Urgency, headline};
use crate::volume::{Summary, Watch, door};

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const HOUR: i64 = 3600;
/// As many hours as services tell one by one.
const HOURS_BACK: i64 = 25;

/// As long as the group of one that is gone may wait before it gives its partitions to others: a session
/// (`bus.kafka.session_timeout_ms`, 45 s), and the time to get together again.
const SESSION: Duration = Duration::from_secs(60);

/// The window of errors, unless it is set.
const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

/// How many of those that ended may come back.
const ENDED: usize = 64;

/// A service that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub service: String,
    /// Instances that have to answer.
    pub expected: u32,
}

/// What is known of the place where an instance is asked.
#[derive(Debug, Clone)]
struct Place {
    service: String,
    address: String,
    run: Option<Run>,
    digest: Option<Digest>,
    error: String,
    answered_at: Option<SystemTime>,
}

impl Place {
    fn answers(&self) -> bool {
        self.digest.is_some() && self.error.is_empty()
    }
}

/// Everything that was told so far.
#[derive(Debug, Clone)]
pub struct Model {
    /// What the installation is called; empty: it has no name.
    name: String,
    watched: Vec<Watched>,
    /// The stages in the order of the data's way; others come after them.
    order: Vec<String>,
    limits: Thresholds,
    places: Vec<Place>,
    /// Each partition that somebody consumes, and when that was last told.
    partitions: BTreeMap<Partition, SystemTime>,
    /// The last that ended, latest last: one may come back at another address.
    ended: VecDeque<Run>,
    /// Those that ended before.
    settled: Totals,
    /// When everybody was last asked.
    asked: Option<SystemTime>,
    /// When what was told then says nothing any more.
    stale_after: Duration,
    /// The errors within the window.
    errors: Memory,
    /// What others know of them, where a store is shared that answers.
    shared: Option<Vec<Series>>,
    /// So many of them are too many.
    error_limits: Limits,
    /// Whether as much comes in as usual.
    volume: Option<Watch>,
    /// Which canaries passed which stage.
    canaries: Canaries,
}

/// The pipeline at one moment, and what the page shows beyond the proto.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// As gRPC tells it.
    pub pipeline: Pipeline,
    /// What is not as it should be, the worst first.
    pub problems: Vec<Problem>,
    /// What lies behind the problems, the most urgent first.
    pub causes: Vec<Cause>,
    /// For each hop of the pipeline: taken in, sent on and dead-lettered per second, over five minutes; none: not known.
    pub five_minutes: Vec<Option<[f64; 3]>>,
    /// For each hop of the pipeline: what it did in these five minutes, in counts; none: not known.
    pub lately: Vec<Option<Flow>>,
    /// Everything by hop, endpoint and hour; the latest hour first.
    pub balance: Vec<Count>,
    /// By stage: the errors within the window that count.
    pub errors: BTreeMap<String, u64>,
    /// How many endpoints had what kind of last hour; none: nobody watches the volume.
    pub volume: Option<Summary>,
    /// The endpoints of which nothing comes any more.
    pub silent: Vec<String>,
}

impl Model {
    /// Nobody was asked yet. Stages are shown in the order of `watched`.
    #[must_use]
    pub fn new(watched: Vec<Watched>, limits: Thresholds) -> Self {
        let order = watched.iter().map(|one| one.service.clone()).collect();
        let (places, partitions) = (Vec::new(), BTreeMap::new());
        let (ended, settled) = (VecDeque::new(), Totals::default());
        let (name, asked, stale_after) = (String::new(), None, Duration::MAX);
        let (errors, error_limits) = (Memory::new(HALF_AN_HOUR), Limits::default());
        Self {
            name,
            watched,
            order,
            limits,
            places,
            partitions,
            ended,
            settled,
            asked,
            stale_after,
            errors,
            shared: None,
            error_limits,
            volume: None,
            canaries: Canaries::default(),
        }
    }

    /// What the installation is called.
    #[must_use]
    pub fn called(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Errors count for so long, and so many are too many.
    #[must_use]
    pub(crate) fn with_errors(self, window: Duration, limits: Limits) -> Self {
        Self { errors: Memory::new(window), error_limits: limits, ..self }
    }

    /// Where one process has several stages: these, in this order.
    #[must_use]
    pub fn in_order(self, stages: &[&str]) -> Self {
        Self { order: stages.iter().map(|&stage| stage.to_owned()).collect(), ..self }
    }

    /// After so long without a round nothing is known any more.
    #[must_use]
    pub fn stale_after(self, stale_after: Duration) -> Self {
        Self { stale_after, ..self }
    }

    /// What came of asking at one address.
    pub fn observe(&mut self, service: &str, address: &str, outcome: Result<Digest, String>, now: SystemTime) {
        let found = self.places.iter().position(|place| place.service == service && place.address == address);
        let at = found.unwrap_or_else(|| {
            let (service, address) = (service.to_owned(), address.to_owned());
            self.places.push(Place {
                service,
                address,
                run: None,
                digest: None,
                error: String::new(),
                answered_at: None,
            });
            self.places.len() - 1
        });
        let digest = match outcome {
            Ok(digest) => digest,
            Err(error) => {
                self.places[at].error = error;
                return;
            }
        };
        self.partitions.extend(digest.queues.iter().map(|queue| (partition(queue), now)));
        let errors = entries_of(&digest, now);
        self.errors.watch(self.places.len());
        if let Some(first) = errors.iter().min_by_key(|entry| entry.place.number) {
            self.errors.forgot(digest.errors_forgotten, first, now);
        }
        self.errors.add(errors, now);
        self.canaries.observe(&digest);
        let id = RunId::of(&digest);
        let back = self.ended.iter().position(|run| run.id == id).and_then(|at| self.ended.remove(at));
        let place = &mut self.places[at];
        let mut before = place.run.take();
        if before.as_ref().is_none_or(|run| run.id != id) {
            self.end(before);
            before = back;
        }
        let mut run = before.unwrap_or_else(|| Run::new(&digest, now));
        if !run.update(&digest, now) {
            // Counts that went back are those of another run, whatever it calls itself.
            let before = std::mem::replace(&mut run, Run::new(&digest, now));
            self.settled.add(&before.end());
        }
        // Endpoints and hours are in the run, for all instances together: there may be thousands of them in each digest.
        let counts = run.totals.by_hop().iter().map(|(hop, flow)| flow.count(hop, "", None)).collect();
        self.places[at].run = Some(run);
        let place = &mut self.places[at];
        place.digest = Some(Digest { counts, errors: Vec::new(), ..digest });
        place.error.clear();
        place.answered_at = Some(now);
    }

    /// What all know of errors who share a store; none: it does not answer.
    pub(crate) fn share(&mut self, errors: Option<Vec<Series>>) {
        self.shared = errors;
    }

    /// A round of asking is over: who is not among `present` (service and address) is gone.
    pub fn end_round(&mut self, present: &BTreeSet<(String, String)>, now: SystemTime) {
        self.asked = Some(now);
        self.settled.lump(oldest_hour(now));
        self.errors.expire(now);
        let is_gone = |place: &mut Place| !present.contains(&(place.service.clone(), place.address.clone()));
        let gone: Vec<_> = self.places.extract_if(.., is_gone).collect();
        gone.into_iter().for_each(|place| self.end(place.run));
        // Who is silent may have its partitions still, until it is gone.
        let silent = self.places.iter().filter(|place| !place.answers()).filter_map(|place| place.digest.as_ref());
        self.partitions.extend(silent.flat_map(|digest| &digest.queues).map(|queue| (partition(queue), now)));
        self.partitions.retain(|_, told| now.duration_since(*told).is_ok_and(|age| age < SESSION));
        self.look_at_the_volume(prost_types::Timestamp::from(now).seconds);
    }

    /// What a run counted is kept; once, also where two addresses were those of one instance.
    fn end(&mut self, run: Option<Run>) {
        let Some(run) = run else { return };
        if self.places.iter().any(|place| place.run.as_ref().is_some_and(|other| other.id == run.id)) {
            return;
        }
        self.ended.push_back(run);
        if self.ended.len() > ENDED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.settled.add(&oldest.end());
        }
    }

    /// Each instance once, although two addresses may lead to it; one that answers before one that does not.
    fn instances(&self) -> Vec<&Place> {
        let mut places: Vec<&Place> = self.places.iter().collect();
        places.sort_by_key(|place| !place.answers());
        let mut seen: Vec<&RunId> = Vec::new();
        places.retain(|place| match &place.run {
            Some(run) if seen.contains(&&run.id) => false,
            Some(run) => {
                seen.push(&run.id);
                true
            }
            None => true,
        });
        places
    }

    /// How the pipeline is.
    #[must_use]
    pub fn view(&self, now: SystemTime) -> View {
        let instances = self.instances();
        let stages = self.stages(&instances);
        let mut totals = self.settled.clone();
        self.ended.iter().for_each(|run| totals.add(&run.clone().end()));
        instances.iter().filter_map(|place| place.run.as_ref()).for_each(|run| totals.add(&run.totals));
        totals.lump(oldest_hour(now));
        let by_hop = totals.by_hop();

        let mut problems = Vec::new();
        let (mut hops, mut five_minutes, mut lately) = (Vec::new(), Vec::new(), Vec::new());
        for stage in &stages {
            let flow = by_hop.get(&stage.hop).cloned().unwrap_or_default();
            let (hop, five) = self.hop(stage, &flow, now);
            let of_it = problems::of_hop(stage, &hop, five, self.limits, self.asked.is_some());
            hops.push(hop);
            five_minutes.push(five);
            lately.push(self.within(stage, FIVE_MINUTES, now));
            problems.extend(of_it);
        }
        problems.extend(self.canaries.look(&stages, &mut hops, self.limits.canary, now));
        problems.extend(door::found(&self.volume_told(now)));
        problems.extend(self.stale(&hops, now));
        let errors = joined(self.errors.series(now), self.shared.as_deref().unwrap_or_default());
        problems.extend(rate::problems(&errors, self.error_limits, self.errors.window()));
        let (groups, left_out) = groups(&errors);
        problems::arrange(&mut problems);
        let fine = if self.asked.is_some() { Urgency::Fine } else { Urgency::NotKnown };
        for hop in &mut hops {
            let of_it = problems.iter().filter(|problem| problem.hops.contains(&hop.service));
            let worst = of_it.map(Problem::urgency).max().unwrap_or(fine);
            hop.set_state(worst.state());
            hop.set_action(worst.action());
        }
        let fine = if hops.is_empty() { Urgency::NotKnown } else { fine };
        let order: Vec<&str> = hops.iter().map(|hop| hop.service.as_str()).collect();
        let causes = cause::causes(&problems, &order);
        let worst = causes.iter().map(Cause::urgency).max().unwrap_or(fine).max(fine);
        let headline = match (hops.is_empty(), self.asked) {
            (true, _) => "No service is watched".to_owned(),
            (false, None) => "Not known yet: no service has been asked".to_owned(),
            (false, Some(_)) => headline(worst, causes.iter().filter(|cause| cause.urgency() == worst).count()),
        };
        // What is for the record is no reason to look.
        let summary = causes.first().filter(|cause| cause.urgency() > Urgency::Note);
        let mut places: Vec<&Place> = self.places.iter().collect();
        places.sort_by_key(|place| self.watched.iter().position(|watched| watched.service == place.service));
        let mut balance: Vec<Count> =
            totals.0.iter().map(|((hop, endpoint, hour), flow)| flow.count(hop, endpoint, *hour)).collect();
        balance.retain(|count| count.taken_in > 0);
        let rank = |count: &Count| (std::cmp::Reverse(count.hour.map(|hour| hour.seconds)), self.place(&count.hop));
        balance.sort_by(|a, b| rank(a).cmp(&rank(b)).then(a.endpoint.cmp(&b.endpoint)));
        View {
            pipeline: Pipeline {
                state: worst.state().into(),
                action: worst.action().into(),
                headline,
                hops,
                instances: places.into_iter().map(instance).collect(),
                problems: problems.iter().map(Problem::to_string).collect(),
                details: problems.iter().map(Problem::told).collect(),
                at: Some(now.into()),
                name: self.name.clone(),
                summary: summary.map(Cause::sentence).unwrap_or_default(),
                causes: causes.iter().map(Cause::told).collect(),
                errors: groups,
                errors_window_seconds: self.errors.window().as_secs(),
                errors_dropped: self.errors.dropped() + left_out,
                volume: self.volume.as_ref().map(|watch| watch.summary().told()),
            },
            problems,
            causes,
            five_minutes,
            lately,
            balance,
            errors: rate::counted(&errors),
            volume: self.volume.as_ref().map(Watch::summary),
            silent: door::silent(&told),
        }
    }

    /// That nobody was asked for long: then nothing is known of any stage.
    fn stale(&self, hops: &[Hop], now: SystemTime) -> Option<Problem> {
        let age = now.duration_since(self.asked?).unwrap_or_default();
        (age > self.stale_after).then(|| Problem {
            state: State::Unknown,
            action: Action::Page,
            hops: hops.iter().map(|hop| hop.service.clone()).collect(),
            check: problems::ROUND_CHECK.to_owned(),
            instances: Vec::new(),
            found: format!("health-check has asked nobody for {} s", age.as_secs()),
            advice: advice::ROUND,
            since: self.asked.map(Into::into),
            failure: FailureKind::Unspecified,
        })
    }
}

fn instance(place: &Place) -> Instance {
    Instance {
        address: place.address.clone(),
        digest: place.digest.clone(),
        error: place.error.clone(),
        answered_at: place.answered_at.map(Into::into),
    }
}

/// Hours before this one are told together.
fn oldest_hour(now: SystemTime) -> i64 {
    prost_types::Timestamp::from(now).seconds.div_euclid(HOUR) * HOUR - HOURS_BACK * HOUR
}

#[cfg(test)]
#[path = "pipeline_ended_tests.rs"]
mod ended_tests;
#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "pipeline_unknown_tests.rs"]
mod unknown_tests;
