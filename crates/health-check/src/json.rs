//! The pipeline as JSON: the names of the proto, enums in lower case, times as RFC 3339.

use common::health::v1::{self, Action, ErrorGroup, Hop, Instance, Pipeline, Problem, VolumeSummary};
use common::time::from_millis;
use serde::Serialize;
use service::digest_json::{CountJson, DigestJson, action_name, state_name};

use crate::cause::Cause;
use crate::healing::audit::{Attempt, Audit};
use crate::pipeline::View;
use crate::urgency::Urgency;

/// What `/status.json` answers.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "View describes the fields")]
pub struct ViewJson {
    #[serde(flatten)]
    pub pipeline: PipelineJson,
    pub balance: Vec<CountJson>,
    /// What was done without a person, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub healing: Vec<HealingJson>,
}

/// An attempt to heal something.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "docs/healing.md describes the fields")]
pub struct HealingJson {
    pub at: String,
    pub remedy: &'static str,
    pub target: String,
    pub reason: String,
    pub outcome: &'static str,
    pub problem: String,
}

/// A [`Pipeline`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct PipelineJson {
    pub name: String,
    pub state: &'static str,
    pub action: &'static str,
    pub headline: String,
    pub summary: String,
    pub causes: Vec<CauseJson>,
    pub at: String,
    /// As lines for people.
    pub problems: Vec<String>,
    /// The same, field by field.
    pub details: Vec<ProblemJson>,
    pub hops: Vec<HopJson>,
    pub instances: Vec<InstanceJson>,
    pub errors: Vec<ErrorGroupJson>,
    pub errors_window_seconds: u64,
    pub errors_dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeJson>,
}

/// A [`VolumeSummary`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct VolumeJson {
    pub ok: u32,
    pub quiet: u32,
    pub not_known: u32,
    pub irregular: u32,
    pub unusual: u32,
}

/// An [`ErrorGroup`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct ErrorGroupJson {
    pub hop: String,
    pub endpoint: String,
    pub kind: String,
    pub text: String,
    pub count: u64,
    pub first_at: Option<String>,
    pub last_at: Option<String>,
    pub instances: Vec<String>,
}

/// A [`Hop`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct HopJson {
    pub service: String,
    pub state: &'static str,
    pub instances: u32,
    pub expected: u32,
    pub action: &'static str,
    /// Null: not known.
    pub in_per_second: Option<f64>,
    pub out_per_second: Option<f64>,
    pub total: Option<CountJson>,
    pub lag: Option<i64>,
    pub age_seconds: Option<f64>,
    pub oldest_seconds: Option<f64>,
    /// Null: no canary is sent.
    pub canary_seconds: Option<f64>,
}

/// An [`Instance`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct InstanceJson {
    pub address: String,
    pub error: String,
    pub answered_at: Option<String>,
    pub digest: Option<DigestJson>,
}

/// A [`v1::Cause`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct CauseJson {
    pub state: &'static str,
    pub action: &'static str,
    pub urgency: &'static str,
    pub summary: String,
    pub advice: String,
    pub hops: Vec<String>,
    pub since: Option<String>,
    /// Places in `problems` and `details`.
    pub signs: Vec<usize>,
    pub consequences: Vec<usize>,
}

/// A [`Problem`], and when somebody has to do something about it.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct ProblemJson {
    pub state: &'static str,
    pub action: &'static str,
    pub urgency: &'static str,
    pub hops: Vec<String>,
    pub check: String,
    pub instances: Vec<String>,
    pub found: String,
    pub advice: String,
    pub since: Option<String>,
}

/// What the worst problem asks for, in lower case.
fn asks_for(action: Action) -> &'static str {
    if action == Action::Unspecified { "none" } else { action_name(action) }
}

impl From<View> for ViewJson {
    fn from(view: View) -> Self {
        let balance = view.balance.into_iter().map(CountJson::from).collect();
        Self { pipeline: view.pipeline.into(), balance, healing: Vec::new() }
    }
}

impl ViewJson {
    /// With what was done without a person.
    pub(crate) fn with_healing(self, audit: &Audit) -> Self {
        Self { healing: audit.attempts().into_iter().map(HealingJson::from).collect(), ..self }
    }
}

impl From<Attempt> for HealingJson {
    fn from(attempt: Attempt) -> Self {
        let Attempt { at_ms, remedy, target, reason, came, problem } = attempt;
        Self { at: from_millis(at_ms).to_string(), remedy, target, reason, outcome: came.name(), problem }
    }
}

