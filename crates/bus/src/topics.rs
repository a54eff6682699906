//! What Weir asks of its topics.

use std::time::Duration;

use common::few::{NAMED, few};
pub use common::topics::{TopicKind, TopicSpec};

use crate::Settings;

mod removals;

/// By how much the clock of a producer may be wrong, at most: Kafka removes by the time that the producer gave.
const CLOCKS: Duration = Duration::from_secs(24 * 3600);
/// How long the removal of a key stays to be seen in a compacted topic.
const TOMBSTONES_MS: i64 = 24 * 3600 * 1000;

/// What is wrong with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicProblem {
    /// With its prefix.
    pub topic: String,
    /// For people: what is wrong, and what to do.
    pub problem: String,
    /// Whether the service is not ready while it stands.
    pub blocks: bool,
    /// Whether there is no such topic.
    pub missing: bool,
    /// Whether records are removed before their time while it stands: who reads them must not wait until it is mended.
    pub expires: bool,
}

impl TopicProblem {
    /// All of them in one text of a bounded length: the topics with the same problem together, those that are missing
    /// first. `weir topics --check` tells each.
    pub fn text(problems: &[TopicProblem]) -> String {
        let mut told = Vec::new();
        let missing: Vec<&TopicProblem> = problems.iter().filter(|problem| problem.missing).collect();
        match missing.as_slice() {
            [] => {}
            [one] => told.push(format!("topic {} is {}", one.topic, one.problem)),
            [first, ..] => {
                let named: Vec<&str> = missing.iter().take(NAMED).map(|problem| &*problem.topic).collect();
                let (count, first_ones) = (missing.len(), if missing.len() > NAMED { "the first three: " } else { "" });
                told.push(format!("{count} topics are {}; {first_ones}{}", first.problem, named.join(", ")));
            }
        }
        let mut grouped: Vec<(&str, Vec<&str>)> = Vec::new();
        for TopicProblem { topic, problem, .. } in problems.iter().filter(|problem| !problem.missing) {
            match grouped.iter_mut().find(|(known, _)| known == problem) {
                Some((_, topics)) => topics.push(topic),
                None => grouped.push((problem, vec![topic])),
            }
        }
        let kinds = grouped.len();
        told.extend(grouped.iter().take(NAMED).map(|(problem, topics)| format!("{}: {problem}", few(topics, ", "))));
        if kinds > NAMED {
            told.push(format!("and {} more problems: `weir topics --check` lists all", kinds - NAMED));
        }
        told.join("; ")
    }
}

/// What a topic keeps of its records, whether they were read or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// How long; none: for ever.
    pub time: Option<Duration>,
    /// How much in a partition; none: all.
    pub bytes: Option<u64>,
}

impl Kept {
    pub(crate) fn read(value: impl Fn(&str) -> Option<String>) -> Self {
        let number = |key: &str| value(key).and_then(|value| value.parse::<u64>().ok());
        let deletes = value("cleanup.policy").is_some_and(|policy| policy.contains("delete"));
        let of = |key: &str| number(key).filter(|_| deletes);
        Self { time: of("retention.ms").map(Duration::from_millis), bytes: of("retention.bytes") }
    }
}

/// A topic as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) partitions: usize,
    /// The fewest of any partition.
    pub(crate) replicas: usize,
}

/// What a topic is created with: partitions and configuration, named as Kafka names it. What removes records is set in
/// any case, whatever the brokers have by default.
pub fn shape(settings: &Settings, spec: &TopicSpec) -> (i32, Vec<(&'static str, String)>) {
    let mut config = vec![("max.message.bytes", settings.producer.max_record_bytes.to_string())];
    if settings.replication_factor > 1 {
        config.push(("min.insync.replicas", "2".to_owned()));
    }
    let unlimited = ("retention.bytes", "-1".to_owned());
    match spec.kind {
        TopicKind::Log { retention } => {
            let clocks = CLOCKS.min(retention / 2).as_millis().to_string();
            config.push(("cleanup.policy", "delete".to_owned()));
            config.push(("retention.ms", retention.as_millis().to_string()));
            config.push(unlimited);
            config.push(("message.timestamp.type", "CreateTime".to_owned()));
            config.push(("message.timestamp.before.max.ms", clocks.clone()));
            config.push(("message.timestamp.after.max.ms", clocks));
            (settings.partitions, config)
        }
        TopicKind::Compacted => {
            config.push(("cleanup.policy", "compact".to_owned()));
            config.push(("delete.retention.ms", TOMBSTONES_MS.to_string()));
            config.push(unlimited);
            (1, config)
        }
    }
}

/// A topic that is not there, and is not to be created by Weir.
pub(crate) fn missing(settings: &Settings, spec: &TopicSpec) -> TopicProblem {
    // Kafka hides what a principal may not describe.
    let hidden = if settings.kafka.security_protocol == "plaintext" {
        ""
    } else {
        ", or hidden from this service (`weir acls` prints the rights that it needs)"
    };
    TopicProblem {
        topic: settings.full_name(&spec.name),
        problem: format!("missing{hidden}: run `weir topics --create`, or apply what `weir topics --commands` prints"),
        blocks: true,
        missing: true,
        expires: false,
    }
}

/// A topic whose configuration may not be read: what it does with its records is not known.
pub(crate) fn hidden(settings: &Settings, spec: &TopicSpec, reason: &str) -> TopicProblem {
    TopicProblem {
        topic: settings.full_name(&spec.name),
        problem: format!(
            "its configuration cannot be read ({reason}) and is not checked: grant DescribeConfigs, `weir acls` prints how"
        ),
        blocks: false,
        missing: false,
        expires: false,
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
        let topic = settings.full_name(&spec.name);
        problems.push(TopicProblem { topic, problem, blocks, missing: false, expires: false });
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
                format!("has min.insync.replicas={min}: acknowledged records may be lost with one broker; set it to 2"),
                true,
            );
        }
        if value("unclean.leader.election.enable").is_some_and(|value| value == "true") {
            problem(
                "has unclean.leader.election.enable=true: a replica that lacks acknowledged records may become the \
                 leader; set it to false"
                    .to_owned(),
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
    if spec.kind == TopicKind::Compacted && found.partitions != 1 {
        let has = found.partitions;
        problem(format!("has {has} partitions: it must have one, so that it is read in order; recreate it"), true);
    }
    if is_known {
        problems.extend(removals::check(settings, spec, &value));
    }
    problems
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
