//! `weir dead-letters`: what was refused, and how it is sent again.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use common::deadletter::v1::dead_letter_service_client::DeadLetterServiceClient;
use common::deadletter::v1::{GetRequest, ListReplaysRequest, ListRequest, Selection, StatsRequest, StatsResponse};
use control::dead_letters::select;
use prost::Message as _;
use prost_types::Timestamp;
use service::Channel;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{catalogue::refusing, decode::Decoder, out};

mod replay;
pub(super) mod show;

/// An answer holds the largest record there is.
const LARGEST: usize = 64 << 20;
/// The topic may hold a month of them.
const PATIENCE: Duration = Duration::from_secs(600);

type Client = DeadLetterServiceClient<Channel>;

/// Show dead letters, and replay them
///
/// Weir keeps what a stage cannot handle for 30 days, with the stage, the reason and the exact bytes. After the fix, a
/// replay re-sends it to the input of that stage. The stage then produces what it would have produced without the
/// fault, with the same ids. Events that were produced before are dropped as duplicates.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir dead-letters stats --since 1d
  weir dead-letters list --stage processing --reason wrong_shape
  weir dead-letters show 0123456789abcdef0123456789abcdef
  weir dead-letters replay --endpoint my-app --since 2h          says what would be sent, then asks
  weir dead-letters replay --reason too_large --rate 20 --yes
  weir dead-letters replays")]
pub struct DeadLetters {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    grpc: super::Grpc,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListArgs),
    Show(ShowArgs),
    Stats(StatsArgs),
    Replay(replay::Replay),
    Replays(ReplaysArgs),
}

/// Which dead letters are meant: those that fit everything that is given.
#[derive(Debug, Clone, clap::Args)]
struct SelectArgs {
    /// Only the one with this id; can be repeated
    #[arg(long = "id", value_name = "ID", value_parser = parse_id)]
    ids: Vec<String>,
    /// Only those that this stage refused
    #[arg(long, value_parser = PossibleValuesParser::new(refusing()))]
    stage: Option<String>,
    #[arg(long, help = format!("Only those of this source: {}", sources::names().join(", ")))]
    source: Option<String>,
    /// Only those of this endpoint
    #[arg(long)]
    endpoint: Option<String>,
    /// Only those with this reason, such as not_json; weir dead-letters stats lists the reasons
    #[arg(long)]
    reason: Option<String>,
    /// Refused at or after this time: 2026-01-31T10:00:00Z, or this long ago: 30m, 12h, 3d
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
    /// Refused before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
}

impl SelectArgs {
    fn selection(&self) -> Selection {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Selection {
            ids: self.ids.clone(),
            stage: text(&self.stage),
            source: text(&self.source),
            endpoint: text(&self.endpoint),
            reason: text(&self.reason),
            from: self.since,
            until: self.until,
        }
    }
}

/// List dead letters, the newest first
#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// List at most this many
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Continue a list: the token that the list ended with
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    page: String,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Show one dead letter in full, with its bytes as text where they are text
#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Its id: 32 digits
    #[arg(value_parser = parse_id)]
    id: String,
}

/// Count dead letters by stage, reason, source, endpoint and hour, and show how many were replayed
#[derive(Debug, clap::Args)]
struct StatsArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// List replays, the newest first
#[derive(Debug, clap::Args)]
struct ReplaysArgs {
    /// List at most this many
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

fn parse_id(text: &str) -> Result<String, String> {
    select::check_id("ID", text).map_err(|invalid| invalid.problem)?;
    Ok(text.to_owned())
}

pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    time_of(text, service::clock::now())
}

/// A time, or so long before now.
fn time_of(text: &str, now: SystemTime) -> Result<Timestamp, String> {
    let ago = || super::register::parse_period(text).ok().and_then(|period| now.checked_sub(period));
    common::time::from_rfc3339(text).or_else(|| ago().map(Timestamp::from)).ok_or_else(|| {
        "give a time with its offset, such as 2026-01-31T10:00:00Z, or how long ago, such as 30m, 12h or 3d".to_owned()
    })
}

