//! `weir dead-letters replay`: first what would be sent, then, if that is wanted, it is sent.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use common::deadletter::v1::{ReplayRequest, ReplayResponse, Selection};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Client, SelectArgs, said, show};
use crate::out;

/// Send dead letters again, into the input of the stage that refused them
///
/// Says first what would be sent, and why the rest would not be. Then it asks, or does it with --yes. Ctrl-C stops it;
/// what was sent stays sent. To replay the same once more changes nothing: what came is dropped as a duplicate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir dead-letters replay --reason unknown_topic --dry-run
  weir dead-letters replay --id 0123456789abcdef0123456789abcdef --yes
  weir dead-letters replay --endpoint my-app --since 2h --limit 1      one of them, to see whether the fix works
  weir dead-letters replay --all --rate 500 --yes --by ada")]
pub(super) struct Replay {
    #[command(flatten)]
    select: SelectArgs,
    /// All there are
    #[arg(long)]
    all: bool,
    /// Only say what would be sent
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Records per second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// At the most so many of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Who asks for it: it is kept with the replay [default: the user of the system]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Replay {
    pub(super) async fn run(self, client: &mut Client) -> anyhow::Result<ExitCode> {
        let Selection { ids, stage, source, endpoint, reason, from, until } = self.select.selection();
        let selects =
            !ids.is_empty() || from.is_some() || [&stage, &source, &endpoint, &reason].iter().any(|t| !t.is_empty());
        if selects == self.all {
            let problem = if selects { "--all and a selection exclude each other" } else { "nothing is selected" };
            anyhow::bail!(
                "{problem}: say which dead letters to replay (--id, --stage, --source, --endpoint, --reason, --since), \
                 or --all"
            );
        }
        // What is refused from now on was not shown, and is not meant.
        let now = service::clock::timestamp();
        let until = until.filter(|until| (until.seconds, until.nanos) < (now.seconds, now.nanos)).or(Some(now));
        let request = ReplayRequest {
            selection: Some(Selection { ids, stage, source, endpoint, reason, from, until }),
            all: self.all,
            dry_run: true,
            rate: self.rate,
            requested_by: self.by.clone().or_else(user).unwrap_or_default(),
            limit: self.limit.unwrap_or_default(),
        };
        let would = send(client, request.clone(), None).await?;
        if would.selected == 0 {
            out::complain("weir: no dead letter fits: there is nothing to replay");
            return Ok(ExitCode::from(service::EXIT_FAILED));
        }
        out::say(show::would_replay(&would, self.rate).trim_end());
        if self.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        if would.sent == 0 {
            out::complain("weir: none of them can be sent");
            return Ok(ExitCode::from(service::EXIT_FAILED));
        }
        anyhow::ensure!(!request.requested_by.is_empty(), "the system does not say who you are: give --by NAME");
        if !self.yes && !agreed(would.sent)? {
            return Ok(ExitCode::from(service::EXIT_FAILED));
        }
        let bar = ProgressBar::new(would.sent)
            .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} sent, {eta} left").context("the bar")?);
        let done = send(client, ReplayRequest { dry_run: false, ..request }, Some(&bar)).await;
        bar.finish_and_clear();
        let done = done?;
        out::say(show::replayed(&done).trim_end());
        let code = if done.sent == 0 { service::EXIT_FAILED } else { 0 };
        Ok(ExitCode::from(code))
    }
}

/// The last answer.
async fn send(
    client: &mut Client,
    request: ReplayRequest,
    bar: Option<&ProgressBar>,
) -> anyhow::Result<ReplayResponse> {
    let mut stream = client.replay(request).await.map_err(said("replaying"))?.into_inner();
    let mut last = ReplayResponse::default();
    loop {
        match stream.message().await {
            Ok(Some(answer)) => last = answer,
            Ok(None) if last.done => return Ok(last),
            Ok(None) => {
                anyhow::bail!("the service went away, {} were sent; weir dead-letters replays says more", last.sent)
            }
            Err(status) => {
                let sent = last.sent;
                return Err(said("replaying")(status).context(format!("it ended before its end, {sent} were sent")));
            }
        }
        if let Some(bar) = bar {
            bar.set_position(last.sent);
        }
    }
}

/// Asks at a terminal; without one nothing is done that was not asked for.
pub(in crate::cmd) fn agreed(count: u64) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        out::complain("weir: nothing was sent: to send them add --yes");
        return Ok(false);
    }
    let mut err = std::io::stderr();
    write!(err, "\nSend {}? [y/N] ", out::count(count)).and_then(|()| err.flush()).context("cannot ask: use --yes")?;
    let mut answer = String::new();
    stdin.read_line(&mut answer).context("cannot read the answer: use --yes")?;
    let agreed = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    if !agreed {
        out::complain("nothing was sent");
    }
    Ok(agreed)
}

/// Who is logged in; behind sudo who called it.
pub(in crate::cmd) fn user() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| crate::cmd::register::variable(name))
}
