//! Pipelines to look at: an hour of four stages that end well, with a warning, broken, or not known.

use std::time::{Duration, SystemTime};

use common::health::v1::{Action, Age, Check, Consumer, Count, Digest, FailureKind, Membership, Queue, State};
use health_check::history::History;
use health_check::pipeline::{Model, View, Watched};
use health_check::problems::Thresholds;
use prost_types::Timestamp;

/// 2026-03-01 12:34:56 UTC
const NOW: u64 = 1_772_368_496;
const STEP: u64 = 30;
const ROUNDS: u64 = 260;
const STAGES: [&str; 4] = ["streaming", "processing", "enricher", "loader"];
const LIMITS: Thresholds = Thresholds {
    lag: [100_000.0, 1_000_000.0],
    age: [300.0, 1800.0],
    canary: [180.0, 300.0],
    dead_letters: 0.05,
    dead_letters_min: 20,
};

/// How the last rounds are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Ok,
    /// The loader is behind.
    Warning,
    /// The brokers are away: the log of each stage fails, and what depends on it.
    Failing,
    /// Health-check has just begun.
    Unknown,
}

impl Ends {
    pub(crate) const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Failing, Self::Unknown];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failing => "failing",
            Self::Unknown => "unknown",
        }
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn stamp(seconds: u64) -> Option<Timestamp> {
    Some(Timestamp { seconds: seconds as i64, nanos: 0 })
}

/// The pipeline at the end, and what was before.
pub(crate) fn pipeline(ends: Ends) -> (View, History) {
    let expected = |service: &str| if service == "processing" { 2 } else { 1 };
    let watched = STAGES.map(|service| Watched { service: service.to_owned(), expected: expected(service) });
    let mut model = Model::new(watched.into(), LIMITS).called("shop, Frankfurt");
    let mut history = History::default();
    let mut view = model.view(at(NOW));
    let rounds = if ends == Ends::Unknown { 0 } else { ROUNDS };
    for round in 0..rounds {
        let now = NOW - (rounds - 1 - round) * STEP;
        // Twenty minutes that were over an hour ago.
        let was_away = (60..100).contains(&round);
        let ending = round + 8 >= rounds;
        let mut present = std::collections::BTreeSet::new();
        for service in STAGES {
            for instance in 0..expected(service) {
                let mut digest = digest(service, instance, round, now);
                if (was_away && service == "enricher") || (ending && ends == Ends::Failing) {
                    away(&mut digest, service, now);
                }
                if ending && ends == Ends::Warning && service == "loader" {
                    digest.queues[0].lag = 140_000;
                    digest.ages[0].p99_seconds = 420.0;
                }
                let address = format!("http://10.0.0.{}{instance}:9090", service.len());
                model.observe(service, &address, Ok(digest), at(now));
                present.insert((service.to_owned(), address));
            }
        }
        model.end_round(&present, at(now));
        view = model.view(at(now));
        history.record(&view, at(now));
    }
    if ends == Ends::Unknown {
        history.record(&view, at(NOW));
    }
    (view, history)
}

/// More came in the middle of the time.
fn so_far(round: u64) -> u64 {
    let busy = round.saturating_sub(150).min(60);
    round * 6_000 + busy * 9_000
}

fn digest(service: &str, instance: u32, round: u64, now: u64) -> Digest {
    let hour = |back: u64| stamp((now / 3600 - back) * 3600);
    let units = if service == "streaming" { 1 } else { 2 };
    let all = so_far(round) * units;
    let count = |endpoint: &str, hour, taken_in: u64| {
        let mut count = Count {
            hop: service.to_owned(),
            endpoint: endpoint.to_owned(),
            hour,
            taken_in,
            sent_on: taken_in,
            ..Count::default()
        };
        let take = |count: &mut Count, n: u64| {
            let n = n.min(count.sent_on);
            count.sent_on -= n;
            n
        };
        match service {
            "streaming" => {
                for (reason, share) in [("signature_mismatch", 900), ("rate_limited", 4000)] {
                    let n = take(&mut count, taken_in / share);
                    count.dropped.insert(reason.to_owned(), n);
                }
            }
            "processing" => {
                count.dead_lettered = take(&mut count, taken_in / 12_000);
                let n = take(&mut count, taken_in / 400);
                count.dropped.insert("duplicate".to_owned(), n);
            }
            _ => {
                take(&mut count, 30);
            }
        }
        count
    };
    let counts = vec![
        count("acme-pages", hour(0), all / 3),
        count("my-repo", hour(0), all / 6),
        count("acme-pages", hour(1), all / 3),
        count("my-repo", hour(1), all / 6),
    ];
    let lag = if (150..210).contains(&round) { 900 + round * 40 } else { 40 };
    let has_log = service != "streaming";
    let log = if has_log { format!("{service}_log") } else { "streaming_kafka".to_owned() };
    let mut digest = Digest {
        service: service.to_owned(),
        version: "0.1.0".to_owned(),
        instance: format!("{service}-{instance}:7"),
        started_at: stamp(NOW - 86_400),
        at: stamp(now),
        ready: true,
        checks: vec![
            check(&log, State::Ok, "answers", now),
            check(&format!("{service}_topics"), State::Ok, "all exist", now),
        ],
        counts,
        ages: vec![Age {
            hop: service.to_owned(),
            p50_seconds: 0.1,
            p99_seconds: if service == "loader" { 48.0 } else { 0.31 },
        }],
        ..Digest::default()
    };
    if has_log {
        digest.queues.push(Queue {
            group: format!("weir-{service}"),
            topic: "raw.github".to_owned(),
            partition: instance as i32,
            lag: lag as i64,
            hop: service.to_owned(),
            ..Queue::default()
        });
        digest.consumers.push(Consumer {
            hop: service.to_owned(),
            group: format!("weir-{service}"),
            membership: Membership::Member.into(),
            seconds: 700.0,
            partitions: 1,
            ..Consumer::default()
        });
    }
    digest
}

fn check(name: &str, state: State, message: &str, since: u64) -> Check {
    Check {
        name: name.to_owned(),
        state: state.into(),
        since: stamp(since),
        action: Action::Page.into(),
        message: message.to_owned(),
        gates_readiness: true,
        ..Check::default()
    }
}

fn away(digest: &mut Digest, service: &str, now: u64) {
    let message = "no broker is reachable: 10.0.9.1:9092/bootstrap: connect: Connection refused";
    let since = now.min(NOW - 200);
    let name = digest.checks[0].name.clone();
    digest.checks[0] = check(&name, State::Failing, message, since);
    digest.checks[0].set_failure(FailureKind::Unreachable);
    digest.ready = false;
    match service {
        "streaming" => {
            digest.checks.push(check("streaming_registrations", State::Unknown, "not read to the end", since));
        }
        "enricher" => {
            digest.checks.push(check(
                "enricher_load_requests",
                State::Failing,
                "3 are not acknowledged for 40 s",
                since,
            ));
        }
        _ => {}
    }
}
