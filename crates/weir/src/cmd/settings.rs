//! `weir settings`: what can be set, printed from the default settings and their types.

use std::process::ExitCode;

use crate::out;
use crate::settings::{reference, schema};

/// Print the schema or the reference of the settings
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir settings schema > weir.schema.json    for an editor that checks weir.toml
  weir up --print-config                     the settings in effect")]
pub struct SettingsCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the JSON Schema of the settings
    Schema,
    /// Print the reference of the settings as Markdown, as docs/settings.md has it
    Reference,
}

impl SettingsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let text = match self.command {
            Command::Schema => schema()?,
            Command::Reference => reference()?,
        };
        out::say(text.trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
