//! What keeps the tables of the lake in good order.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use super::say;
use crate::cmd::ConfigFile;
use crate::out::count;
use crate::settings::Settings;

/// Compact small files into large ones
///
/// Compacts all small files of days that ended longer ago than loader.compact.after_ms, and those of later days where many
/// are alike. The rows stay the same, and the table can be read and loaded meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir job compact
  WEIR__LAKE__ROOT=s3://bucket/lake weir job compact --table activities --json")]
pub(super) struct Compact {
    #[command(flatten)]
    tables: Tables,
}

/// Delete files that no table needs
///
/// Deletes files older than loader.vacuum.retention_ms that compaction has replaced, or that were never loaded.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir job vacuum --dry-run
  weir job vacuum")]
pub(super) struct Vacuum {
    /// Only show what would be deleted
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tables: Tables,
}

/// Bring tables of an earlier format to the present one
///
/// In format 1 the column day is a text, in format 2 a date. One commit changes a table, and no file is written. Tables are
/// loaded in either format. Queries that compare day with a text must be changed first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir job upgrade --table activities")]
pub(super) struct Upgrade {
    #[command(flatten)]
    tables: Tables,
}

/// Which tables are meant.
#[derive(Debug, clap::Args)]
struct Tables {
    /// Only this table; can be repeated [default: all tables of the lake]
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl Tables {
    async fn of(&self, settings: &Settings) -> anyhow::Result<Vec<String>> {
        if self.tables.is_empty() { loader::maintain::tables(&settings.lake).await } else { Ok(self.tables.clone()) }
    }
}

impl Compact {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.tables.config.load()?;
        let (mut words, mut done) = (String::new(), Vec::new());
        for table in self.tables.of(&settings).await? {
            let compacted = loader::maintain::compact(&settings.lake, &table, &settings.loader.compact).await;
            let compacted = compacted.with_context(|| format!("compacting {table}"))?;
            words += &format!(
                "{table}   {} files compacted into {}, {} rows\n",
                count(compacted.files_before as u64),
                count(compacted.files_after as u64),
                count(compacted.rows)
            );
            done.push(json!({
                "table": table, "files_before": compacted.files_before, "files_after": compacted.files_after,
                "rows": compacted.rows,
            }));
        }
        say(self.tables.json, &json!({ "tables": done }), none(&words, &settings).as_str());
        Ok(ExitCode::SUCCESS)
    }
}

impl Vacuum {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.tables.config.load()?;
        let retention = Duration::from_millis(settings.loader.vacuum.retention_ms);
        let (mut words, mut done) = (String::new(), Vec::new());
        for table in self.tables.of(&settings).await? {
            let vacuumed = loader::maintain::vacuum(&settings.lake, &table, retention, self.dry_run).await;
            let vacuumed = vacuumed.with_context(|| format!("vacuuming {table}"))?;
            words += &format!(
                "{table}   {} files {} ({} bytes)\n",
                count(vacuumed.files.len() as u64),
                if self.dry_run { "would be deleted" } else { "deleted" },
                count(vacuumed.bytes)
            );
            if self.dry_run {
                words.extend(vacuumed.files.iter().map(|file| format!("  {file}\n")));
            }
            done.push(json!({ "table": table, "files": vacuumed.files.len(), "bytes": vacuumed.bytes }));
        }
        let object = json!({ "dry_run": self.dry_run, "tables": done });
        say(self.tables.json, &object, none(&words, &settings).as_str());
        Ok(ExitCode::SUCCESS)
    }
}

impl Upgrade {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.tables.config.load()?;
        let (mut words, mut done) = (String::new(), Vec::new());
        for table in self.tables.of(&settings).await? {
            let upgraded = loader::maintain::upgrade(&settings.lake, &table).await;
            let upgraded = upgraded.with_context(|| format!("upgrading {table}"))?;
            let what = if upgraded { "upgraded: day is a date now" } else { "has the present format" };
            words += &format!("{table}   {what}\n");
            done.push(json!({ "table": table, "upgraded": upgraded }));
        }
        say(self.tables.json, &json!({ "tables": done }), none(&words, &settings).as_str());
        Ok(ExitCode::SUCCESS)
    }
}

/// A lake without tables is told as what it is.
fn none(words: &str, settings: &Settings) -> String {
    if words.is_empty() { format!("there is no table in {} yet", settings.lake.root) } else { words.to_owned() }
}