impl From<Pipeline> for PipelineJson {
    fn from(pipeline: Pipeline) -> Self {
        Self {
            state: state_name(pipeline.state()),
            action: asks_for(pipeline.action()),
            name: pipeline.name,
            headline: pipeline.headline,
            summary: pipeline.summary,
            causes: pipeline.causes.iter().map(CauseJson::from).collect(),
            at: pipeline.at.unwrap_or_default().to_string(),
            problems: pipeline.problems,
            details: pipeline.details.into_iter().map(ProblemJson::from).collect(),
            hops: pipeline.hops.into_iter().map(HopJson::from).collect(),
            instances: pipeline.instances.into_iter().map(InstanceJson::from).collect(),
            errors: pipeline.errors.into_iter().map(ErrorGroupJson::from).collect(),
            errors_window_seconds: pipeline.errors_window_seconds,
            errors_dropped: pipeline.errors_dropped,
            volume: pipeline.volume.map(VolumeJson::from),
        }
    }
}

impl From<VolumeSummary> for VolumeJson {
    fn from(volume: VolumeSummary) -> Self {
        let VolumeSummary { ok, quiet, not_known, irregular, unusual } = volume;
        Self { ok, quiet, not_known, irregular, unusual }
    }
}

impl From<ErrorGroup> for ErrorGroupJson {
    fn from(group: ErrorGroup) -> Self {
        let ErrorGroup { hop, endpoint, kind, text, count, first_at, last_at, instances } = group;
        let [first_at, last_at] = [first_at, last_at].map(|at| at.map(|at| at.to_string()));
        Self { hop, endpoint, kind, text, count, first_at, last_at, instances }
    }
}

impl From<Hop> for HopJson {
    fn from(hop: Hop) -> Self {
        Self {
            state: state_name(hop.state()),
            action: asks_for(hop.action()),
            service: hop.service,
            instances: hop.instances,
            expected: hop.expected,
            in_per_second: (!hop.rates_unknown).then_some(hop.in_per_second),
            out_per_second: (!hop.rates_unknown).then_some(hop.out_per_second),
            total: hop.total.map(CountJson::from),
            lag: (!hop.lag_unknown).then_some(hop.lag),
            age_seconds: hop.age_seconds,
            oldest_seconds: hop.oldest_seconds,
            canary_seconds: hop.canary_seconds,
        }
    }
}

impl From<Instance> for InstanceJson {
    fn from(instance: Instance) -> Self {
        Self {
            address: instance.address,
            error: instance.error,
            answered_at: instance.answered_at.map(|at| at.to_string()),
            digest: instance.digest.map(DigestJson::from),
        }
    }
}

impl From<&v1::Cause> for CauseJson {
    fn from(told: &v1::Cause) -> Self {
        let cause = Cause::from(told);
        Self {
            state: state_name(cause.state),
            action: action_name(cause.action),
            urgency: cause.urgency().word(),
            summary: cause.summary,
            advice: cause.advice,
            hops: cause.hops,
            since: cause.since.map(|at| at.to_string()),
            signs: cause.signs,
            consequences: cause.consequences,
        }
    }
}

impl From<Problem> for ProblemJson {
    fn from(problem: Problem) -> Self {
        Self {
            state: state_name(problem.state()),
            action: action_name(problem.action()),
            urgency: Urgency::of(problem.state(), problem.action()).word(),
            hops: problem.hops,
            check: problem.check,
            instances: problem.instances,
            found: problem.found,
            advice: problem.advice,
            since: problem.since.map(|at| at.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::health::v1::State;
    use serde_json::json;

    use super::*;
    use crate::samples::{check, whole};

    /// Of `/status.json` and of `weir health --json`.
    #[test]
    fn each_problem_is_told_field_by_field() {
        let view = whole(|answers| {
            if let Ok(digest) = &mut answers[5].2 {
                digest.checks.push(check("loader_held", State::Failing, "3 requests are held"));
            }
        });
        let line = view.pipeline.problems[0].clone();
        let mut expected = json!({
            "state": "failing",
            "action": "page",
            "urgency": "now",
            "hops": ["loader"],
            "check": "loader_held",
            "instances": ["load-0:7"],
            "found": "3 requests are held",
            "since": "2026-03-01T12:24:56Z",
        });
        expected["advice"] = view.problems[0].advice.into();
        let of_the_pipeline = serde_json::to_value(PipelineJson::from(view.pipeline.clone())).unwrap();
        for told in [of_the_pipeline, serde_json::to_value(ViewJson::from(view)).unwrap()] {
            assert_eq!(told["problems"], json!([line]));
            assert_eq!(told["details"], json!([expected]));
        }
    }
}
