//! What `weir up --simulate` does beside the services.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bus::Bus;
use service::Host;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::live::counts::{Counts, Totals};
use crate::live::limits::Limits;
use crate::live::screen::{EVERY, Screen};
use crate::live::table::Size;
use crate::live::{secrets, stages, table, watch};
use crate::register;
use crate::settings::SimulationSettings;
use simulate::sender::{self, Options};
use simulate::{Config, Generator, Signer};

/// The hop that brings rows into the lake.
const LOADER: &str = "loader";
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// See [`Counts::turn`].
const TURN_EVERY: Duration = Duration::from_secs(30);
const REDRAW_EVERY: Duration = Duration::from_millis(500);

/// What it needs.
pub(super) struct Simulation {
    pub(super) settings: SimulationSettings,
    pub(super) bus: Bus,
    pub(super) host: Host,
    pub(super) door: String,
    pub(super) grpc: String,
    pub(super) status: String,
    pub(super) lines: mpsc::Sender<String>,
    /// Cancelled when the services have ended.
    pub(super) after: CancellationToken,
}

/// Registers, sends, counts and shows, until the services have ended; then tells the totals.
pub(super) async fn run(
    simulation: Simulation,
    limits: Limits,
    screen: &Screen,
    lines: mpsc::Receiver<String>,
) -> anyhow::Result<()> {
    let after = simulation.after.clone();
    let host = simulation.host.clone();
    let counts = Arc::new(Counts::default());
    let began = Instant::now();
    let counted = counts.clone();
    let head = head(&simulation.door, &simulation.status);
    let sending = async {
        let sent = simulation.send(counted).await;
        if sent.is_ok() {
            after.cancelled().await;
        }
        sent
    };
    let sent = {
        let showing = show(&host, limits, &counts, screen, lines, (began, &head));
        tokio::select! {
            sent = sending => sent,
            never = showing => match never {},
        }
    };
    screen.close();
    counts.in_lake(rows(&host));
    let totals = counts.totals();
    // The topics before the counts: they may be more than the terminal has lines.
    let topics = table::topics(&totals, Size { height: usize::MAX, ..screen.size() });
    let counts = table::counts(&totals, &totals.end_to_end, began.elapsed(), true);
    screen.say(&format!("\nTotals:\n{topics}\n{}\n{counts}", table::state(began.elapsed(), "stopped")));
    sent
}

impl Simulation {
    /// Sends until the shutdown.
    async fn send(self, counts: Arc<Counts>) -> anyhow::Result<()> {
        let shutdown = self.host.shutdown().clone();
        let endpoints = Arc::new(secrets::load_or_create(&self.settings.secrets_file)?);
        let ready = async {
            while !self.host.health().is_ready() {
                sleep(LOOK_EVERY).await;
            }
        };
        if shutdown.run_until_cancelled(ready).await.is_none() {
            return Ok(());
        }
        let registering = async {
            let mut client = register::connect_with(&self.host.dial(), &self.grpc).await?;
            register::reconcile(&mut client, endpoints.registrations(self.settings.pages)).await
        };
        let Some(done) = shutdown.run_until_cancelled(registering).await else { return Ok(()) };
        let done = done?;
        let line = format!(
            "Registered: {} new, {} changed, {} unchanged. Sending {} deliveries per second.",
            done.new, done.changed, done.same, self.settings.rate
        );
        let _ = self.lines.send(line).await;

        let mut watching = JoinSet::new();
        let since = service::clock::now();
        watching.spawn(watch::watch(self.bus.clone(), since, counts.clone(), self.lines.clone(), self.after.clone()));
        let generator = Generator::new(self.config(endpoints.clone())?)?;
        let options = Options { rate: Some(self.settings.rate), concurrency: 256, ..Options::new(&self.door) };
        sender::send(generator, Signer::new(&endpoints), &options, &shutdown, |sent| counts.sent(sent)).await?;
        // The watcher goes on while the services drain.
        watching.join_all().await;
        Ok(())
    }

    fn config(&self, endpoints: Arc<simulate::Endpoints>) -> anyhow::Result<Config> {
        let now = service::clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut seed = [0; 8];
        // Another seed each time: what was sent before would be redeliveries, and nothing would come out.
        getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random bytes for a seed: {error}"))?;
        let start_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let settings = &self.settings;
        Ok(Config {
            pages: settings.pages,
            skew: settings.skew,
            mix: settings.mix.parse()?,
            redeliver: settings.redeliver,
            broken: settings.broken,
            step_us: (1e6 / settings.rate) as u64,
            ..Config::new(endpoints, u64::from_le_bytes(seed), start_ms)
        }
        .numbered_by_start())
    }
}

/// Shows lines as they come, and where things stand now and then.
async fn show(
    host: &Host,
    mut limits: Limits,
    counts: &Counts,
    screen: &Screen,
    mut lines: mpsc::Receiver<String>,
    (began, head): (Instant, &str),
) -> std::convert::Infallible {
    let mut ticks = interval(if screen.has_table() { REDRAW_EVERY } else { EVERY });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = interval(TURN_EVERY);
    let mut said = String::new();
    loop {
        tokio::select! {
            _ = turns.tick() => counts.turn(),
            Some(line) = lines.recv() => screen.say(&line),
            _ = ticks.tick() => {
                counts.in_lake(rows(host));
                let totals = counts.totals();
                if screen.has_table() {
                    screen.show(&whole(host, &mut limits, &totals, began.elapsed(), head, screen.size()));
                    continue;
                }
                let line = table::line(&totals);
                // Nothing to tell before anything was sent, or while nothing changes.
                if totals.sent.sent() > 0 && line != said {
                    screen.say(&line);
                    said = line;
                }
            }
        }
    }
}

/// Rows that the loader made part of the lake since the start.
fn rows(host: &Host) -> u64 {
    let loaded = host.health().digest().counts.into_iter().filter(|count| count.hop == LOADER);
    loaded.map(|count| count.sent_on).sum()
}

/// Where everything is, in two lines that stay: what was told at the start scrolls away.
fn head(door: &str, status: &str) -> String {
    format!("  door      {door}/webhooks/ENDPOINT\n  status    {status}   your first webhook: weir register --help\n")
}

/// All that the terminal shows below the lines that scroll, with a line to spare.
fn whole(host: &Host, limits: &mut Limits, totals: &Totals, running: Duration, head: &str, size: Size) -> String {
    let digest = host.health().digest();
    let how = table::state(running, stages::state(&digest, host.shutdown().is_cancelled()));
    let counts = table::counts(totals, &totals.recent(), running, false);
    let beyond = limits.look(&digest, service::clock::now());
    let mut text = format!("{head}{how}\n{}{beyond}{counts}", stages::troubles(&digest, running));
    let height = size.height.saturating_sub(text.lines().count() + 1);
    text.push_str(&table::topics(totals, Size { height, ..size }));
    text
}

#[cfg(test)]
#[path = "up_simulation_tests.rs"]
mod tests;
