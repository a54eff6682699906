//! `weir topics`: the topics that Weir wants.

use std::collections::BTreeSet;
use std::process::ExitCode;

use bus::{Bus, TopicProblem};

use super::printed::Printed;
use crate::settings::Settings;
use crate::topics::{Topic, all, needed};
use crate::{out, records, strimzi};

/// List the topics that Weir needs, create the missing ones, or check those there are
///
/// For a cluster on which the services create no topics (bus.create_topics = false). Names, partitions and replicas are
/// those of the settings: bus.topic_prefix, bus.partitions, bus.replication_factor.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir topics
  weir topics --create           # creates those that are missing, and leaves the others as they are
  weir topics --check            # says what is missing or unsafe, a line for each
  weir topics --commands | sh    # creates missing topics, and alters those that differ
  WEIR__BUS__REPLICATION_FACTOR=3 weir topics --strimzi kafka > topics.yaml")]
pub struct Topics {
    #[command(flatten)]
    printed: Printed,
    /// Print the commands of Kafka's own tools that create missing topics and alter existing ones
    #[arg(long, conflicts_with_all = ["json", "strimzi"])]
    commands: bool,
    /// Create the topics that are missing on the brokers, then check all
    #[arg(long, conflicts_with_all = ["json", "strimzi", "commands"])]
    create: bool,
    /// Check the topics on the brokers: one line for each that is missing, or that loses records
    #[arg(long, conflicts_with_all = ["json", "strimzi", "commands", "create"])]
    check: bool,
    #[command(flatten)]
    config: super::ConfigFile,
}

impl Topics {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.config.load()?;
        if self.create || self.check {
            return on_brokers(settings, self.create).await;
        }
        if self.commands {
            out::say(commands(&all(&settings), &settings.bus.kafka.brokers).trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        self.printed.say(&all(&settings), lines, |cluster| strimzi::topics(&settings, cluster))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Creates what is missing, where that is asked for, and says what is wrong with each topic.
async fn on_brokers(mut settings: Settings, create: bool) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !settings.bus.kafka.brokers.is_empty(),
        "no brokers are named (setting bus.kafka.brokers, or WEIR__BUS__KAFKA__BROKERS): the embedded log creates its \
         topics by itself"
    );
    settings.bus.create_topics = create;
    let bus = Bus::open(&settings.bus)?;
    records::reach(&bus).await?;
    let (there, wanted) = (bus.topics().await?, needed());
    let missing = wanted.iter().filter(|spec| !there.contains(&spec.name)).count();
    let problems = if create { bus.prepare_topics(&wanted).await? } else { bus.check_topics(&wanted).await? };
    for TopicProblem { topic, problem, .. } in &problems {
        out::say(&format!("{topic}: {problem}"));
    }
    let absent = problems.iter().filter(|problem| problem.missing).count();
    if create {
        out::say(&format!("created {} topics, {} existed", missing.saturating_sub(absent), wanted.len() - missing));
    }
    let wrong: BTreeSet<&str> = problems.iter().map(|problem| &*problem.topic).collect();
    let fine = wanted.len() - wrong.len();
    out::say(&format!("{fine} of {} topics are as they should be", wanted.len()));
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(service::EXIT_FAILED) })
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
