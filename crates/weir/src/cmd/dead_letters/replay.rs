//! `weir dead-letters replay`: first what would be sent, then, if that is wanted, it is sent.

use std::process::ExitCode;

use common::deadletter::v1::{ReplayRequest, ReplayResponse, Selection};
use indicatif::ProgressBar;

use super::{Client, SelectArgs, said, show};
use crate::cmd::replay::{ReplayArgs, bar};
use crate::out;

/// Replay dead letters: re-send them to the input of the stage that refused them
///
/// Shows first what would be sent, and why the rest would not be sent. Then it asks; with --yes it does not ask. Ctrl-C
/// stops the replay; records that were sent stay sent. Replaying the same dead letters again changes nothing: events
/// that were produced before are dropped as duplicates.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir dead-letters replay --reason unknown_topic --dry-run
  weir dead-letters replay --id 0123456789abcdef0123456789abcdef --yes
  weir dead-letters replay --endpoint my-app --since 2h --limit 1      one of them, to see whether the fix works
  weir dead-letters replay --all --rate 500 --yes --by ada")]
pub(super) struct Replay {
    #[command(flatten)]
    select: SelectArgs,
    /// All dead letters
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    course: ReplayArgs,
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
            rate: self.course.rate,
            requested_by: self.course.requested_by(),
            limit: self.course.limit(),
        };
        let would = send(client, request.clone(), None).await?;
        if would.selected == 0 {
            out::complain("weir: no dead letter matches: there is nothing to replay");
            return Ok(ExitCode::from(service::EXIT_FAILED));
        }
        out::say(show::would_replay(&would, self.course.rate).trim_end());
        if self.course.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        if !self.course.agreed(would.sent)? {
            return Ok(ExitCode::from(service::EXIT_FAILED));
        }
        let bar = bar(ProgressBar::new(would.sent), "{bar:40} {pos}/{len} sent, {eta} left")?;
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
    let mut stream = client.replay(request).await.map_err(said("replay failed"))?.into_inner();
    let mut last = ReplayResponse::default();
    loop {
        match stream.message().await {
            Ok(Some(answer)) => last = answer,
            Ok(None) if last.done => return Ok(last),
            Ok(None) => {
                anyhow::bail!(
                    "the connection to the service ended, {} were sent; weir dead-letters replays says more",
                    last.sent
                )
            }
            Err(status) => {
                let sent = last.sent;
                return Err(
                    said("replay failed")(status).context(format!("the replay stopped early, {sent} were sent"))
                );
            }
        }
        if let Some(bar) = bar {
            bar.set_position(last.sent);
        }
    }
}
