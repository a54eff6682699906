//! The ways in which it is told what a Kafka cluster needs.

use serde::Serialize;

use crate::out;

/// As lines, unless one of these is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Printed {
    /// Print it as JSON
    #[arg(long, conflicts_with = "strimzi")]
    json: bool,
    /// Print it as Strimzi resources, for the Kafka cluster of this name
    #[arg(long, value_name = "CLUSTER")]
    strimzi: Option<String>,
}

impl Printed {
    pub(super) fn say<T: Serialize>(
        &self,
        all: &[T],
        lines: impl FnOnce(&[T]) -> String,
        strimzi: impl FnOnce(&str) -> String,
    ) -> anyhow::Result<()> {
        let text = match &self.strimzi {
            Some(cluster) => strimzi(cluster),
            None if self.json => serde_json::to_string_pretty(all)?,
            None => lines(all),
        };
        out::say(text.trim_end());
        Ok(())
    }
}
