//! What a service is, as data. Each service describes itself; from the descriptions come the topics of an installation,
//! the rights on Kafka, what becomes of what, and who reads what was refused.

use prost::Name;

use crate::event::EVENT_TYPES;
use crate::topics::{Topic, TopicSpec, WEEK, other};

/// A service.
#[derive(Debug, Clone)]
pub struct Description {
    /// Its name in health, logs and metrics: `loader`. Its program is `weir-` and this.
    pub name: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
    /// What it does with which topics, in the order in which people are told.
    pub topics: Vec<TopicUse>,
    /// Whether records of its input become dead letters, under its name.
    pub refuses: bool,
    /// Whether it sends the dead letters of all services again.
    pub replays: bool,
}

/// What a service makes of what: from every record of `reads`, it may write records of `writes`. Look-ups (registrations)
/// and what services tell each other about themselves (storms) are not part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// Topics without prefix; empty where the records come from outside.
    pub reads: Vec<String>,
    /// Topics without prefix.
    pub writes: Vec<String>,
}

impl Description {
    /// The topics that it uses in this way, without prefix.
    pub fn used(&self, used: Use) -> impl Iterator<Item = &TopicUse> {
        self.topics.iter().filter(move |one| one.used == used)
    }

    /// What becomes of what.
    pub fn flow(&self) -> Flow {
        let names = |used| self.used(used).map(|one| one.topic.name.clone()).collect();
        Flow { reads: names(Use::Input), writes: names(Use::Output) }
    }

    /// The topics that have to be there before it works, each once.
    pub fn needed(&self) -> Vec<TopicSpec> {
        let mut needed: Vec<TopicSpec> = Vec::new();
        for TopicUse { topic, used, .. } in &self.topics {
            if *used != Use::Ends && !needed.contains(topic) {
                needed.push(topic.clone());
            }
        }
        needed
    }
}

/// What a service does with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Reads it as a member of a consumer group.
    Input,
    /// Writes what comes of its input.
    Output,
    /// Reads it without a group: keeps a table of it, or looks for single records.
    LookUp,
    /// Writes what does not come of its input: what services tell each other, and what is sent again.
    Tell,
    /// Looks whether it is there and how it keeps its records.
    Check,
    /// Asks where its partitions end.
    Ends,
}

/// One of the things that a service does with a topic.
#[derive(Debug, Clone)]
pub struct TopicUse {
    /// Which.
    pub topic: TopicSpec,
    /// The message in its records, by its full name.
    pub message: String,
    /// What.
    pub used: Use,
    /// What for.
    pub why: &'static str,
}

impl TopicUse {
    /// What is done with a topic.
    pub fn of<M: Name>(topic: &Topic<M>, used: Use, why: &'static str) -> Self {
        Self { topic: topic.spec(), message: M::full_name(), used, why }
    }

    /// The same with all typed events of a platform: the kinds that Weir knows, and the others.
    pub fn events(platform: &str, used: Use, why: &'static str) -> Vec<Self> {
        let prefix = format!("events.{platform}.");
        let known = EVENT_TYPES.iter().filter(|event| event.topic.starts_with(&prefix)).map(|event| Self {
            topic: TopicSpec { name: event.topic.to_owned(), kind: WEEK },
            message: event.proto.to_owned(),
            used,
            why,
        });
        known.chain([Self::of(&other(platform), used, why)]).collect()
    }
}
