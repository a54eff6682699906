//! What both replays ask for, and the question before anything is sent.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::out;

/// How a replay goes on, whatever is replayed.
#[derive(Debug, clap::Args)]
pub(in crate::cmd) struct ReplayArgs {
    /// Only show what would be sent
    #[arg(long, conflicts_with = "yes")]
    pub(in crate::cmd) dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Records per second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(in crate::cmd) rate: u32,
    /// Send at most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Your name, stored with the replay [default: the user of the system]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl ReplayArgs {
    /// As it is requested: 0 is no limit.
    pub(in crate::cmd) fn limit(&self) -> u64 {
        self.limit.unwrap_or_default()
    }

    /// Who asks; empty: the system does not say.
    pub(in crate::cmd) fn requested_by(&self) -> String {
        self.by.clone().or_else(user).unwrap_or_default()
    }

    /// Whether so many are sent. Asks at a terminal; without one nothing is done that was not asked for.
    pub(in crate::cmd) fn agreed(&self, count: u64) -> anyhow::Result<bool> {
        if count == 0 {
            out::complain("weir: none of the selected can be sent");
            return Ok(false);
        }
        anyhow::ensure!(!self.requested_by().is_empty(), "your user name is unknown: give --by NAME");
        if self.yes {
            return Ok(true);
        }
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            out::complain("weir: nothing was sent: to send, add --yes");
            return Ok(false);
        }
        let mut err = std::io::stderr();
        write!(err, "\nSend {}? [y/N] ", out::count(count))
            .and_then(|()| err.flush())
            .context("cannot ask: use --yes")?;
        let mut answer = String::new();
        stdin.read_line(&mut answer).context("cannot read the answer: use --yes")?;
        let agreed = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
        if !agreed {
            out::complain("nothing was sent");
        }
        Ok(agreed)
    }
}

/// Who is logged in; behind sudo who called it.
fn user() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| crate::cmd::register::variable(name))
}

/// Drawn at a terminal only.
pub(in crate::cmd) fn bar(bar: ProgressBar, template: &str) -> anyhow::Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    Ok(bar.with_style(ProgressStyle::with_template(template).context("cannot draw the progress bar")?))
}
