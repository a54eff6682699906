//! `weir simulate`: the traffic generator.

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::{live::secrets, out, register};
use simulate::oracle::Oracle;
use simulate::sender::{self, Options, Summary};
use simulate::{Config, Endpoints, Generator, Mix, Signer};

/// Send deliveries as the platforms send them
///
/// Sends signed deliveries to the endpoints sim-meta, sim-github and sim-billing. They are conversations on Facebook
/// Pages and Instagram, events of GitHub repositories, and invoices by Standard Webhooks. The same --seed and --start
/// give the same deliveries. A delivery that was not acknowledged is re-sent as the platform would: Meta re-sends,
/// GitHub does not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir simulate --register                       register the endpoints, then 20 deliveries per second until Ctrl-C
  weir simulate --count 10000 --rate 0           ten thousand, as fast as the door answers
  weir simulate --count 1000 --oracle meant.jsonl --redeliver 0.1 --broken 0.05
  weir simulate --mix github=1 --rate 2          GitHub alone")]
pub struct Simulate {
    /// URL of the door
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Deliveries per second; 0: as fast as the door answers
    #[arg(long, value_name = "N", default_value_t = 20.0)]
    rate: f64,
    /// How many deliveries [default: until Ctrl-C]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Pages of Facebook, each with an Instagram account; every second one belongs to another tenant
    #[arg(long, value_name = "N", default_value_t = 50)]
    pages: u32,
    /// How unequal pages and repositories are: 0 is even, 1 as in real life
    #[arg(long, value_name = "S", default_value_t = 0.8)]
    skew: f64,
    /// Seed of the generator [default: a random one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Time of the first event, for example 2026-01-31T10:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    start: Option<i64>,
    /// Deliveries in flight at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    concurrency: usize,
    /// Shares of facebook, instagram, github, standard [default: facebook=55,instagram=15,github=22,standard=8]
    #[arg(long, value_name = "SHARES")]
    mix: Option<Mix>,
    /// The share of Meta's deliveries that mix 2 to 20 pages of two tenants
    #[arg(long, value_name = "RATIO", default_value_t = 0.4)]
    mixed: f64,
    /// The share of deliveries that repeat earlier events, half of them batched differently
    #[arg(long, value_name = "RATIO", default_value_t = 0.0)]
    redeliver: f64,
    /// The share of deliveries that are broken on purpose
    #[arg(long, value_name = "RATIO", default_value_t = 0.0)]
    broken: f64,
    /// Write the events of each delivery, and whether it was acknowledged, as JSON lines
    #[arg(long, value_name = "FILE")]
    oracle: Option<PathBuf>,
    /// Register the endpoints and accounts first, where they are missing or differ
    #[arg(long)]
    register: bool,
    /// File with the secrets of the endpoints; --register creates it [default: setting simulation.secrets_file]
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
    #[command(flatten)]
    grpc: super::Grpc,
}

fn parse_time(text: &str) -> Result<i64, String> {
    common::time::from_rfc3339(text)
        .map(|time| common::time::to_millis(&time))
        .ok_or_else(|| "give a time with its offset, such as 2026-01-31T10:00:00Z".to_owned())
}

