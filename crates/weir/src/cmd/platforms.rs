//! `weir platforms`: whether the platforms still send to us, and what can be done there.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use platforms::{
    PageOutcome, PlatformAnswer, Platforms, Redelivery, RedeliveryOrder, RedeliveryOutcome, RedeliveryStop,
    Resubscription, SubscriptionState,
};
use service::clock;
use tokio_util::sync::CancellationToken;

use crate::out;

/// Nobody knows whether a subscription is there.
const UNKNOWN: u8 = 3;

/// Ask the platforms whether they still send to us, and subscribe again or redeliver there
///
/// Reads the settings [platforms]: they say where the subscription of each endpoint is, and hold the tokens. Give the
/// same file and the same environment as to health-check.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir platforms check --config weir.toml
  weir platforms redeliver ci --since 2h --dry-run
  weir platforms subscribe my-app")]
pub struct PlatformsCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    config: super::ConfigFile,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(Check),
    Redeliver(Redeliver),
    Subscribe(Subscribe),
}

/// Ask whether the subscription of endpoints is still there
///
/// Changes nothing. Exit code: 0 all are present, 1 one is absent or inactive, 3 none is, and of one it is not known.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir platforms check
  weir platforms check my-app ci --json")]
struct Check {
    /// The names of endpoints [default: all of platforms.endpoints]
    #[arg(value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// Print a JSON object for each endpoint
    #[arg(long)]
    json: bool,
}

/// Ask GitHub to send again the deliveries that failed
///
/// GitHub never sends again by itself. A delivery is asked for if none of its attempts succeeded, the oldest first. Those
/// that were received before all the same are dropped as duplicates. The token has to be allowed to write webhooks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir platforms redeliver ci --since 2h --dry-run
  weir platforms redeliver ci --since 3d --most 500")]
