//! What Weir asks of its topics.

use std::time::Duration;

use crate::Settings;

/// A topic that a service needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Without the prefix.
    pub name: String,
    /// How it keeps its records.
    pub kind: TopicKind,
}

/// How a topic keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// For a time.
    Log {
        /// How long.
        retention: Duration,
    },
    /// The latest of each key for ever, in one partition.
    Compacted,
}

/// What is wrong with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicProblem {
    /// With its prefix.
    pub topic: String,
    /// For people: what is wrong, and what to do.
    pub problem: String,
    /// Whether the service is not ready while it stands.
    pub blocks: bool,
}

/// A topic as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) partitions: usize,
    /// The fewest of any partition.
    pub(crate) replicas: usize,
}

/// What a topic is created with: partitions and configuration, named as Kafka names it.
pub fn shape(settings: &Settings, spec: &TopicSpec) -> (i32, Vec<(&'static str, String)>) {
    let mut config = vec![("max.message.bytes", settings.producer.max_record_bytes.to_string())];
    if settings.replication_factor > 1 {
        config.push(("min.insync.replicas", "2".to_owned()));
    }
    match spec.kind {
        TopicKind::Log { retention } => {
            config.push(("cleanup.policy", "delete".to_owned()));
            config.push(("retention.ms", retention.as_millis().to_string()));
            (settings.partitions, config)
        }
        TopicKind::Compacted => {
            config.push(("cleanup.policy", "compact".to_owned()));
            (1, config)
        }
    }
}

/// A topic that is not there, and is not to be created by Weir.
pub(crate) fn missing(settings: &Settings, spec: &TopicSpec) -> TopicProblem {
    let (partitions, config) = shape(settings, spec);
    let config: Vec<_> = config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let wanted = format!(
        "{partitions} partitions, replication factor {} and {}",
        settings.replication_factor,
        config.join(", ")
    );
    // Kafka hides what a principal may not describe.
    let (absent, allow) = if settings.kafka.security_protocol == "plaintext" {
        ("does not exist", "")
    } else {
        ("does not exist, or this service may not see it", ", or allow what `weir acls` says")
    };
    TopicProblem {
        topic: settings.full_name(&spec.name),
        problem: format!("{absent}: create it with {wanted}, or set bus.create_topics{allow}"),
        blocks: true,
    }
}

/// What is wrong with a topic that is there. `value` is what is known of its configuration, if anything is.
pub(crate) fn check(
    settings: &Settings,
    spec: &TopicSpec,
    found: Found,
    is_known: bool,
    value: impl Fn(&str) -> Option<String>,
) -> Vec<TopicProblem> {
    let mut problems = Vec::new();
    let mut problem = |problem: String, blocks: bool| {
        problems.push(TopicProblem { topic: settings.full_name(&spec.name), problem, blocks });
    };
    let number = |key: &str| value(key).and_then(|value| value.parse::<i64>().ok());

    if settings.replication_factor > 1 {
        if found.replicas < usize::try_from(settings.replication_factor).unwrap_or(0) {
            let (has, wants) = (found.replicas, settings.replication_factor);
            problem(
                format!(
                    "has {has} replicas of a partition, and bus.replication_factor asks for {wants}: reassign its replicas"
                ),
                true,
            );
        }
        if let Some(min) = number("min.insync.replicas").filter(|min| *min < 2) {
            problem(
                format!("has min.insync.replicas={min}: what is acknowledged may be lost with one broker; set it to 2"),
                true,
            );
        }
    }
    let largest = i64::try_from(settings.producer.max_record_bytes).unwrap_or(i64::MAX);
    if let Some(max) = number("max.message.bytes").filter(|max| *max < largest) {
        problem(
            format!(
                "has max.message.bytes={max}, and records may have {largest}: raise it, or lower bus.producer.max_record_bytes"
            ),
            true,
        );
    }
    let policy = value("cleanup.policy").unwrap_or_default();
    match spec.kind {
        TopicKind::Compacted => {
            if is_known && policy != "compact" {
                problem(format!("has cleanup.policy={policy}: registrations would be lost; set it to compact"), true);
            }
            if found.partitions != 1 {
                problem(
                    format!(
                        "has {} partitions: it must have one, to be read in order; create it anew",
                        found.partitions
                    ),
                    true,
                );
            }
        }
        TopicKind::Log { retention } => {
            if policy.contains("compact") {
                problem(format!("has cleanup.policy={policy}: records would be lost; set it to delete"), true);
            }
            let wanted = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
            if let Some(has) = number("retention.ms").filter(|has| *has >= 0 && *has < wanted) {
                problem(format!("keeps its records for {has} ms: raise retention.ms to {wanted}"), false);
            }
        }
    }
    problems
}
