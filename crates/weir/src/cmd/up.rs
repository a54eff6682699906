//! `weir up`: every service in one process.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::Bus;
use service::{Addresses, Host};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::up_place::{self, Log};
use super::up_restart;
use super::up_simulation::{self, Simulation};
use super::up_watch;
use crate::catalogue::{Opened, SERVICES, descriptions};
use crate::live::limits::Limits;
use crate::live::screen::Screen;
use crate::out;
use crate::records;
use crate::settings::{DEFAULTS, Settings};

/// How long a broker may take to answer, and how often it is asked.
const PING: Duration = Duration::from_secs(3);
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Run every service of Weir in one process
///
/// Opens the door for webhooks, turns deliveries into typed events, and answers gRPC, until Ctrl-C. All of it listens
/// on loopback. All its state is in ./weir-data, and the next start continues with it. WEIR__DATA__DIR names another
/// folder for the log, the lake, the registrations and their key. At a terminal log lines go to weir.log in that folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir up --simulate                        see it work: sends signed deliveries to its own door, and counts the events
  weir up --simulate --rate 200             more deliveries
  weir up --config weir.toml
  weir up --print-config > weir.toml        all settings, as a start
  weir up --ports 18080                     where 8080, 8081 or 9090 is taken
  WEIR__DATA__DIR=/var/lib/weir weir up
  WEIR__BUS__KAFKA__BROKERS=kafka:9092 weir up")]
pub struct Up {
    #[command(flatten)]
    flags: service::Flags,
    /// Register demo endpoints, send signed deliveries to the own door, and show a live table of the results
    #[arg(long)]
    simulate: bool,
    /// Simulated deliveries per second [default: setting simulation.rate, 20]
    #[arg(long, value_name = "N", requires = "simulate", value_parser = parse_rate)]
    rate: Option<f64>,
    /// Listen on this port (the door) and on the two after it (the status page, gRPC) [default: settings
    /// streaming.listen, admin.listen and grpc.listen: 8080, 8081, 9090]
    #[arg(long, value_name = "FIRST", value_parser = up_place::parse_port)]
    ports: Option<u16>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| *rate > 0.0 && *rate <= 100_000.0)
        .ok_or_else(|| "give deliveries per second, above 0 and at most 100000".to_owned())
}

impl Up {
    pub(super) fn main(mut self) -> ExitCode {
        let only_looks = self.flags.check_config || self.flags.print_config;
        // Settings that are wrong are told by whoever loads them next.
        let settings = Settings::load(self.flags.config.as_deref()).ok();
        if let (Some(first), Some(settings)) = (self.ports, &settings) {
            self.flags.over = up_place::listeners(settings, first);
        }
        let log = settings.filter(|_| !only_looks).and_then(|settings| redirect_log(&settings));
        // Until it has come to its end: whoever fails or panics before writes to the log alone.
        let failure = Arc::new(Mutex::new(Some("it failed: the last lines of the log say why".to_owned())));
        let (failed, simulate, rate) = (failure.clone(), self.simulate, self.rate);
        let log_file = log.as_ref().map(|log| log.file.clone());
        let code = service::main_with("weir", DEFAULTS, &self.flags, |mut settings: Settings, host| async move {
            settings.simulation.rate = rate.unwrap_or(settings.simulation.rate);
            let ended = Box::pin(run(settings, host, simulate, log_file)).await.map_err(up_place::with_ports);
            let told = ended.as_ref().err().map(|error| format!("{error:#}"));
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = told;
            ended
        });
        if let Some(log) = log {
            let file = log.file.clone();
            // From here on standard error is the terminal again.
            drop(log);
            if let Some(error) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
                service::complain(&format!("weir: {error}\nThe log is in {}", file.display()));
            }
        }
        code
    }
}

