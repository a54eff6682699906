//! Whether canaries arrive, and which stage they have not passed. Pure.
//!
//! Each door says on which ways it sends them, and each stage which passed it last on each way. A canary that the door has sent
//! waits for a stage until that one, or a later one, has passed it. Of several instances of a stage the latest counts: whoever
//! has the partition now may have it since a moment ago. What was told is kept, because the one that told it may be gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::SystemTime;

use common::health::v1::{Action, Canary, Digest, FailureKind, Hop, State};
use prost_types::Timestamp;

use crate::problems::Problem;
use crate::stage::Stage;
use crate::urgency::beyond;
use crate::volume::door::DOOR;

/// The name of the check.
pub(crate) const CHECK: &str = "canary";

/// So many that were sent are remembered of each way: the oldest that waits, and the latest.
const REMEMBERED: usize = 100;

const ADVICE: &str = "Look at the other checks of this stage, and at its log: what stands behind the canary waits as well. If \
                      nothing is wrong there, look whether every instance is of a version that knows canaries.";

/// The last that passed a stage on a way.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Last {
    sent: SystemTime,
    passed: SystemTime,
}

/// What was told of canaries so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Canaries {
    /// When canaries were sent, by way, the oldest first.
    sent: BTreeMap<String, VecDeque<SystemTime>>,
    /// By stage and way.
    passed: BTreeMap<(String, String), Last>,
}

/// How long the oldest canary has waited for a stage, of all ways.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    way: String,
    /// Since it was sent, in seconds; of the door: since the last was sent.
    waits: f64,
    /// On how many ways one waits for so long that it is not as it should be.
    late: usize,
    /// The door that says it.
    instance: Option<String>,
}

impl Canaries {
    /// Takes in what an instance tells.
    pub(crate) fn observe(&mut self, digest: &Digest) {
        for Canary { hop, way, sent_at, passed_at, .. } in &digest.canaries {
            let (Some(sent), Some(passed)) = (time(sent_at.as_ref()), time(passed_at.as_ref())) else { continue };
            if hop == DOOR {
                self.was_sent(way, sent);
            }
            let told = Last { sent, passed };
            let last = self.passed.entry((hop.clone(), way.clone())).or_insert(told);
            if last.sent < sent {
                *last = told;
            }
        }
    }

    fn was_sent(&mut self, way: &str, at: SystemTime) {
        let sent = self.sent.entry(way.to_owned()).or_default();
        // Several doors send on one way, and each tells its last one again and again.
        if let Err(place) = sent.binary_search(&at) {
            sent.insert(place, at);
        }
        if sent.len() > REMEMBERED {
            sent.remove(1);
        }
    }