struct Redeliver {
    /// The name of the endpoint
    endpoint: String,
    /// How far to look back, such as 30m or 2h; GitHub keeps three days
    #[arg(long, value_name = "PERIOD", value_parser = super::register::parse_period)]
    since: Duration,
    /// Ask for at most this many, one each second
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    most: u32,
    /// Only show what would be asked for
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Subscribe pages of a Meta app again that are not subscribed any more
///
/// Each page of platforms.endpoints is looked at first. One that has all of its fields is left as it is, and fields that
/// it has beside them stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir platforms subscribe my-app --dry-run
  weir platforms subscribe my-app")]
struct Subscribe {
    /// The name of the endpoint
    endpoint: String,
    /// Only show what would be changed
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl PlatformsCommand {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        let platforms = Platforms::new(&self.config.load()?.platforms);
        let running = async {
            match self.command {
                Command::Check(command) => command.run(&platforms).await,
                Command::Redeliver(command) => command.run(&platforms).await,
                Command::Subscribe(command) => command.run(&platforms).await,
            }
        };
        let ended = shutdown.run_until_cancelled(running).await;
        ended.context("interrupted: what the platform was asked for until then stays asked for")?
    }
}

impl Check {
    async fn run(self, platforms: &Platforms) -> anyhow::Result<ExitCode> {
        let all = || platforms.endpoints().map(str::to_owned).collect();
        let endpoints: Vec<String> = if self.endpoints.is_empty() { all() } else { self.endpoints };
        anyhow::ensure!(
            !endpoints.is_empty(),
            "platforms.endpoints is empty: name the endpoints there, with their tokens"
        );
        let mut states = Vec::new();
        for endpoint in endpoints {
            let answer = platforms.check(&endpoint).await;
            states.push(answer.state());
            let text = if self.json {
                let state = answer.state();
                let found = answer.to_string();
                serde_json::json!({ "endpoint": endpoint, "state": state, "found": found, "answer": answer })
                    .to_string()
            } else {
                checked(&endpoint, &answer)
            };
            if !out::line(&text) {
                break;
            }
        }
        let is_wrong =
            |state: &SubscriptionState| matches!(state, SubscriptionState::Absent | SubscriptionState::Inactive);
        Ok(if states.iter().any(is_wrong) {
            ExitCode::from(service::EXIT_FAILED)
        } else if states.contains(&SubscriptionState::Unknown) {
            ExitCode::from(UNKNOWN)
        } else {
            ExitCode::SUCCESS
        })
    }
}

impl Redeliver {
    async fn run(self, platforms: &Platforms) -> anyhow::Result<ExitCode> {
        let since = clock::now().checked_sub(self.since).context("--since is before all time")?;
        let order =
            RedeliveryOrder { most: self.most as usize, dry_run: self.dry_run, ..RedeliveryOrder::since(since) };
        let done = platforms.redeliver(&self.endpoint, &order).await?;
        out::say(&if self.json { serde_json::to_string(&done)? } else { redelivered(&done) });
        let is_failed = |outcome: &RedeliveryOutcome| matches!(outcome, RedeliveryOutcome::Failed(_));
        let failed = done.stopped.is_some() || done.attempts.iter().any(|attempt| is_failed(&attempt.outcome));
        Ok(if failed { ExitCode::from(service::EXIT_FAILED) } else { ExitCode::SUCCESS })
    }
}

impl Subscribe {
    async fn run(self, platforms: &Platforms) -> anyhow::Result<ExitCode> {
        let done = platforms.subscribe(&self.endpoint, self.dry_run).await?;
        out::say(&if self.json { serde_json::to_string(&done)? } else { subscribed(&done) });
        let is_failed = |outcome: &PageOutcome| matches!(outcome, PageOutcome::Failed(_) | PageOutcome::NotTried);
        let failed = done.pages.iter().any(|page| is_failed(&page.outcome));
        Ok(if failed { ExitCode::from(service::EXIT_FAILED) } else { ExitCode::SUCCESS })
    }
}

/// A line, and what to do unless all is well.
fn checked(endpoint: &str, answer: &PlatformAnswer) -> String {
    let state = match answer.state() {
        SubscriptionState::Present => return format!("{endpoint}: present: {answer}"),
        SubscriptionState::Absent => "absent",
        SubscriptionState::Inactive => "inactive",
        SubscriptionState::Unknown => "unknown",
    };
    let advice = answer.advice().map_or(String::new(), |advice| format!(". {}", advice.replace("ENDPOINT", endpoint)));
    format!("{endpoint}: {state}: {answer}{advice}")
}

/// What came of it, and a line for each delivery.
fn redelivered(done: &Redelivery) -> String {
    let Redelivery { dry_run, listed, all_listed, attempts, left, stopped } = done;
    let did = if *dry_run { "would ask" } else { "asked" };
    let count = if *dry_run { attempts.len() } else { done.asked() };
    let mut text = format!("{did} GitHub for {count} of {} failed deliveries", attempts.len() + left);
    // Writing to a String does not fail.
    let _ = write!(text, " ({listed} attempts listed{})", if *all_listed { "" } else { ", and there are more" });
    for attempt in attempts {
        let outcome = match &attempt.outcome {
            RedeliveryOutcome::WouldAsk => "would be asked for".to_owned(),
            RedeliveryOutcome::Asked => "asked for".to_owned(),
            RedeliveryOutcome::Failed(why) => format!("not asked for: {why}"),
        };
        let (at, status, event, guid) = (&attempt.delivered_at, attempt.status_code, &attempt.event, &attempt.guid);
        let _ = write!(text, "\n  {at}  {status:>3}  {event}  {guid}  {outcome}");
    }
    match stopped {
        None if *left > 0 => text.push_str("\nfor the others: give a larger --most, or run it again"),
        None => {}
        Some(RedeliveryStop::Failed(why)) => {
            let _ = write!(text, "\nended early: {why}");
        }
        Some(RedeliveryStop::NearRateLimit { remaining, again_after_s }) => {
            let again = again_after_s.map_or(String::new(), |seconds| format!("; again in {seconds} s"));
            let _ = write!(text, "\nended early: the token has {remaining} calls left{again}");
        }
    }
    text
}

/// A line for each page.
fn subscribed(done: &Resubscription) -> String {
    let mut lines = Vec::new();
    for page in &done.pages {
        let fields = page.fields.join(", ");
        lines.push(match &page.outcome {
            PageOutcome::AlreadySubscribed => format!("page {}: already subscribed to {fields}", page.page),
            PageOutcome::WouldSubscribe => format!("page {}: would be subscribed to {fields}", page.page),
            PageOutcome::Subscribed => format!("page {}: subscribed to {fields}", page.page),
            PageOutcome::Failed(why) => format!("page {}: not subscribed: {why}", page.page),
            PageOutcome::NotTried => format!("page {}: not tried after what was said before", page.page),
        });
    }
    if lines.is_empty() { "no pages: the settings of the endpoint name none".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
#[path = "platforms_tests.rs"]
mod tests;