/// At a terminal log lines would bury the addresses, and tear the table: they go to a file in the data directory.
fn redirect_log(settings: &Settings) -> Option<Log> {
    // A folder that cannot be written is told as what it is.
    if !(out::is_terminal() && std::io::stderr().is_terminal()) || up_place::check_folder(settings).is_err() {
        return None;
    }
    match Log::redirect(&settings.bus.data_dir) {
        Ok(log) => Some(log),
        Err(error) => {
            service::complain(&format!("weir: log lines stay on the terminal: {error:#}"));
            None
        }
    }
}

async fn run(settings: Settings, host: Host, simulate: bool, log_file: Option<PathBuf>) -> anyhow::Result<()> {
    anyhow::ensure!(
        !(simulate && settings.streaming.tls.is_on()),
        "--simulate sends over plain HTTP: leave streaming.tls empty, or leave --simulate out"
    );
    up_place::check_folder(&settings)?;
    host.hold_all(descriptions().map(|description| description.name).collect());
    let screen = Arc::new(Screen::new());
    let opening = up_place::tell_opening(&settings, screen.clone());
    let mut opened = Vec::new();
    let shared = Arc::new(settings.clone());
    // Against the data's way: at the first start processing makes the key that the door reads.
    for entry in SERVICES.iter().rev() {
        let opens = up_restart::opens(entry, &shared);
        let open = up_restart::open(&opens, &host).await?;
        opened.push(((entry.description)(), opens, open));
    }
    let bus = Bus::open(&settings.bus)?;
    let services = || opened.iter().map(|(_, _, open)| open.service());
    let mut routes = services().fold(Routes::default(), |routes, service| service.add_to(routes));
    if settings.bus.kafka.brokers.is_empty() {
        // Nobody else can reach the log.
        routes = routes.add_service(records::service::Service::server(bus.clone(), &host));
        routes = routes.add_service(records::groups::Service::server(bus.clone(), &host));
    }
    let pages = services().find_map(Opened::pages);
    let addresses = host.serve_with(routes, pages).await?;
    let grpc = settings.grpc_url(&addresses.grpc.to_string());
    let door = services().find_map(Opened::door).context("no service has a door")?;
    drop(opening);
    screen.say(&banner(door, &addresses, &settings, log_file.as_deref()));

    let mut services = JoinSet::new();
    let drain = Duration::from_millis(settings.shutdown.deadline_ms);
    for (description, opens, open) in opened {
        let (name, host) = (description.name, host.clone());
        let asked = if up_restart::can_be_restarted(&description) {
            host.restarts().offer(name)
        } else {
            // Nobody asks.
            mpsc::channel(1).1
        };
        services.spawn(async move { up_restart::run(name, opens, host, open, asked, drain).await.context(name) });
    }

    // Ends after the services, so that what they still write while they drain is counted.
    let after = CancellationToken::new();
    let (lines, shown) = mpsc::channel(16);
    let mut sides = JoinSet::new();
    if settings.bus.kafka.brokers.is_empty() {
        sides.spawn(super::up_log::Checks::new(host.health()).watch(bus.clone()));
    } else {
        sides.spawn(tell_broker(bus.clone(), lines.clone(), after.clone()));
    }
    let limits = Limits::new(&settings.health_check, host.held().unwrap_or_default());
    let aside = async {
        if simulate {
            let simulation = Simulation {
                settings: settings.simulation.clone(),
                bus: bus.clone(),
                host: host.clone(),
                door: format!("http://{door}"),
                grpc,
                status: status_page(&addresses, &settings),
                lines,
                after: after.clone(),
            };
            Box::pin(up_simulation::run(simulation, limits, &screen, shown)).await
        } else {
            drop(lines);
            let watching = up_watch::run(&host, limits, &screen, shown);
            let _ = after.run_until_cancelled(watching).await;
            if screen.has_table() {
                screen.close();
                screen.say("Stopped.");
            }
            Ok(())
        }
    };
    let ended = until_all_end(&mut services, &host, &after, Box::pin(aside)).await;
    sides.shutdown().await;
    screen.close();
    // It waits for a moment, at most, for the last lines to be written.
    tokio::task::block_in_place(|| drop(screen));
    ended
}

