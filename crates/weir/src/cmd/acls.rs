//! `weir acls`: what each service has to be allowed on Kafka.

use std::process::ExitCode;

use super::printed::Printed;
use crate::access::{Access, Resource, access};
use crate::strimzi;

/// List the permissions that each service needs on Kafka, and no others
///
/// Each service has its own principal. The names of topics and groups are those of the settings, with bus.topic_prefix.
/// Without --json each operation is one line: principal, operation, topic or group, name, purpose.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir acls
  weir acls --json | jq '.[] | select(.service == \"weir-loader\")'
  WEIR__BUS__TOPIC_PREFIX=prod. weir acls
  weir acls --strimzi kafka > users.yaml")]
pub struct Acls {
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    config: super::ConfigFile,
}

impl Acls {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.config.load()?;
        self.printed.say(&access(&settings), lines, |cluster| strimzi::users(&settings, cluster))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn lines(all: &[Access]) -> String {
    let mut text = String::new();
    for Access { service, rules } in all {
        if rules.is_empty() {
            text.push_str(&format!("{service:<18} nothing\n"));
        }
        for rule in rules {
            let (kind, name) = match &rule.resource {
                Resource::Topic(name) => ("topic", name),
                Resource::Group(name) => ("group", name),
            };
            for operation in &rule.operations {
                let operation = format!("{operation:?}");
                text.push_str(&format!("{service:<18} {operation:<16} {kind} {name:<42} {}\n", rule.why));
            }
        }
    }
    text
}