impl Simulate {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        let endpoints = Arc::new(self.endpoints()?);
        if self.register {
            let mut client = register::connect_with(&self.grpc.dial()?, &self.grpc.url()?).await?;
            let done = register::reconcile(&mut client, endpoints.registrations(self.pages)).await?;
            out::complain(&format!(
                "registrations: {} new, {} changed, {} unchanged",
                done.new, done.changed, done.same
            ));
        }
        let generator = Generator::new(self.config(endpoints.clone())?)?;
        out::complain(&format!("seed {}, to {}", generator.config().seed, self.url));
        let mut oracle = match &self.oracle {
            Some(file) => {
                let created = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
                Some(Oracle::new(BufWriter::new(created)))
            }
            None => None,
        };
        let options = Options {
            rate: (self.rate > 0.0).then_some(self.rate),
            count: self.count,
            concurrency: self.concurrency,
            ..Options::new(&self.url)
        };
        let progress = progress(self.count);
        let mut failed = None;
        let mut so_far = Summary::default();
        let summary = sender::send(generator, Signer::new(&endpoints), &options, &shutdown, |sent| {
            so_far.add(sent);
            progress.inc(1);
            if so_far.sent() % 16 == 1 {
                progress.set_message(short(&so_far));
            }
            if let Some(oracle) = &mut oracle
                && let Err(error) = oracle.record(sent)
            {
                // Without its oracle the run proves nothing: it ends.
                failed.get_or_insert(error);
                shutdown.cancel();
            }
        })
        .await?;
        progress.finish_and_clear();
        if let Some(oracle) = oracle
            && let Err(error) = oracle.finish()
        {
            failed.get_or_insert(error);
        }
        if let Some(error) = failed {
            let file = self.oracle.unwrap_or_default();
            return Err(error).with_context(|| format!("cannot write {}", file.display()));
        }
        out::say(&long(&summary));
        Ok(if summary.acknowledged == 0 && summary.sent() > 0 {
            out::complain(&advice(&summary, &self.url));
            ExitCode::from(service::EXIT_FAILED)
        } else {
            ExitCode::SUCCESS
        })
    }

    fn config(&self, endpoints: Arc<Endpoints>) -> anyhow::Result<Config> {
        let now = service::clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes for a seed: {error}"))?;
        // A seed that people can type again.
        let seed = self.seed.unwrap_or_else(|| u64::from_le_bytes(bytes) % 1_000_000_000);
        let start_ms = self.start.unwrap_or(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        Ok(Config {
            pages: self.pages,
            skew: self.skew,
            mix: self.mix.unwrap_or_default(),
            mixed: self.mixed,
            redeliver: self.redeliver,
            broken: self.broken,
            step_us: if self.rate > 0.0 { (1e6 / self.rate) as u64 } else { 1000 },
            ..Config::new(endpoints, seed, start_ms)
        }
        .numbered_by_start())
    }

    fn endpoints(&self) -> anyhow::Result<Endpoints> {
        let file = match &self.secrets_file {
            Some(file) => file.clone(),
            None => self.grpc.config.load()?.simulation.secrets_file,
        };
        if self.register {
            return secrets::load_or_create(&file);
        }
        secrets::load(&file)?.with_context(|| {
            format!(
                "there are no secrets in {}: register the simulated endpoints with --register, or name the file that \
                 has them with --secrets-file",
                file.display()
            )
        })
    }
}

fn progress(count: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match count {
        Some(count) => (ProgressBar::new(count), "{bar:30} {pos}/{len}  {per_sec}  {msg}  {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {pos} deliveries  {per_sec}  {msg}"),
    };
    // The template is right as it stands; with another one there would be another bar.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn short(summary: &Summary) -> String {
    let other = summary.refused + summary.indeterminate;
    format!("2xx {}, other {}, p99 {}", summary.acknowledged, other, out::duration(summary.latencies.quantile(0.99)))
}

/// What was sent, and how it went.
fn long(summary: &Summary) -> String {
    let statuses: Vec<_> =
        summary.statuses.iter().map(|(status, count)| format!("{status}: {}", out::count(*count))).collect();
    let none = summary.sent() - summary.statuses.values().sum::<u64>();
    let rate = summary.sent() as f64 / summary.elapsed.as_secs_f64().max(0.001);
    let mut text = format!(
        "sent          {} in {} ({rate:.1}/s)\nacknowledged  {}, with {} new events\nanswers       {}",
        out::count(summary.sent()),
        out::duration(Some(summary.elapsed)),
        out::count(summary.acknowledged),
        out::count(summary.events),
        if statuses.is_empty() { "none".to_owned() } else { statuses.join(", ") }
    );
    if none > 0 {
        text.push_str(&format!(", no answer: {}", out::count(none)));
    }
    let quantile = |share| out::duration(summary.latencies.quantile(share));
    text.push_str(&format!("\nanswered in   p50 {}, p99 {}", quantile(0.5), quantile(0.99)));
    for (what, count) in
        [("re-sent", summary.retries), ("indeterminate", summary.indeterminate), ("unexpected", summary.unexpected)]
    {
        if count > 0 {
            text.push_str(&format!("\n{what:<13} {}", out::count(count)));
        }
    }
    text
}

/// Why nothing at all was acknowledged, as far as the answers tell.
fn advice(summary: &Summary, url: &str) -> String {
    let most = summary.statuses.iter().max_by_key(|(_, count)| **count).map(|(status, _)| *status);
    match most {
        None => format!("weir: no answer from {url}: is Weir running (weir up)? Is --url right?"),
        Some(401) => "weir: the door has other secrets for these endpoints: use --register".to_owned(),
        Some(404) => "weir: these endpoints are not registered: use --register".to_owned(),
        Some(503) => "weir: the door is not ready: weir health says why".to_owned(),
        Some(status) => format!("weir: the door answered {status}"),
    }
}

#[cfg(test)]
#[path = "simulate_tests.rs"]
mod tests;
