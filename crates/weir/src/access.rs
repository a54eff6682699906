//! The least that each service has to be allowed on Kafka: what a broker's ACLs should say, and nothing beyond.
//!
//! One place for it: `weir acls` prints it, and a test runs the services with exactly this and shows that everything
//! else is refused.

use std::collections::BTreeMap;

use common::catalogue::{Description, TopicUse, Use};
use serde::Serialize;

use crate::catalogue::{self, SERVICES};
use crate::settings::Settings;

/// An operation, as Kafka names it. Kafka lets whoever may read or write a topic describe it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Operation {
    /// Of records, or as a member of a group.
    Read,
    /// Of records.
    Write,
    /// That it is there, and who coordinates it.
    Describe,
    /// Of a topic's configuration: retention and min.insync.replicas are checked.
    DescribeConfigs,
}

/// What an operation is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// By its full name.
    Topic(String),
    /// A consumer group, by its full name.
    Group(String),
}

/// What one service may do with one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// With what.
    pub resource: Resource,
    /// What.
    pub operations: Vec<Operation>,
    /// What for.
    pub why: &'static str,
}

/// What one service may do; everything else it may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The program, and what its principal should be called.
    pub service: String,
    /// Empty: it does not talk to Kafka.
    pub rules: Vec<Rule>,
}

/// What may be done with whom, with the names that these settings give to topics and groups.
pub fn access(settings: &Settings) -> Vec<Access> {
    let of = |description: Description, groups: BTreeMap<String, String>| {
        let mut topics = description.topics;
        if description.replays {
            topics.extend(catalogue::replays());
        }
        let mut maker = Maker { prefix: &settings.bus.topic_prefix, rules: Vec::new() };
        maker.add_all(&topics, &groups);
        // The principal is called as the program is.
        Access { service: format!("weir-{}", description.name), rules: maker.rules }
    };
    let services = SERVICES.into_iter().map(|service| of((service.description)(), (service.groups)(settings)));
    services.chain([of(catalogue::jobs(), BTreeMap::new())]).collect()
}

struct Maker<'a> {
    prefix: &'a str,
    rules: Vec<Rule>,
}

impl Maker<'_> {
    fn add_all(&mut self, topics: &[TopicUse], groups: &BTreeMap<String, String>) {
        let last_input = topics.iter().rposition(|one| one.used == Use::Input);
        for (n, TopicUse { topic, used, why, .. }) in topics.iter().enumerate() {
            let operations: &[Operation] = match used {
                Use::Input | Use::LookUp => &[Operation::Read, Operation::DescribeConfigs],
                Use::Output | Use::Publish | Use::Tell => &[Operation::Write, Operation::DescribeConfigs],
                Use::Check => &[Operation::Describe, Operation::DescribeConfigs],
                Use::Ends => &[Operation::Describe],
            };
            self.add(Resource::Topic(format!("{}{}", self.prefix, topic.name)), operations, why);
            if Some(n) == last_input {
                groups.values().for_each(|group| self.group(group, Operation::Read, "its offsets in the input"));
            }
        }
        // For reading a topic without a group.
        if topics.iter().any(|one| one.used == Use::LookUp) {
            self.group(bus::READER_GROUP, Operation::Describe, "Kafka's client looks it up, and no consumer joins it");
        }
    }

    fn group(&mut self, name: &str, operation: Operation, why: &'static str) {
        self.add(Resource::Group(format!("{}{name}", self.prefix)), &[operation], why);
    }

    /// What is allowed for another reason is not said twice.
    fn add(&mut self, resource: Resource, operations: &[Operation], why: &'static str) {
        let of_it = || self.rules.iter().filter(|rule| rule.resource == resource);
        let has = |operation: &Operation| of_it().any(|rule| rule.operations.contains(operation));
        let operations: Vec<_> = operations.iter().copied().filter(|operation| !has(operation)).collect();
        if !operations.is_empty() {
            self.rules.push(Rule { resource, operations, why });
        }
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
