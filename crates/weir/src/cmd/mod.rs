//! The commands: one file each.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use service::signals::Signals;
use service::tls::Dial;
use tokio_util::sync::CancellationToken;

use crate::out;
use crate::settings::Settings;

pub mod acls;
pub mod alerts;
mod ask;
pub mod dead_letters;
pub mod groups;
pub mod health;
pub mod job;
pub mod lake;
pub mod manifests;
pub mod platforms;
mod printed;
pub mod rebuild;
pub mod register;
mod register_list;
pub mod replay;
mod scratch;
pub mod settings;
pub mod simulate;
pub mod tail;
pub mod topics;
pub mod trace;
pub mod up;
mod up_log;
mod up_place;
mod up_restart;
mod up_simulation;
mod up_watch;
pub mod wait;

/// A command that was interrupted and is in the same write each time it is looked at is stuck.
const STUCK: u32 = 3;
const STUCK_EVERY: Duration = Duration::from_secs(1);

/// The arguments of `weir`.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    about = "Receives webhooks, and turns them into typed events",
    long_about = "Weir receives webhooks of Facebook, Instagram, GitHub and others, stores them durably, and \
                  turns them into typed events on topics.\n\n\
                  Start here:  weir up --simulate\n\
                  Then look:   weir tail events.facebook.comment -n 3",
    after_help = "Settings are read from a file (--config) and from the environment (WEIR__SECTION__KEY); \
                  weir up --print-config shows them all, and docs/settings.md describes each.",
    max_term_width = 110,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Simulate(simulate::Simulate),
    Tail(tail::Tail),
    Register(register::Register),
    Trace(trace::TraceCommand),
    Lake(lake::LakeCommand),
    DeadLetters(dead_letters::DeadLetters),
    Replay(replay::Replay),
    Groups(groups::GroupsCommand),
    Rebuild(rebuild::Rebuild),
    Job(job::Job),
    Health(health::Health),
    Alerts(alerts::AlertsCommand),
    Platforms(platforms::PlatformsCommand),
    Topics(topics::Topics),
    Acls(acls::Acls),
    Manifests(manifests::Manifests),
    Settings(settings::SettingsCommand),
    Wait(wait::Wait),
}

/// Whether `weir` takes these arguments: for manifests and schedulers, whose tests want to know before they run it.
///
/// # Errors
/// What is wrong with them, as `weir` says it.
pub fn check_arguments<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
    let arguments = std::iter::once("weir").chain(arguments);
    Cli::try_parse_from(arguments).map(drop).map_err(|error| error.to_string())
}

/// Runs `weir`.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return service::usage(&error),
    };
    match cli.command {
        Command::Up(up) => up.main(),
        Command::Simulate(simulate) => run(|shutdown| simulate.run(shutdown)),
        Command::Tail(tail) => run(|shutdown| tail.run(shutdown)),
        Command::Register(register) => run(|_| register.run()),
        Command::Trace(trace) => run(|shutdown| trace.run(shutdown)),
        Command::Lake(lake) => run(|shutdown| lake.run(shutdown)),
        Command::DeadLetters(dead_letters) => run(|shutdown| dead_letters.run(shutdown)),
        Command::Replay(replay) => run(|shutdown| replay.run(shutdown)),
        Command::Groups(groups) => run(|_| groups.run()),
        Command::Rebuild(rebuild) => run(|shutdown| rebuild.run(shutdown)),
        Command::Job(job) => run(|shutdown| job.run(shutdown)),
        Command::Health(health) => run(|_| health.run()),
        Command::Alerts(alerts) => run(|_| alerts.run()),
        Command::Platforms(platforms) => run(|shutdown| platforms.run(shutdown)),
        Command::Topics(topics) => run(|_| topics.run()),
        Command::Acls(acls) => run(|_| acls.run()),
        Command::Manifests(manifests) => run(|_| manifests.run()),
        Command::Settings(settings) => run(|_| settings.run()),
        Command::Wait(_) => run(wait::run),
    }
}