impl DeadLetters {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        match shutdown.run_until_cancelled(self.command()).await {
            Some(ended) => ended,
            // The service stops a replay whose caller is gone.
            None => anyhow::bail!("interrupted"),
        }
    }

    async fn command(self) -> anyhow::Result<ExitCode> {
        let channel = crate::register::patient_channel(&self.grpc.dial()?, &self.grpc.url()?, PATIENCE).await?;
        let mut client = Client::new(channel).max_decoding_message_size(LARGEST);
        match self.command {
            Command::List(args) => list(&mut client, args).await,
            Command::Show(args) => {
                let request = GetRequest { id: args.id.clone() };
                let answer = client.get(request).await.map_err(said("cannot show the dead letter"))?.into_inner();
                out::say(&show::one(&Decoder::new()?, &answer)?);
                Ok(ExitCode::SUCCESS)
            }
            Command::Stats(args) => {
                let answer = stats(&mut client, &args.select).await?;
                if args.json {
                    let name = "weir.deadletter.v1.StatsResponse";
                    out::say(&format!("{:#}", Decoder::new()?.value(name, &answer.encode_to_vec())?));
                } else {
                    out::say(show::stats(&answer).trim_end());
                }
                Ok(ExitCode::SUCCESS)
            }
            Command::Replay(args) => args.run(&mut client).await,
            Command::Replays(args) => replays(&mut client, args).await,
        }
    }
}

async fn list(client: &mut Client, args: ListArgs) -> anyhow::Result<ExitCode> {
    let (mut found, mut page) = (Vec::new(), args.page);
    // Where few of very many are meant, an answer has fewer than were asked for and says where to go on.
    loop {
        let left = args.count.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        let request =
            ListRequest { selection: Some(args.select.selection()), page_size: left, page_token: page.clone() };
        let answer = client.list(request).await.map_err(said("cannot list dead letters"))?.into_inner();
        found.extend(answer.found);
        page = answer.next_page_token;
        if page.is_empty() || found.len() >= args.count as usize {
            break;
        }
    }
    if args.json {
        let decoder = Decoder::new()?;
        for found in &found {
            if !out::line(&show::json(&decoder, found)?.to_string()) {
                return Ok(ExitCode::SUCCESS);
            }
        }
    } else if !found.is_empty() {
        out::say(show::table(&found).trim_end());
    }
    if found.is_empty() {
        out::complain("no dead letter matches");
    }
    if !page.is_empty() {
        out::complain(&format!("there are older ones: repeat the command with --page {page}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// All of them, also where they are still being counted.
async fn stats(client: &mut Client, select: &SelectArgs) -> anyhow::Result<StatsResponse> {
    loop {
        let request = StatsRequest { selection: Some(select.selection()) };
        let answer = client.stats(request).await.map_err(said("cannot count dead letters"))?.into_inner();
        // An older server counts all of them each time, and does not say how many.
        if answer.counted >= answer.to_count {
            return Ok(answer);
        }
        let (counted, all) = (out::count(answer.counted), out::count(answer.to_count));
        out::complain(&format!("{counted} of {all} dead letters counted so far"));
    }
}

async fn replays(client: &mut Client, args: ReplaysArgs) -> anyhow::Result<ExitCode> {
    let request = ListReplaysRequest { page_size: args.count };
    let found = client.list_replays(request).await.map_err(said("cannot list replays"))?.into_inner().replays;
    if found.is_empty() {
        out::complain("there was no replay yet");
    } else if args.json {
        let decoder = Decoder::new()?;
        for replay in &found {
            let value = decoder.value("weir.deadletter.v1.Replay", &replay.encode_to_vec())?;
            if !out::line(&value.to_string()) {
                break;
            }
        }
    } else {
        out::say(show::replays(&found).trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

/// What the service said, for people, with what to do.
pub(super) fn said(what: &'static str) -> impl FnOnce(Status) -> anyhow::Error {
    move |status| {
        let hint = match status.code() {
            Code::NotFound => "weir dead-letters list shows the existing ones",
            Code::InvalidArgument => "correct the argument that it names",
            Code::Unimplemented => {
                "this server does not serve dead letters: give the address of processing, or of weir up"
            }
            Code::ResourceExhausted => "weir dead-letters replays shows the running one",
            Code::Unavailable => "the log or the database is unavailable: weir health says which",
            Code::DeadlineExceeded => "timed out: give a shorter period with --since or --from",
            _ => "the log of the service says more",
        };
        anyhow::anyhow!("{what}: {} ({hint})", status.message())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
