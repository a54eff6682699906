//! What a service is, as data. Each service describes itself; from the descriptions come the topics of an installation,
//! the rights on Kafka, what becomes of what, who reads what was refused, and the manifests.

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
    /// How it runs where several machines run it.
    pub runs: Runs,
}

/// How a service runs on a cluster: what the manifests say of it. The sizes are where it starts; an overlay may patch them.
#[derive(Debug, Clone, Copy)]
pub struct Runs {
    /// How many there are.
    pub scales: Scales,
    /// Processors that it asks for, as Kubernetes writes it: `250m`.
    pub cpu: &'static str,
    /// Memory that it asks for, and the most that it may take: `256Mi`.
    pub memory: [&'static str; 2],
    /// What it needs beside the log.
    pub needs: &'static [Need],
    /// What it answers beside health and metrics.
    pub answers: &'static [Answer],
    /// Which services it asks.
    pub dials: &'static [Dial],
}

/// How many instances of a service there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scales {
    /// Always so many.
    Fixed(u32),
    /// Two or more: as many as their processors ask for.
    Cpu,
    /// Two or more: as many as the records ask for that wait. One for each so many of a topic.
    Lag(u32),
}

impl Scales {
    /// How many there always are.
    #[must_use]
    pub fn least(self) -> u32 {
        match self {
            Self::Fixed(count) => count,
            Self::Cpu | Self::Lag(_) => 2,
        }
    }
}

/// What a service needs beside the log, which whoever has topics needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The object store of the lake.
    Lake,
    /// A store of claims that all its instances reach.
    Claims,
    /// The key that opens the secrets of endpoints.
    SealingKey,
    /// PostgreSQL. `database` and `password_file` of this section of the settings say where.
    Database(&'static str),
    /// The addresses of all services with topics.
    Targets,
}

/// What a service answers, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Strangers, by HTTP.
    Public {
        /// Below which path.
        path: &'static str,
        /// The setting of the address where it listens.
        listen: &'static str,
    },
    /// Operators and programs, by gRPC: the full name of the service in `proto/`.
    Grpc(&'static str),
    /// Operators, by pages on the admin server.
    Pages,
}

/// A service that another one asks by gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dial {
    /// Which.
    pub service: &'static str,
    /// The setting of its URL; `None`: it is an argument.
    pub setting: Option<&'static str>,
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
        let names = |uses: &[Use]| {
            let used = self.topics.iter().filter(|one| uses.contains(&one.used));
            used.map(|one| one.topic.name.clone()).collect()
        };
        Flow { reads: names(&[Use::Input]), writes: names(&[Use::Output, Use::Publish]) }
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
    /// Writes what comes of its input for subscribers: no service of Weir reads it.
    Publish,
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
