//! `weir topics`: the topics that Weir wants.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Serialize;

use super::printed::Printed;
use crate::settings::Settings;
use crate::{catalogue, out, strimzi};

/// List the topics that Weir needs, with their configuration
///
/// For a cluster on which the services create no topics (bus.create_topics = false). Names, partitions and replicas are
/// those of the settings: bus.topic_prefix, bus.partitions, bus.replication_factor.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir topics
  weir topics --commands | sh    # creates missing topics, and alters those that differ
  WEIR__BUS__REPLICATION_FACTOR=3 weir topics --strimzi kafka > topics.yaml")]
pub struct Topics {
    #[command(flatten)]
    printed: Printed,
    /// Print the commands of Kafka's own tools that create missing topics and alter existing ones
    #[arg(long, conflicts_with_all = ["json", "strimzi"])]
    commands: bool,
    #[command(flatten)]
    config: super::ConfigFile,
}

/// A topic, as it is to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// With the prefix.
    pub name: String,
    /// How many.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication_factor: i32,
    /// Named as Kafka names it.
    #[serde(serialize_with = "as_map")]
    pub config: Vec<(&'static str, String)>,
}

fn as_map<S: serde::Serializer>(config: &[(&'static str, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(config.iter().map(|(key, value)| (key, value)))
}

/// The topics of all services.
pub fn all(settings: &Settings) -> Vec<Topic> {
    let specs = catalogue::descriptions().flat_map(|description| description.needed());
    let specs: BTreeMap<_, _> = specs.map(|spec| (spec.name.clone(), spec)).collect();
    let topic = |(name, spec): (String, bus::TopicSpec)| {
        let (partitions, config) = bus::shape(&settings.bus, &spec);
        let name = format!("{}{name}", settings.bus.topic_prefix);
        Topic { name, partitions, replication_factor: settings.bus.replication_factor, config }
    };
    specs.into_iter().map(topic).collect()
}

impl Topics {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.config.load()?;
        if self.commands {
            out::say(commands(&all(&settings), &settings.bus.kafka.brokers).trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        self.printed.say(&all(&settings), lines, |cluster| strimzi::topics(&settings, cluster))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn lines(all: &[Topic]) -> String {
    let line = |topic: &Topic| {
        let config: Vec<_> = topic.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let Topic { name, partitions, replication_factor, .. } = topic;
        format!("{name:<42} {partitions:>3} partitions, {replication_factor} replicas, {}\n", config.join(", "))
    };
    all.iter().map(line).collect()
}

/// Two for each topic. Names and values are Kafka's: none of them needs quotes.
fn commands(all: &[Topic], brokers: &[String]) -> String {
    let at = if brokers.is_empty() { "127.0.0.1:9092".to_owned() } else { brokers.join(",") };
    let both = |topic: &Topic| {
        let Topic { name, partitions, replication_factor, config } = topic;
        let config: Vec<_> = config.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let each: String = config.iter().map(|setting| format!(" --config {setting}")).collect();
        format!(
            "kafka-topics.sh --bootstrap-server {at} --create --if-not-exists --topic {name} --partitions {partitions} \
             --replication-factor {replication_factor}{each}\n\
             kafka-configs.sh --bootstrap-server {at} --alter --entity-type topics --entity-name {name} --add-config {}\n",
            config.join(",")
        )
    };
    all.iter().map(both).collect()
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
