//! The digest as JSON: the names of the proto, enums in lower case, times as RFC 3339.

use std::collections::BTreeMap;

use common::health::v1::{
    Action, Age, Canary, Check, Consumer, Count, Digest, FailureKind, Membership, Queue, RecentErrors, State, Work,
};
use serde::Serialize;

/// A [`Digest`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct DigestJson {
    pub service: String,
    pub version: String,
    pub instance: String,
    pub started_at: String,
    pub at: String,
    pub ready: bool,
    pub checks: Vec<CheckJson>,
    pub counts: Vec<CountJson>,
    pub queues: Vec<QueueJson>,
    pub ages: Vec<AgeJson>,
    pub consumers: Vec<ConsumerJson>,
    pub works: Vec<WorkJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorsJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<CanaryJson>,
}

/// A [`Check`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct CheckJson {
    pub name: String,
    pub state: &'static str,
    pub since: String,
    pub action: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    pub gates_readiness: bool,
}

/// A [`Count`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct CountJson {
    pub hop: String,
    pub endpoint: String,
    pub hour: Option<String>,
    pub taken_in: u64,
    pub sent_on: u64,
    pub dead_lettered: u64,
    pub dropped: BTreeMap<String, u64>,
}

/// A [`Queue`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct QueueJson {
    pub hop: String,
    pub group: String,
    pub topic: String,
    pub partition: i32,
    /// Null: not known.
    pub lag: Option<i64>,
    pub stopped: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<String>,
}

/// A [`Consumer`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct ConsumerJson {
    pub hop: String,
    pub group: String,
    pub membership: &'static str,
    pub seconds: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub waits_for: String,
    pub partitions: u32,
}

/// A [`Work`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct WorkJson {
    pub hop: String,
    pub in_work: u64,
    pub oldest_seconds: Option<f64>,
    pub limit_seconds: Option<f64>,
}

/// An [`Age`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct AgeJson {
    pub hop: String,
    pub p50_seconds: f64,
    pub p99_seconds: f64,
}

/// A [`Canary`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct CanaryJson {
    pub hop: String,
    pub way: String,
    pub since: Option<String>,
    pub sent_at: Option<String>,
    pub passed_at: Option<String>,
}

/// [`RecentErrors`].
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the proto describes the fields")]
pub struct ErrorsJson {
    pub number: u64,
    pub hop: String,
    pub endpoint: String,
    pub kind: String,
    pub text: String,
    pub count: u64,
    pub at: String,
    pub last_at: String,
}

impl From<Digest> for DigestJson {
    fn from(digest: Digest) -> DigestJson {
        DigestJson {
            service: digest.service,
            version: digest.version,
            instance: digest.instance,
            started_at: digest.started_at.unwrap_or_default().to_string(),
            at: digest.at.unwrap_or_default().to_string(),
            ready: digest.ready,
            checks: digest.checks.into_iter().map(CheckJson::from).collect(),
            counts: digest.counts.into_iter().map(CountJson::from).collect(),
            queues: digest.queues.into_iter().map(QueueJson::from).collect(),
            ages: digest.ages.into_iter().map(AgeJson::from).collect(),
            consumers: digest.consumers.into_iter().map(ConsumerJson::from).collect(),
            works: digest.works.into_iter().map(WorkJson::from).collect(),
            errors: digest.errors.into_iter().map(ErrorsJson::from).collect(),
            canaries: digest.canaries.into_iter().map(CanaryJson::from).collect(),
        }
    }
}

impl From<Check> for CheckJson {
    fn from(check: Check) -> CheckJson {
        CheckJson {
            state: state_name(check.state()),
            action: action_name(check.action()),
            since: check.since.unwrap_or_default().to_string(),
            failure: failure_name(check.failure()),
            name: check.name,
            message: check.message,
            value: check.value,
            threshold: check.threshold,
            unit: check.unit,
            gates_readiness: check.gates_readiness,
        }
    }
}

impl From<Count> for CountJson {
    fn from(count: Count) -> CountJson {
        CountJson {
            hop: count.hop,
            endpoint: count.endpoint,
            hour: count.hour.map(|hour| hour.to_string()),
            taken_in: count.taken_in,
            sent_on: count.sent_on,
            dead_lettered: count.dead_lettered,
            dropped: count.dropped.into_iter().collect(),
        }
    }
}

impl From<Queue> for QueueJson {
    fn from(queue: Queue) -> QueueJson {
        let Queue { hop, group, topic, partition, lag, stopped, lag_unknown, oldest_at } = queue;
        let oldest_at = oldest_at.map(|at| at.to_string());
        QueueJson { hop, group, topic, partition, lag: (!lag_unknown).then_some(lag), stopped, oldest_at }
    }
}

impl From<Consumer> for ConsumerJson {
    fn from(consumer: Consumer) -> ConsumerJson {
        let membership = membership_name(consumer.membership());
        let Consumer { hop, group, seconds, waits_for, partitions, .. } = consumer;
        ConsumerJson { hop, group, membership, seconds, waits_for, partitions }
    }
}

impl From<Work> for WorkJson {
    fn from(work: Work) -> WorkJson {
        let Work { hop, in_work, oldest_seconds, limit_seconds } = work;
        WorkJson { hop, in_work, oldest_seconds, limit_seconds }
    }
}

impl From<Canary> for CanaryJson {
    fn from(canary: Canary) -> CanaryJson {
        let Canary { hop, way, since, sent_at, passed_at } = canary;
        let [since, sent_at, passed_at] = [since, sent_at, passed_at].map(|at| at.map(|at| at.to_string()));
        CanaryJson { hop, way, since, sent_at, passed_at }
    }
}

impl From<RecentErrors> for ErrorsJson {
    fn from(errors: RecentErrors) -> ErrorsJson {
        let RecentErrors { number, hop, endpoint, kind, text, count, at, last_at } = errors;
        let [at, last_at] = [at, last_at].map(|at| at.unwrap_or_default().to_string());
        ErrorsJson { number, hop, endpoint, kind, text, count, at, last_at }
    }
}

impl From<Age> for AgeJson {
    fn from(age: Age) -> AgeJson {
        let Age { hop, p50_seconds, p99_seconds } = age;
        AgeJson { hop, p50_seconds, p99_seconds }
    }
}

/// A state in lower case.
#[must_use]
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Warning => "warning",
        State::Failing => "failing",
        State::Unknown | State::Unspecified => "unknown",
    }
}

/// What is behind a check that is not ok, in lower case; none: that is not known.
#[must_use]
pub fn failure_name(failure: FailureKind) -> Option<&'static str> {
    match failure {
        FailureKind::Unspecified => None,
        FailureKind::Unreachable => Some("unreachable"),
        FailureKind::Credentials => Some("credentials"),
        FailureKind::Certificate => Some("certificate"),
        FailureKind::Protocol => Some("protocol"),
        FailureKind::NotAcknowledged => Some("not_acknowledged"),
        FailureKind::Missing => Some("missing"),
    }
}

/// What a consumer is, in lower case.
#[must_use]
pub fn membership_name(membership: Membership) -> &'static str {
    match membership {
        Membership::Starting => "starting",
        Membership::Away => "away",
        Membership::Joining => "joining",
        Membership::Member => "member",
        Membership::Spare => "spare",
        Membership::Unspecified => "unknown",
    }
}

/// An action class in lower case.
#[must_use]
pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::Page => "page",
        Action::Ticket => "ticket",
        Action::Log | Action::Unspecified => "log",
    }
}
