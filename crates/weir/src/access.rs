//! The least that each service has to be allowed on Kafka: what a broker's ACLs should say, and nothing beyond.
//!
//! One place for it: `weir acls` prints it, and a test runs the services with exactly this and shows that everything
//! else is refused.

use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS, LOADS, REGISTRATIONS, STORMS};
use serde::Serialize;

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
    pub service: &'static str,
    /// Empty: it does not talk to Kafka.
    pub rules: Vec<Rule>,
}

/// What may be done with whom, with the names that these settings give to topics and groups.
pub fn access(settings: &Settings) -> Vec<Access> {
    let raw = streaming::flow().writes;
    let typed: Vec<_> = {
        let writes = processing::flow().writes;
        writes.into_iter().filter(|topic| topic.starts_with("events.")).collect()
    };
    let names = |topic: &str| vec![topic.to_owned()];
    let (registrations, activities) = (names(REGISTRATIONS.name()), names(ACTIVITIES.name()));
    let (enriched, loads) = (names(ACTIVITIES_ENRICHED.name()), names(LOADS.name()));
    let (dead_letters, storms) = (names(DEAD_LETTERS.name()), names(STORMS.name()));

    let of = |service: &'static str| Maker { settings, access: Access { service, rules: Vec::new() } };
    vec![
        of("weir-streaming")
            .writes(&raw, "deliveries")
            .reads(&registrations, "which endpoints are open, with which secrets")
            .reads(&storms, "which endpoints to hold back")
            .checks(&dead_letters, "that refused deliveries can be kept")
            .reader()
            .access,
        of("weir-processing")
            .reads(&raw, "its input")
            .groups(&settings.processing.inputs().map(|input| input.group))
            .writes(&typed, "typed events")
            .reads(&typed, "to rebuild the claims, where their store was emptied")
            .writes(&activities, "activities")
            .reads(&registrations, "accounts and their tenants; comparison with the database")
            .writes(&registrations, "registrations")
            .writes(&dead_letters, "what it refuses")
            .writes(&storms, "which endpoints to hold back")
            // The letters of every stage: the original is read where it stands, and goes there again.
            .reads(&dead_letters, "replay")
            .reads(&activities, "replay: the original of a dead letter")
            .reads(&loads, "replay: the original of a dead letter")
            .writes(&raw, "replay: back to where it came from")
            .writes(&loads, "replay: back to where it came from")
            .reader()
            .access,
        of("weir-enricher")
            .reads(&activities, "its input")
            .group(&settings.enricher.group)
            .writes(&enriched, "enriched activities")
            .reads(&enriched, "to rebuild the claims, where their store was emptied")
            .writes(&loads, "load requests")
            .writes(&dead_letters, "what it refuses")
            .reader()
            .access,
        of("weir-loader")
            .reads(&loads, "its input")
            .group(&settings.loader.group)
            .asks(&activities, "where its partitions end: no version of a table can lie beyond")
            .writes(&dead_letters, "what it refuses")
            .access,
        // `weir job conservation`; the other jobs ask processing and the lake.
        of("weir-jobs")
            .reads(&activities, "whether what was accepted came through")
            .reads(&enriched, "whether what was accepted came through")
            .reads(&dead_letters, "what was refused on the way")
            .reader()
            .access,
        // It asks the services, and nobody else.
        of("weir-health-check").access,
    ]
}

struct Maker<'a> {
    settings: &'a Settings,
    access: Access,
}

impl Maker<'_> {
    fn reads(self, topics: &[String], why: &'static str) -> Self {
        self.topics(topics, &[Operation::Read, Operation::DescribeConfigs], why)
    }

    fn writes(self, topics: &[String], why: &'static str) -> Self {
        self.topics(topics, &[Operation::Write, Operation::DescribeConfigs], why)
    }

    fn checks(self, topics: &[String], why: &'static str) -> Self {
        self.topics(topics, &[Operation::Describe, Operation::DescribeConfigs], why)
    }

    fn asks(self, topics: &[String], why: &'static str) -> Self {
        self.topics(topics, &[Operation::Describe], why)
    }

    fn topics(mut self, topics: &[String], operations: &[Operation], why: &'static str) -> Self {
        for topic in topics {
            let resource = Resource::Topic(format!("{}{topic}", self.settings.bus.topic_prefix));
            // What is allowed for another reason is not said twice.
            let rules = &self.access.rules;
            let has = |operation: &Operation| {
                rules.iter().any(|rule| rule.resource == resource && rule.operations.contains(operation))
            };
            let operations: Vec<_> = operations.iter().copied().filter(|operation| !has(operation)).collect();
            self.access.rules.push(Rule { resource, operations, why });
        }
        self
    }

    fn group(self, name: &str) -> Self {
        self.in_group(name, Operation::Read, "its place in the input")
    }

    fn groups(self, names: &[String]) -> Self {
        names.iter().fold(self, |maker, name| maker.group(name))
    }

    /// For reading a topic without a group.
    fn reader(self) -> Self {
        self.in_group(bus::READER_GROUP, Operation::Describe, "Kafka's client asks for it, and nobody joins it")
    }

    fn in_group(mut self, name: &str, operation: Operation, why: &'static str) -> Self {
        let resource = Resource::Group(format!("{}{name}", self.settings.bus.topic_prefix));
        self.access.rules.push(Rule { resource, operations: vec![operation], why });
        self
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