    /// Tells of each hop, which is that of the stage at the same place, how long the oldest canary has waited for it: none
    /// where none is sent, or it is on no way. Gives the first that one has not passed in time; they are in the order of the
    /// data's way.
    pub(crate) fn look(
        &self,
        stages: &[Stage<'_>],
        hops: &mut [Hop],
        limits: [f64; 2],
        now: SystemTime,
    ) -> Option<Problem> {
        let ways = ways(stages);
        let (mut problem, mut before): (_, Option<&str>) = (None, None);
        for (stage, hop) in stages.iter().zip(hops) {
            let Some(standing) = self.standing(stage, &ways, limits, now) else { continue };
            hop.canary_seconds = Some(standing.waits);
            if problem.is_none()
                && let Some(state) = beyond(standing.waits, limits)
            {
                problem = Some(self.problem(stage, state, standing, before, now));
            }
            before = Some(&stage.hop);
        }
        problem
    }

    fn standing(
        &self,
        stage: &Stage<'_>,
        ways: &BTreeSet<&str>,
        limits: [f64; 2],
        now: SystemTime,
    ) -> Option<Standing> {
        let waits: Vec<(&str, f64, Option<&str>)> = match stage.hop.as_str() {
            DOOR => of_doors(stage, now).collect(),
            "processing" | "enricher" | "loader" => {
                ways.iter().map(|way| (*way, self.waits(&stage.hop, way, now), None)).collect()
            }
            _ => return None,
        };
        let late = waits.iter().filter(|(_, waits, _)| beyond(*waits, limits).is_some()).count();
        let (way, waits, instance) = waits.into_iter().max_by(|(_, a, _), (_, b, _)| a.total_cmp(b))?;
        Some(Standing { way: way.to_owned(), waits, late, instance: instance.map(str::to_owned) })
    }

    /// How long the oldest canary of a way has waited for a stage behind the door; 0: none waits.
    fn waits(&self, hop: &str, way: &str, now: SystemTime) -> f64 {
        let last = self.last(hop, way).map(|last| last.sent);
        let mut sent = self.sent.get(way).into_iter().flatten();
        sent.find(|sent| last.is_none_or(|last| last < **sent)).map_or(0.0, |sent| seconds(*sent, now))
    }

    fn last(&self, hop: &str, way: &str) -> Option<&Last> {
        self.passed.get(&(hop.to_owned(), way.to_owned()))
    }

    fn problem(
        &self,
        stage: &Stage<'_>,
        state: State,
        standing: Standing,
        before: Option<&str>,
        now: SystemTime,
    ) -> Problem {
        let Standing { way, waits, late, instance } = standing;
        let hop = &stage.hop;
        let passed = |hop: &str| self.last(hop, &way).map(|last| seconds(last.passed, now));
        let mut found = match before.and_then(|before| Some((before, passed(before)?))) {
            Some((before, ago)) => format!("the last canary of {way} passed {before} {ago:.0} s ago, and none"),
            None => format!("no canary of {way}"),
        };
        match passed(hop).filter(|_| before.is_some()) {
            Some(ago) => found.push_str(&format!(" has passed {hop} for {ago:.0} s")),
            None => found.push_str(&format!(" has passed {hop} for {waits:.0} s")),
        }
        if late > 1 {
            found.push_str(&format!("; likewise {} more", late - 1));
        }
        Problem {
            state,
            action: Action::Page,
            hops: vec![hop.clone()],
            check: CHECK.to_owned(),
            instances: instance.into_iter().collect(),
            found,
            advice: ADVICE,
            since: None,
            failure: FailureKind::Unspecified,
        }
    }
}

/// On which ways canaries are sent now. Where no door answers, nothing is known of any.
fn ways<'a>(stages: &[Stage<'a>]) -> BTreeSet<&'a str> {
    let doors = stages.iter().filter(|stage| stage.hop == DOOR).flat_map(of_door);
    doors.map(|(_, canary)| canary.way.as_str()).collect()
}

fn of_door<'a>(stage: &Stage<'a>) -> impl Iterator<Item = (&'a Digest, &'a Canary)> + use<'a> {
    let live: Vec<&Digest> = stage.live.iter().map(|(digest, _)| *digest).collect();
    let all = live.into_iter().flat_map(|digest| digest.canaries.iter().map(move |canary| (digest, canary)));
    all.filter(|(_, canary)| canary.hop == DOOR)
}

/// Of each door and way since when none has become durable.
fn of_doors<'a>(stage: &Stage<'a>, now: SystemTime) -> impl Iterator<Item = (&'a str, f64, Option<&'a str>)> + use<'a> {
    of_door(stage).filter_map(move |(digest, canary)| {
        let since = time(canary.sent_at.as_ref()).or_else(|| time(canary.since.as_ref()))?;
        Some((canary.way.as_str(), seconds(since, now), Some(digest.instance.as_str())))
    })
}

fn time(at: Option<&Timestamp>) -> Option<SystemTime> {
    SystemTime::try_from(*at?).ok()
}

fn seconds(since: SystemTime, now: SystemTime) -> f64 {
    now.duration_since(since).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
