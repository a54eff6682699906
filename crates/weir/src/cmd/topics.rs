//! `weir topics`: the topics that Weir wants.

use std::process::ExitCode;

use super::printed::Printed;
use crate::topics::{Topic, all};
use crate::{out, strimzi};

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
