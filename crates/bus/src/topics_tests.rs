use std::collections::BTreeMap;

use super::*;

const DAY_MS: i64 = 24 * 3600 * 1000;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn settings(replication_factor: i32) -> Settings {
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let mut settings: Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.replication_factor = replication_factor;
    settings
}

fn spec(kind: TopicKind) -> TopicSpec {
    TopicSpec { name: "things".to_owned(), kind }
}

/// Of a topic's configuration; none: it does not say it.
type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

/// The configuration that Weir gives the topic, and what brokers of Kafka add to it, with changes.
fn look(kind: TopicKind, replication_factor: i32, changes: Changes<'_>) -> Vec<TopicProblem> {
    let settings = settings(replication_factor);
    let spec = spec(kind);
    let (partitions, config) = shape(&settings, &spec);
    let brokers = [
        ("local.retention.ms", "-2"),
        ("local.retention.bytes", "-2"),
        ("remote.storage.enable", "false"),
        ("unclean.leader.election.enable", "false"),
        ("delete.retention.ms", "86400000"),
    ];
    let mut values: BTreeMap<_, _> = brokers.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    values.extend(config.into_iter().map(|(key, value)| (key.to_owned(), value)));
    for (key, value) in changes {
        match value {
            Some(value) => values.insert((*key).to_owned(), (*value).to_owned()),
            None => values.remove(*key),
        };
    }
    let replicas = usize::try_from(replication_factor).unwrap();
    let found = Found { partitions: usize::try_from(partitions).unwrap(), replicas };
    check(&settings, &spec, found, true, |key| values.get(key).cloned())
}

const LOG: TopicKind = TopicKind::Log { retention: WEEK };

#[test]
fn what_weir_makes_has_no_problem() {
    for replicas in [1, 3] {
        for kind in [LOG, TopicKind::Log { retention: WEEK / 7 }, TopicKind::Compacted] {
            assert_eq!(look(kind, replicas, &[]), [], "{kind:?}");
        }
    }
}

#[test]
fn every_topic_says_that_its_size_is_no_limit() {
    for kind in [LOG, TopicKind::Compacted] {
        let (_, config) = shape(&settings(3), &spec(kind));
        assert!(config.contains(&("retention.bytes", "-1".to_owned())), "{kind:?}: {config:?}");
    }
}