/// Runs a command that is no service: until its end, or until somebody interrupts it twice.
fn run<Fut: Future<Output = anyhow::Result<ExitCode>>>(command: impl FnOnce(CancellationToken) -> Fut) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::complain(&format!("weir: cannot start: {error}"));
            return ExitCode::from(service::EXIT_FAILED);
        }
    };
    let shutdown = CancellationToken::new();
    let ended = runtime.block_on(async {
        let signals = Signals::listen().context("cannot listen for signals")?;
        // On a thread of the runtime: this one may be writing to a terminal that is paused.
        let twice = CancellationToken::new();
        let mut asked = tokio::task::JoinSet::new();
        asked.spawn(interrupt(signals, shutdown.clone(), twice.clone()));
        let mut command = Box::pin(command(shutdown.clone()));
        tokio::select! {
            ended = &mut command => ended,
            () = twice.cancelled() => anyhow::bail!("interrupted twice: stopped without waiting"),
        }
    });
    // What still blocks, as a client that looks for a broker, is not waited for.
    runtime.shutdown_background();
    let ended = match (ended, out::failure()) {
        (Ok(_), Some(error)) => Err(anyhow::anyhow!("cannot write to standard output: {error}")),
        (ended, _) => ended,
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            out::complain(&format!("weir: {error:#}"));
            let is_settings = error.is::<service::SettingsError>();
            ExitCode::from(if is_settings { service::EXIT_BAD_SETTINGS } else { service::EXIT_FAILED })
        }
    }
}

/// The first signal asks the command to end, the second ends it. Where the thread of the command hears of neither,
/// because nobody takes what it writes, the process ends here.
async fn interrupt(mut signals: Signals, shutdown: CancellationToken, twice: CancellationToken) {
    signals.next().await;
    shutdown.cancel();
    let stuck = async {
        let mut seen = 0;
        while seen < STUCK {
            tokio::time::sleep(STUCK_EVERY).await;
            seen = if out::is_writing() { seen + 1 } else { 0 };
        }
    };
    tokio::select! {
        _ = signals.next() => {
            twice.cancel();
            tokio::time::sleep(STUCK_EVERY).await;
        }
        () = stuck => {}
    }
    service::complain("weir: interrupted while standard output is blocked: stopped without waiting");
    std::process::exit(service::EXIT_FAILED.into());
}

/// The settings that commands share with the services.
#[derive(Debug, Clone, clap::Args)]
struct ConfigFile {
    /// A TOML file with settings; the environment (WEIR__SECTION__KEY) overrides it
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> anyhow::Result<Settings> {
        Ok(Settings::load(self.config.as_deref())?)
    }
}

/// Where gRPC is answered.
#[derive(Debug, Clone, clap::Args)]
struct Grpc {
    /// Address of the gRPC server [default: the setting grpc.listen, http://127.0.0.1:9090]
    #[arg(long, value_name = "URL", global = true)]
    grpc: Option<String>,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    config: ConfigFile,
}

const HTTPS: &str = "gRPC over TLS (https://)";

/// What is trusted and shown where gRPC is asked over https.
#[derive(Debug, Clone, clap::Args)]
struct Tls {
    /// PEM file with the roots to trust [default: the setting grpc.client.ca_file, or the system's]
    #[arg(long, value_name = "FILE", global = true, help_heading = HTTPS)]
    ca_file: Option<PathBuf>,
    /// PEM file with the client certificate [default: the setting grpc.client.certificate_file]
    #[arg(long, value_name = "FILE", global = true, requires = "key_file", help_heading = HTTPS)]
    certificate_file: Option<PathBuf>,
    /// PEM file with the key of the certificate [default: the setting grpc.client.key_file]
    #[arg(long, value_name = "FILE", global = true, requires = "certificate_file", help_heading = HTTPS)]
    key_file: Option<PathBuf>,
}

impl Grpc {
    fn url(&self) -> anyhow::Result<String> {
        match &self.grpc {
            Some(url) => Ok(url.clone()),
            None => {
                let settings = self.config.load()?;
                Ok(settings.grpc_url(&settings.grpc.listen))
            }
        }
    }

    /// The settings, with what the arguments say of TLS.
    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = self.config.load()?;
        let Tls { ca_file, certificate_file, key_file } = self.tls.clone();
        let client = &mut settings.grpc.client;
        for (given, setting) in [
            (ca_file, &mut client.ca_file),
            (certificate_file, &mut client.certificate_file),
            (key_file, &mut client.key_file),
        ] {
            if let Some(path) = given {
                *setting = path;
            }
        }
        Ok(settings)
    }

    /// How gRPC is reached.
    fn dial(&self) -> anyhow::Result<Dial> {
        let dial = Dial::new("grpc.client", &self.settings()?.grpc.client);
        dial.check()?;
        Ok(dial)
    }
}

/// Reads a file that holds a secret: its first line.
fn read_secret_file(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}: give a file whose first line is the secret", path.display()))?;
    let secret = text.lines().next().unwrap_or_default().to_owned();
    anyhow::ensure!(!secret.is_empty(), "the first line of {} is empty: it must be the secret", path.display());
    Ok(secret)
}

#[cfg(test)]
#[path = "cmd_tests.rs"]
mod tests;
