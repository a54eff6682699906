//! `weir replay`: what stands on the log, once more.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use common::deadletter::v1::dead_letter_service_client::DeadLetterServiceClient;
use common::deadletter::v1::{RawSelection, ReplayRawRequest, ReplayRawResponse};
use indicatif::ProgressBar;
use prost_types::Timestamp;
use service::Channel;
use tokio_util::sync::CancellationToken;

use super::dead_letters::{parse_time, said};
use crate::out;

mod args;
mod show;

pub(in crate::cmd) use args::{ReplayArgs, bar};

/// How long a week of deliveries may take to be looked at and sent.
pub(in crate::cmd) const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

type Client = DeadLetterServiceClient<Channel>;

/// Re-send stored deliveries whose events were never produced
///
/// Raw topics keep every delivery for 7 days. If events of a delivery were never produced, a replay produces them:
/// after a fix of the parser, or after a mistake.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir replay raw --from 2h --dry-run
  weir replay raw --from 2026-01-30T22:00:00Z --to 2026-01-31T06:00:00Z --endpoint my-app

Dead letters are replayed by weir dead-letters replay; weir dead-letters replays lists both.")]
pub struct Replay {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    grpc: super::Grpc,
}

#[derive(Debug, Subcommand)]
enum What {
    Raw(Raw),
}

/// Re-send the deliveries of a period whose events were never produced
///
/// Reads each delivery as processing reads it now, and looks up in the claims which of its events were produced. Shows
/// first what would be sent, and why the rest would not be sent. Then it asks; with --yes it does not ask. Replaying
/// the same deliveries again changes nothing: events that were produced before are dropped as duplicates. Ctrl-C stops
/// the replay; deliveries that were sent stay sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir replay raw --from 2h --dry-run
  weir replay raw --from 2026-01-30T22:00:00Z --to 2026-01-31T06:00:00Z --endpoint my-app
  weir replay raw --from 1d --source github --limit 1      one of them, to see whether the fix works
  weir replay raw --from 7d --rate 500 --yes --by ada")]
struct Raw {
    /// Accepted at or after this time: 2026-01-31T10:00:00Z, or this long ago: 30m, 12h, 3d
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Timestamp,
    /// Accepted before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<Timestamp>,
    /// Only deliveries to this endpoint; can be repeated
    #[arg(long = "endpoint", value_name = "NAME")]
    endpoints: Vec<String>,
    #[arg(long, help = format!("Only deliveries of this source: {}", sources::names().join(", ")))]
    source: Option<String>,
    #[command(flatten)]
    course: ReplayArgs,
}

impl Replay {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        match shutdown.run_until_cancelled(self.command()).await {
            Some(ended) => ended,
            // The service stops a replay whose caller is gone.
            None => anyhow::bail!("interrupted"),
        }
    }

    async fn command(self) -> anyhow::Result<ExitCode> {
        let What::Raw(raw) = self.what;
        let channel = crate::register::patient_channel(&self.grpc.dial()?, &self.grpc.url()?, PATIENCE).await?;
        raw.run(&mut Client::new(channel)).await
    }
}

impl Raw {
    async fn run(self, client: &mut Client) -> anyhow::Result<ExitCode> {
        // What comes from now on was not shown, and is not meant.
        let now = service::clock::timestamp();
        let until = self.to.filter(|to| (to.seconds, to.nanos) < (now.seconds, now.nanos)).or(Some(now));
        let selection = RawSelection {
            from: Some(self.from),
            until,
            endpoints: self.endpoints.clone(),
            source: self.source.clone().unwrap_or_default(),
        };
        let request = ReplayRawRequest {
            selection: Some(selection),
            dry_run: true,
            rate: self.course.rate,
            requested_by: self.course.requested_by(),
            limit: self.course.limit(),
        };
        let looking = bar(ProgressBar::new_spinner(), "{spinner} {msg}")?;
        let would = send(client, request.clone(), &looking, |bar, answer| {
            let seen = answer.counts.unwrap_or_default().deliveries;
            bar.set_message(format!("looked at {} deliveries, {} to be sent", seen, answer.sent));
            bar.tick();
        });
        let would = would.await?;
        out::say(show::would_replay(&would, self.course.rate).trim_end());
        if self.course.dry_run || would.selected == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        if !self.course.agreed(would.sent)? {
            return Ok(ExitCode::from(service::EXIT_FAILED));
        }
        let sending = bar(ProgressBar::new(would.sent), "{bar:40} {pos}/{len} sent, {eta} left {msg}")?;
        let request = ReplayRawRequest { dry_run: false, ..request };
        let done = send(client, request, &sending, |bar, answer| {
            bar.set_position(answer.sent);
            if answer.waits_for_processing {
                bar.set_message("(waiting for processing)");
            }
        });
        let done = done.await?;
        out::say(show::replayed(&done).trim_end());
        let code = if done.sent == 0 { service::EXIT_FAILED } else { 0 };
        Ok(ExitCode::from(code))
    }
}

/// The last answer; the bar is gone then.
async fn send(
    client: &mut Client,
    request: ReplayRawRequest,
    bar: &ProgressBar,
    show: impl Fn(&ProgressBar, &ReplayRawResponse),
) -> anyhow::Result<ReplayRawResponse> {
    let mut stream = client.replay_raw(request).await.map_err(said("replay failed"))?.into_inner();
    let mut last = ReplayRawResponse::default();
    let ended = loop {
        match stream.message().await {
            Ok(Some(answer)) => {
                show(bar, &answer);
                last = answer;
            }
            Ok(None) if last.done => break Ok(()),
            Ok(None) => {
                break Err(anyhow::anyhow!("the connection to the service ended; weir dead-letters replays says more"));
            }
            Err(status) => break Err(said("replay failed")(status)),
        }
    };
    bar.finish_and_clear();
    ended.map(|()| last.clone()).with_context(|| format!("the replay stopped early, {} were sent", last.sent))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
