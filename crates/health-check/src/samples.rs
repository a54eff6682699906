//! Digests for tests.

use std::time::{Duration, SystemTime};

use common::health::v1::{Action, Age, Check, Consumer, Count, Digest, Hop, Membership, Queue, State};
use prost_types::Timestamp;

use crate::pipeline::{Model, View, Watched};
use crate::problems::Thresholds;

/// 2026-03-01 12:34:56 UTC
pub(crate) const NOW: u64 = 1_772_368_496;
pub(crate) const LIMITS: Thresholds = Thresholds {
    lag: [100.0, 1000.0],
    age: [60.0, 600.0],
    canary: [60.0, 600.0],
    dead_letters: 0.05,
    dead_letters_min: 20,
};

pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + seconds)
}

pub(crate) fn stamp(seconds: i64) -> Timestamp {
    Timestamp { seconds: NOW as i64 + seconds, nanos: 0 }
}

pub(crate) fn watched(services: &[(&str, u32)]) -> Vec<Watched> {
    services.iter().map(|(service, expected)| Watched { service: (*service).to_owned(), expected: *expected }).collect()
}

/// An instance that was started a day ago.
pub(crate) fn digest(service: &str, instance: &str, counts: &[(&str, u64, u64)]) -> Digest {
    let hop = service;
    Digest {
        service: service.to_owned(),
        version: "0.1.0".to_owned(),
        instance: instance.to_owned(),
        started_at: Some(stamp(-86_400)),
        at: Some(stamp(0)),
        ready: true,
        checks: vec![check(&format!("{service}_topics"), State::Ok, "all topics exist")],
        counts: counts
            .iter()
            .map(|(endpoint, taken_in, sent_on)| Count {
                hop: hop.to_owned(),
                endpoint: (*endpoint).to_owned(),
                hour: Some(stamp(-2096)),
                taken_in: *taken_in,
                sent_on: *sent_on,
                ..Count::default()
            })
            .collect(),
        ..Digest::default()
    }
}

pub(crate) fn check(name: &str, state: State, message: &str) -> Check {
    Check {
        name: name.to_owned(),
        state: state.into(),
        since: Some(stamp(-600)),
        action: Action::Page.into(),
        message: message.to_owned(),
        gates_readiness: true,
        ..Check::default()
    }
}

pub(crate) fn queue(hop: &str, lag: i64) -> Queue {
    Queue {
        group: format!("weir-{hop}"),
        topic: "raw.github".to_owned(),
        partition: 0,
        lag,
        hop: hop.to_owned(),
        ..Queue::default()
    }
}

/// A consumer with so many partitions.
pub(crate) fn consumer(hop: &str, membership: Membership, partitions: u32) -> Consumer {
    let waits_for = if membership == Membership::Member { String::new() } else { "its group".to_owned() };
    Consumer {
        hop: hop.to_owned(),
        group: format!("weir-{hop}"),
        membership: membership.into(),
        seconds: 7.0,
        waits_for,
        partitions,
    }
}

pub(crate) fn age(hop: &str, p99_seconds: f64) -> Age {
    Age { hop: hop.to_owned(), p50_seconds: p99_seconds / 3.0, p99_seconds }
}

/// Nobody is there.
pub(crate) fn refused() -> Result<Digest, String> {
    Err("connection refused".to_owned())
}

/// The stage of this name.
pub(crate) fn hop<'a>(view: &'a View, name: &str) -> &'a Hop {
    view.pipeline.hops.iter().find(|hop| hop.service == name).unwrap()
}

/// A model that was told this in one round.
pub(crate) fn told(watched: &[(&str, u32)], answers: Vec<(&str, &str, Result<Digest, String>)>) -> Model {
    let mut model = Model::new(self::watched(watched), LIMITS);
    tell(&mut model, answers, 0);
    model
}

/// A round at so many seconds after `NOW`.
pub(crate) fn tell(model: &mut Model, answers: Vec<(&str, &str, Result<Digest, String>)>, seconds: u64) {
    let present = answers.iter().map(|(service, address, _)| ((*service).to_owned(), (*address).to_owned())).collect();
    for (service, address, outcome) in answers {
        model.observe(service, address, outcome, at(seconds));
    }
    model.end_round(&present, at(seconds));
}

/// Four stages, half a minute of them.
pub(crate) fn whole(change: impl Fn(&mut Vec<(&'static str, &'static str, Result<Digest, String>)>)) -> View {
    let services = [("streaming", 2), ("processing", 2), ("enricher", 1), ("loader", 1)];
    let mut model = Model::new(watched(&services), LIMITS);
    for round in 0..6u64 {
        let mut answers: Vec<(&str, &str, Result<Digest, String>)> = vec![
            ("streaming", "http://10.0.0.1:9090", Ok(door("door-0:7", 40_000 + round * 600, 39_990 + round * 600))),
            ("streaming", "http://10.0.0.2:9090", Ok(door("door-1:7", 38_000 + round * 580, 37_991 + round * 580))),
            (
                "processing",
                "http://10.0.1.1:9090",
                Ok(stage("processing", "work-0:7", 120_000 + round * 1700, 118_000)),
            ),
            (
                "processing",
                "http://10.0.1.2:9090",
                Ok(stage("processing", "work-1:7", 119_000 + round * 1650, 117_000)),
            ),
            ("enricher", "http://10.0.2.1:9090", Ok(stage("enricher", "enrich-0:7", 235_000 + round * 3300, 234_800))),
            ("loader", "http://10.0.3.1:9090", Ok(stage("loader", "load-0:7", 230_000 + round * 3100, 230_000))),
        ];
        change(&mut answers);
        tell(&mut model, answers, round * 5);
    }
    model.view(at(26))
}

fn door(instance: &str, taken_in: u64, sent_on: u64) -> Digest {
    let mut digest = digest("streaming", instance, &[("acme-pages", taken_in, sent_on), ("my-repo", 900, 899)]);
    digest.counts[0].dropped = [("signature_mismatch".to_owned(), 7), ("rate_limited".to_owned(), 2)].into();
    digest.ages.push(age("streaming", 0.012));
    digest.checks.push(check("streaming_kafka", State::Ok, "acknowledges"));
    digest
}

fn stage(service: &str, instance: &str, taken_in: u64, sent_on: u64) -> Digest {
    let mut digest = digest(service, instance, &[("acme-pages", taken_in, sent_on), ("my-repo", 900, 899)]);
    let done = taken_in - sent_on;
    digest.counts[0].dead_lettered = if service == "processing" { 31 } else { 0 };
    digest.counts[0].sent_on = taken_in - done / 100 - 64;
    digest.counts[0].dropped = [("duplicate".to_owned(), done / 200)].into();
    digest.queues.push(queue(service, 17));
    digest.consumers.push(consumer(service, Membership::Member, 1));
    digest.ages.push(age(service, if service == "loader" { 48.0 } else { 0.31 }));
    digest.checks.push(check(&format!("{service}_log"), State::Ok, "answers"));
    digest
}