/// Waits for all services, and for what goes on beside them. The first that ends with an error ends the others.
async fn until_all_end(
    services: &mut JoinSet<anyhow::Result<()>>,
    host: &Host,
    after: &CancellationToken,
    mut aside: std::pin::Pin<Box<impl Future<Output = anyhow::Result<()>>>>,
) -> anyhow::Result<()> {
    let mut first = Ok(());
    let mut aside_ended = false;
    loop {
        let ended = tokio::select! {
            service = services.join_next() => match service {
                Some(ended) => ended.context("a service panicked").and_then(|ended| ended),
                None => break,
            },
            ended = &mut aside, if !aside_ended => {
                aside_ended = true;
                ended
            }
        };
        if ended.is_err() && first.is_ok() {
            first = ended;
            host.shutdown().cancel();
        }
    }
    after.cancel();
    if !aside_ended {
        let ended = aside.await;
        first = first.and(ended);
    }
    first
}

/// Says plainly when no broker answers, and when one comes.
async fn tell_broker(bus: Bus, lines: mpsc::Sender<String>, stop: CancellationToken) {
    let brokers = bus.settings().kafka.brokers.join(", ");
    let mut answered = None;
    let watch = async {
        loop {
            let answers = bus.ping(PING).await.is_ok();
            let line = match (answered, answers) {
                (None | Some(true), false) => Some(format!(
                    "No broker answers at {brokers} (setting bus.kafka.brokers, or WEIR__BUS__KAFKA__BROKERS).\n\
                     Weir is up and answers deliveries with 503. It resumes by itself when a broker answers."
                )),
                (Some(false), true) => Some(format!("The broker at {brokers} answers: resuming.")),
                _ => None,
            };
            answered = Some(answers);
            if let Some(line) = line {
                let _ = lines.send(line).await;
            }
            sleep(ASK_EVERY).await;
        }
    };
    let _ = stop.run_until_cancelled(watch).await;
}

fn status_page(addresses: &Addresses, settings: &Settings) -> String {
    let scheme = if settings.admin.tls.is_on() { "https" } else { "http" };
    format!("{scheme}://{}/", addresses.admin)
}

fn banner(door: SocketAddr, addresses: &Addresses, settings: &Settings, log_file: Option<&Path>) -> String {
    let Addresses { grpc, .. } = addresses;
    let lines = log_file.map(|file| format!("\n  log lines {}", file.display())).unwrap_or_default();
    let status = status_page(addresses, settings);
    // A command that has to find another place than usual is told it.
    let log = if settings.bus.kafka.brokers.is_empty() {
        format!("{} (embedded)", settings.bus.data_dir.join("log").display())
    } else {
        format!("Kafka at {}", settings.bus.kafka.brokers.join(", "))
    };
    let usual = grpc.port() == 9090;
    let grpc = settings.grpc_url(&grpc.to_string());
    let grpc_flag = if usual { String::new() } else { format!(" \\\n    --grpc {grpc}") };
    let way = if settings.streaming.tls.is_on() { "https" } else { "http" };
    format!(
        "Weir is up. Ctrl-C stops it; its state stays in {}.\n\
         \n  door      {way}://{door}/webhooks/ENDPOINT\
         \n  status    {status}  (also /health, /metrics)\
         \n  gRPC      {grpc}\
         \n  log       {log}\
         \n  lake      {}{lines}\n\
         \nYour first webhook:\
         \n  weir register endpoint my-repo --source github --tenant me{grpc_flag} --secret-file FILE\
         \n  let it deliver to {way}://{door}/webhooks/my-repo, then run:\
         \n  weir tail events.github.push --follow{grpc_flag}\
         \nNo sender yet? weir simulate --register --url {way}://{door}{grpc_flag}\n",
        settings.bus.data_dir.display(),
        settings.lake.root,
    )
}

#[cfg(test)]
#[path = "up_tests.rs"]
mod tests;
