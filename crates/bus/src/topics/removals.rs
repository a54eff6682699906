//! Everything in a topic's configuration by which records go before their time, and what keeps them.
//!
//! Values that the brokers give to all topics count as the topic's own. What only says when segments are closed or
//! compacted (`segment.*`, `min.compaction.lag.ms`, `max.compaction.lag.ms`) removes nothing that is still to be read.

use super::{CLOCKS, TOMBSTONES_MS, TopicKind, TopicProblem, TopicSpec};
use crate::Settings;

const HOW: &str = "(`weir topics --commands` prints how)";

/// In production they keep the service from being ready, elsewhere they are told. That a topic is compacted the wrong way
/// is never right.
pub(super) fn check(
    settings: &Settings,
    spec: &TopicSpec,
    value: &impl Fn(&str) -> Option<String>,
) -> Vec<TopicProblem> {
    let production = settings.replication_factor > 1;
    let policy = value("cleanup.policy").unwrap_or_default();
    let found = match spec.kind {
        TopicKind::Compacted => compacted(&policy, value),
        TopicKind::Log { retention } => {
            let wanted = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
            let queued = i64::from(settings.kafka.delivery_timeout_ms);
            let mut found = log(&policy, wanted, value);
            found.extend(clocks(wanted, queued, value).map(|problem| (problem, false)));
            found
        }
    };
    let told = found.into_iter().map(|(problem, always)| TopicProblem {
        topic: settings.full_name(&spec.name),
        problem: format!("{problem} {HOW}"),
        blocks: production || always,
        missing: false,
        expires: true,
    });
    told.collect()
}

fn number(value: &impl Fn(&str) -> Option<String>, key: &str) -> Option<i64> {
    value(key).and_then(|value| value.parse().ok())
}

/// Each problem, and whether it blocks everywhere.
fn compacted(policy: &str, value: &impl Fn(&str) -> Option<String>) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    if policy != "compact" {
        found.push((format!("has cleanup.policy={policy}: registrations would be lost; set it to compact"), true));
    }
    if let Some(has) = number(value, "delete.retention.ms").filter(|has| *has < TOMBSTONES_MS) {
        let problem =
            format!("has delete.retention.ms={has}: a reader may miss the removal of a key; set it to {TOMBSTONES_MS}");
        found.push((problem, false));
    }
    found
}

/// `wanted`: for how many milliseconds records have to stay.
fn log(policy: &str, wanted: i64, value: &impl Fn(&str) -> Option<String>) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    if policy.contains("compact") {
        found.push((format!("has cleanup.policy={policy}: records would be lost; set it to delete"), true));
    }
    if let Some(has) = number(value, "retention.ms").filter(|has| *has >= 0 && *has < wanted) {
        found.push((format!("keeps its records for {has} ms: raise retention.ms to {wanted}"), false));
    }
    if let Some(has) = number(value, "retention.bytes").filter(|has| *has >= 0) {
        let problem = format!(
            "has retention.bytes={has}: a larger partition loses its oldest records, even unread ones; set it to -1 on the \
             topic, whatever log.retention.bytes of the brokers is"
        );
        found.push((problem, false));
    }
    // With remote storage these say only when a record is there alone. Without, nobody meant them as they are.
    if value("remote.storage.enable").as_deref() != Some("true") {
        for (key, least) in [("local.retention.ms", wanted), ("local.retention.bytes", i64::MAX)] {
            if let Some(has) = number(value, key).filter(|has| *has >= 0 && *has < least) {
                let problem = format!(
                    "has {key}={has} without remote.storage.enable: the brokers may remove records that are stored nowhere \
                     else; set it to -2"
                );
                found.push((problem, false));
            }
        }
    }
    found
}

/// Kafka counts a record's age from the timestamp that its producer gave. One that is long past is removed at once, so
/// the brokers have to refuse it: then it is not acknowledged, and comes again.
fn clocks(wanted: i64, queued: i64, value: &impl Fn(&str) -> Option<String>) -> Option<String> {
    const KEY: &str = "message.timestamp.before.max.ms";
    if value("message.timestamp.type").is_none_or(|kind| kind != "CreateTime") {
        return None;
    }
    let right = i64::try_from(CLOCKS.as_millis()).unwrap_or(i64::MAX).min(wanted / 2);
    match number(value, KEY) {
        Some(has) if has > wanted / 2 => Some(format!(
            "has {KEY}={has}: records of a producer whose clock is behind expire too early; set it to {right}"
        )),
        Some(has) if has < queued.min(right) => {
            Some(format!("has {KEY}={has}: records that wait longer for a broker are refused; set it to {right}"))
        }
        Some(_) => None,
        // Brokers before 3.6.
        None => Some(
            "has message.timestamp.type=CreateTime without a limit: records of a producer whose clock is behind expire too \
             early; set it to LogAppendTime"
                .to_owned(),
        ),
    }
}
