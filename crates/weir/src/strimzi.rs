//! Topics and users as resources of Strimzi, which runs Kafka on Kubernetes.

use std::fmt::Write as _;

use crate::access::{Access, Resource, access};
use crate::settings::Settings;
use crate::topics::{self, Topic};

/// All topics that Weir wants, for the Kafka cluster of this name.
pub fn topics(settings: &Settings, cluster: &str) -> String {
    topics::all(settings).iter().map(|one| topic(one, cluster)).collect()
}

/// A user for each service that talks to Kafka.
pub fn users(settings: &Settings, cluster: &str) -> String {
    let all = access(settings);
    all.iter().filter(|access| !access.rules.is_empty()).map(|access| user(access, cluster)).collect()
}

/// A KafkaTopic. The name of the resource has hyphens where Kubernetes takes no underscores.
fn topic(topic: &Topic, cluster: &str) -> String {
    let mut text = head("KafkaTopic", &topic.name, cluster);
    let _ = write!(
        text,
        "  topicName: {}\n  partitions: {}\n  replicas: {}\n  config:\n",
        topic.name, topic.partitions, topic.replication_factor
    );
    for (key, value) in &topic.config {
        // Numbers as numbers, as the operator writes them itself.
        let _ = writeln!(text, "    {key}: {value}");
    }
    text
}

/// A KafkaUser who authenticates with SCRAM.
fn user(access: &Access, cluster: &str) -> String {
    let mut text = head("KafkaUser", &access.service, cluster);
    text.push_str("  authentication:\n    type: scram-sha-512\n  authorization:\n    type: simple\n    acls:\n");
    for rule in access.rules.iter().filter(|rule| !rule.operations.is_empty()) {
        let (kind, name) = match &rule.resource {
            Resource::Topic(name) => ("topic", name),
            Resource::Group(name) => ("group", name),
        };
        let operations: Vec<_> = rule.operations.iter().map(|operation| format!("{operation:?}")).collect();
        let _ = write!(
            text,
            "      # {}\n      - operations: [{}]\n        resource:\n          type: {kind}\n          name: {name}\n          \
             patternType: literal\n",
            rule.why,
            operations.join(", ")
        );
    }
    text
}

fn head(kind: &str, name: &str, cluster: &str) -> String {
    let name = name.replace('_', "-");
    format!(
        "---\napiVersion: kafka.strimzi.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  labels:\n    \
         strimzi.io/cluster: {cluster}\nspec:\n"
    )
}

#[cfg(test)]
#[path = "strimzi_tests.rs"]
mod tests;