#[test]
fn whatever_removes_records_before_their_time_blocks_in_production() {
    let month = (30 * DAY_MS).to_string();
    let table: &[(TopicKind, Changes<'_>, &str)] = &[
        (LOG, &[("retention.bytes", Some("1073741824"))], "retention.bytes=1073741824"),
        (LOG, &[("retention.bytes", Some("0"))], "set it to -1"),
        (LOG, &[("retention.ms", Some("3600000"))], "raise retention.ms to 604800000"),
        (LOG, &[("local.retention.ms", Some("1000"))], "local.retention.ms=1000"),
        (LOG, &[("local.retention.bytes", Some("1000"))], "local.retention.bytes=1000"),
        (LOG, &[("message.timestamp.before.max.ms", Some("9223372036854775807"))], "set it to 86400000"),
        (LOG, &[("message.timestamp.before.max.ms", Some(&month))], "whose clock is behind"),
        (LOG, &[("message.timestamp.before.max.ms", Some("500"))], "are refused"),
        (LOG, &[("message.timestamp.before.max.ms", None)], "LogAppendTime"),
        (TopicKind::Compacted, &[("delete.retention.ms", Some("1000"))], "delete.retention.ms=1000"),
    ];
    for (kind, changes, part) in table {
        for (replicas, blocks) in [(1, false), (3, true)] {
            let problems = look(*kind, replicas, changes);
            assert_eq!(problems.len(), 1, "{changes:?}: {problems:?}");
            let problem = &problems[0];
            assert!(problem.problem.contains(part), "{problem:?}");
            assert!(problem.problem.contains("weir topics --commands"), "{problem:?}");
            assert_eq!((problem.blocks, problem.expires), (blocks, true), "{problem:?}");
        }
    }
    let always: &[(TopicKind, &str)] = &[
        (LOG, "compact"),
        (LOG, "compact,delete"),
        (TopicKind::Compacted, "delete"),
        (TopicKind::Compacted, "compact,delete"),
        (TopicKind::Compacted, "delete,compact"),
    ];
    for (kind, policy) in always {
        let problems = look(*kind, 1, &[("cleanup.policy", Some(policy))]);
        assert!(problems.len() == 1 && problems[0].blocks, "{kind:?} {policy}: {problems:?}");
    }
    let unclean = look(LOG, 3, &[("unclean.leader.election.enable", Some("true"))]);
    assert!(unclean.len() == 1 && unclean[0].blocks && !unclean[0].expires, "{unclean:?}");
}

#[test]
fn what_removes_nothing_is_no_problem() {
    let table: &[(TopicKind, Changes<'_>)] = &[
        (LOG, &[("retention.ms", Some("-1"))]),
        (LOG, &[("remote.storage.enable", Some("true")), ("local.retention.ms", Some("1000"))]),
        (LOG, &[("message.timestamp.type", Some("LogAppendTime")), ("message.timestamp.before.max.ms", None)]),
        (LOG, &[("message.timestamp.before.max.ms", Some("3600000"))]),
        (LOG, &[("segment.ms", Some("1000")), ("segment.bytes", Some("1048576"))]),
        (TopicKind::Compacted, &[("retention.ms", Some("1000")), ("retention.bytes", Some("1000"))]),
        // The embedded log has no clocks but one, and its topics of older versions do not say how large they may be.
        (LOG, &[("message.timestamp.type", None), ("retention.bytes", None)]),
    ];
    for (kind, changes) in table {
        assert_eq!(look(*kind, 3, changes), [], "{changes:?}");
    }
}

#[test]
fn topics_with_the_same_problem_are_told_together() {
    let problem = |topic: &str, problem: &str| TopicProblem {
        topic: topic.to_owned(),
        problem: problem.to_owned(),
        blocks: true,
        missing: false,
        expires: true,
    };
    let problems = [problem("a", "x"), problem("b", "y"), problem("c", "x"), problem("d", "x"), problem("e", "x")];
    assert_eq!(TopicProblem::text(&problems), "a, c, d, and 1 more: x; b: y");
    assert_eq!(TopicProblem::text(&[]), "");
}

#[test]
fn what_is_missing_is_told_by_its_count_and_with_one_command() {
    let settings = settings(3);
    let absent = |count: usize| -> Vec<TopicProblem> {
        let spec = |n: usize| {
            let kind = if n.is_multiple_of(2) { LOG } else { TopicKind::Log { retention: WEEK * 2 } };
            TopicSpec { name: format!("events.facebook.kind_{n:03}"), kind }
        };
        (1..=count).map(|n| missing(&settings, &spec(n))).collect()
    };
    let run = "missing: run `weir topics --create`, or apply what `weir topics --commands` prints";
    assert_eq!(TopicProblem::text(&absent(1)), format!("topic events.facebook.kind_001 is {run}"));
    let names = "events.facebook.kind_001, events.facebook.kind_002";
    assert_eq!(TopicProblem::text(&absent(2)), format!("2 topics are {run}; {names}"));
    assert_eq!(
        TopicProblem::text(&absent(124)),
        format!("124 topics are {run}; the first three: {names}, events.facebook.kind_003")
    );
}

#[test]
fn a_text_is_short_however_many_topics_have_whatever_problems() {
    let problem = |n: usize| TopicProblem {
        topic: format!("events.facebook.kind_{n:03}"),
        problem: format!("keeps its records for {n} ms: raise retention.ms to 604800000"),
        blocks: true,
        missing: false,
        expires: true,
    };
    let text = TopicProblem::text(&(1..=660).map(problem).collect::<Vec<_>>());
    assert!(text.len() < 500, "{} bytes: {text}", text.len());
    assert!(text.ends_with("and 657 more problems: `weir topics --check` lists all"), "{text}");
}
