//! `main` of a service.

mod healthcheck;

use std::ffi::OsString;
use std::future::Future;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::{EXIT_BAD_SETTINGS, EXIT_FAILED, End, supervise};
use crate::settings::{check_files, is_ours, unread};
use crate::signals::Signals;
use crate::{Host, Settings, SettingsError, descriptors, escape, load, print, telemetry};

/// What a second of patience buys at the end: the last spans.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// See [`complain`].
const COMPLAINT_LIMIT: Duration = Duration::from_secs(2);

/// The flags that every service has. Can be flattened into the arguments of another command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// A TOML file with settings; the environment (WEIR__SECTION__KEY) overrides it
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Check the settings, report what is wrong with them, and exit
    #[arg(long)]
    pub check_config: bool,
    /// Print the settings in effect, with secrets hidden, and exit
    #[arg(long, conflicts_with = "check_config")]
    pub print_config: bool,
    /// Variables by name and value that stand over those of the environment: what other flags of a command set.
    #[arg(skip)]
    pub over: Vec<(String, String)>,
}

#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Ask the running service whether it is alive; for images without a shell
    Healthcheck {
        /// Ask whether the service is ready instead
        #[arg(long)]
        ready: bool,
    },
}

/// `main` of a service: reads flags and settings, sets up telemetry, calls `run` with the settings and the host, and
/// ends by itself or by SIGTERM, SIGINT or SIGHUP within `shutdown.deadline_ms`. `defaults` are TOML texts.
///
/// Exit codes: 0; [`EXIT_FAILED`](crate::EXIT_FAILED), [`EXIT_BAD_SETTINGS`](crate::EXIT_BAD_SETTINGS),
/// [`EXIT_DEADLINE`](crate::EXIT_DEADLINE), [`EXIT_SECOND_SIGNAL`](crate::EXIT_SECOND_SIGNAL).
pub fn main<S: Settings, Fut: Future<Output = anyhow::Result<()>>>(
    name: &'static str,
    about: &'static str,
    defaults: &'static [&'static str],
    run: impl FnOnce(S, Host) -> Fut,
) -> ExitCode {
    let command = Arguments::command().name(name).about(about).version(env!("CARGO_PKG_VERSION"));
    let parsed = command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match arguments.command {
        None => main_with(name, defaults, &arguments.flags, run),
        Some(Command::Healthcheck { ready }) => match load_by(defaults, &arguments.flags) {
            Ok(settings) => {
                let settings: S = settings;
                healthcheck::ask(&settings.host().admin, ready)
            }
            Err(error) => bad_settings(&error),
        },
    }
}

/// [`main`] after the flags have been read: for commands that have others too.
pub fn main_with<S: Settings, Fut: Future<Output = anyhow::Result<()>>>(
    name: &'static str,
    defaults: &[&str],
    flags: &Flags,
    run: impl FnOnce(S, Host) -> Fut,
) -> ExitCode {
    let settings: S = match load_by(defaults, flags) {
        Ok(settings) => settings,
        Err(error) => return bad_settings(&error),
    };
    if flags.check_config {
        return match check_files(&settings) {
            Ok(()) => say("ok\n"),
            Err(error) => bad_settings(&error),
        };
    }
    if flags.print_config {
        return say(&print(&settings));
    }
    match start(name, settings, run) {
        Ok(end) => ExitCode::from(end.exit_code()),
        Err(error) => {
            complain(&format!("{name}: {error:#}"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// The variables of the environment that may be settings; a value that is not UTF-8 is taken as near as can be.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value): (OsString, OsString)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        })
        .filter(|(name, _)| is_ours(name))
        .collect()
}

fn load_by<S: Settings>(defaults: &[&str], flags: &Flags) -> Result<S, SettingsError> {
    let is_over = |name: &String| flags.over.iter().any(|(over, _)| over == name);
    let kept = environment().into_iter().filter(|(name, _)| !is_over(name));
    load(defaults, flags.config.as_deref(), kept.chain(flags.over.iter().cloned()))
}

fn start<S: Settings, Fut: Future<Output = anyhow::Result<()>>>(
    name: &'static str,
    settings: S,
    run: impl FnOnce(S, Host) -> Fut,
) -> anyhow::Result<End> {
    let host_settings = settings.host();
    let open_files = descriptors::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let entered = runtime.enter();
    let telemetry = telemetry::init(name, &host_settings.telemetry)?;
    tracing::info!(service = name, version = env!("CARGO_PKG_VERSION"), open_files, "starting");
    for variable in unread(environment()) {
        tracing::warn!(variable, "this environment variable is not read: a setting is written WEIR__SECTION__KEY");
    }

    let host = Host::new(name, &host_settings);
    let deadline = Duration::from_millis(host_settings.shutdown.deadline_ms);
    let (to_us, mut signals) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let forwarding = runtime.spawn(Signals::listen()?.forward(to_us, stop.clone()));

    // Large, and moved by nobody from here on.
    let mut service = Box::pin(run(settings, host.clone()));
    let end = runtime.block_on(async { Box::pin(supervise(&host, service.as_mut(), deadline, &mut signals)).await });
    drop(entered);
    if matches!(end, End::Deadline | End::SecondSignal | End::ClockSetBack) {
        if end == End::Deadline {
            telemetry.send_spans(FLUSH_LIMIT);
        }
        drop(telemetry);
        // Nothing more is dropped or waited for: whatever hangs would hang here too.
        std::process::exit(end.exit_code().into());
    }
    drop(service);
    stop.cancel();
    let _ = runtime.block_on(forwarding);
    telemetry.send_spans(FLUSH_LIMIT);
    tracing::info!(service = name, "ended");
    drop(telemetry);
    Ok(end)
}

/// Prints what clap has to say. Help and version are no errors; what is wrong with arguments is what is wrong with
/// settings.
pub fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    if error.use_stderr() { ExitCode::from(EXIT_BAD_SETTINGS) } else { written(printed) }
}

fn bad_settings(error: &SettingsError) -> ExitCode {
    let count = error.faults.len();
    let problems = if count == 1 { "a problem".to_owned() } else { format!("{count} problems") };
    complain(&format!("the settings have {problems}:\n{error}"));
    ExitCode::from(EXIT_BAD_SETTINGS)
}

/// To standard output.
fn say(text: &str) -> ExitCode {
    let mut out = std::io::stdout();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A reader of standard output that went away is no reason to fail; a full disk is.
fn written(result: std::io::Result<()>) -> ExitCode {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            ExitCode::from(EXIT_FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// To standard error, where there is no log: before it is set up, and after its end. Where nobody reads it that is
/// given up after two seconds, so that the process ends all the same.
pub fn complain(text: &str) {
    let line = format!("{}\n", escape::lines(text));
    let (done, ended) = std::sync::mpsc::channel();
    let writing = std::thread::Builder::new().spawn(move || {
        let _ = std::io::stderr().write_all(line.as_bytes());
        let _ = done.send(());
    });
    if writing.is_ok() {
        let _ = ended.recv_timeout(COMPLAINT_LIMIT);
    }
}
