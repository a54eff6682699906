//! Weir's own programs as processes: started with settings in the environment, looked at through their admin port, and
//! ended in every way that a process can end.
//!
//! ```no_run
//! # use std::time::Duration;
//! let mut streaming = weir_tests::process::Launch::new("weir-streaming")
//!     .env("WEIR__BUS__KAFKA__BROKERS", "127.0.0.1:9092")
//!     .listen("WEIR__STREAMING__LISTEN")
//!     .start()?;
//! streaming.ready(Duration::from_secs(20))?;
//! let door = streaming.address("WEIR__STREAMING__LISTEN");
//! streaming.kill()?;
//! streaming.restart()?;
//! # anyhow::Ok(())
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::child::{self, Child, Signal, append_to, last_lines};
use crate::environment::inherited_settings;
use crate::output::Output;
use crate::scratch::Scratch;
use crate::{ports, wait};

/// The listeners that every service has.
const ADMIN: &str = "WEIR__ADMIN__LISTEN";
const GRPC: &str = "WEIR__GRPC__LISTEN";

/// How to start a program.
#[derive(Clone, Debug)]
pub struct Launch {
    program: String,
    /// None: where programs of the workspace are.
    folder: Option<PathBuf>,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    listeners: Vec<String>,
    /// What it prints goes through a pipe.
    piped: bool,
}

impl Launch {
    /// A program of the workspace, as "weir-streaming". It gets free ports for its admin server and gRPC, and logs JSON.
    pub fn new(program: &str) -> Self {
        let environment = BTreeMap::from([("WEIR__TELEMETRY__LOG_FORMAT".to_owned(), "json".to_owned())]);
        let listeners = vec![ADMIN.to_owned(), GRPC.to_owned()];
        Self { program: program.to_owned(), folder: None, arguments: Vec::new(), environment, listeners, piped: false }
    }

    /// The program as another build made it, in this folder.
    #[must_use]
    pub fn built_in(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// A variable of its environment. Settings (`WEIR__…`) are not inherited from the test process.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// A setting that is given a free port of loopback; see [`Process::address`]. One that [`Launch::env`] sets too keeps
    /// that value.
    #[must_use]
    pub fn listen(mut self, setting: &str) -> Self {
        self.listeners.push(setting.to_owned());
        self
    }

    /// What it prints goes through a pipe into its log, so that it can be [held up](Process::hold_output).
    #[must_use]
    pub fn piped(mut self) -> Self {
        self.piped = true;
        self
    }

    /// Starts it, in a folder of its own. Does not wait until it is ready.
    ///
    /// # Errors
    /// The program is not built, or cannot be started.
    pub fn start(mut self) -> anyhow::Result<Process> {
        let scratch = Scratch::new(&self.program)?;
        for setting in &self.listeners {
            if !self.environment.contains_key(setting) {
                self.environment.insert(setting.clone(), format!("127.0.0.1:{}", ports::free()?));
            }
        }
        let log = scratch.path().join(format!("{}.log", self.program));
        let output = if self.piped { Some(Output::into(append_to(&log)?)?) } else { None };
        let child = run(&self, &scratch, &log, output.as_ref())?;
        Ok(Process { launch: self, log, child, output, scratch })
    }
}

/// A program that was started. Dropping it kills it; its log goes with it, except in a test that panics.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    log: PathBuf,
    child: Child,
    output: Option<Output>,
    scratch: Scratch,
}

impl Process {
    /// The address of a listener, "127.0.0.1:port": one that [`Launch::listen`] or [`Launch::env`] named; empty for others.
    pub fn address(&self, setting: &str) -> &str {
        self.launch.environment.get(setting).map_or("", String::as_str)
    }

    /// The address of the admin server.
    pub fn admin(&self) -> &str {
        self.address(ADMIN)
    }

    /// The address of gRPC.
    pub fn grpc(&self) -> &str {
        self.address(GRPC)
    }

    /// The folder in which it runs.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Where its log lines and what it prints go, also those from before a restart.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Everything it has logged and printed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn logged(&self) -> anyhow::Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// GET on the admin server: status and body.
    ///
    /// # Errors
    /// It does not answer within five seconds.
    pub fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        get(self.admin(), path)
    }

    /// Waits until /readyz answers 200.
    ///
    /// # Errors
    /// It ends, or is not ready within `limit`; then with the last answer and the last lines of its log.
    pub fn ready(&self, limit: Duration) -> anyhow::Result<()> {
        let mut answer = String::from("no answer");
        let ready = wait::until(&format!("{} is ready", self.launch.program), limit, || {
            if let Some(status) = self.child.exited()? {
                bail!("{} ended before it was ready ({status})", self.launch.program);
            }
            let Ok((status, body)) = self.get("/readyz") else { return Ok(None) };
            answer = format!("{status}: {}", body.trim());
            Ok((status == 200).then_some(()))
        });
        ready.with_context(|| format!("/readyz: {answer}\nlog:\n{}", last_lines(&self.log, 20)))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process has ended.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.child.signal(signal)
    }

    /// Nobody reads what it prints, and the pipe is full: whoever waits until it has printed waits.
    ///
    /// # Errors
    /// It was not launched as [piped](Launch::piped).
    pub fn hold_output(&self) -> anyhow::Result<()> {
        self.output.as_ref().context("what it prints does not go through a pipe")?.hold()
    }

    /// What it prints is read again.
    pub fn release_output(&self) {
        self.output.iter().for_each(Output::release);
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn exited(&self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.exited()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It still runs when `limit` is over.
    pub fn wait(&self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.child.wait(limit)
    }

    /// SIGTERM; waits until it has ended, and says how.
    ///
    /// # Errors
    /// It did not end within `limit`, and was killed; with the last lines of its log.
    pub fn stop(&self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.child.stop(limit).with_context(|| format!("log:\n{}", last_lines(&self.log, 20)))
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&self) -> anyhow::Result<ExitStatus> {
        self.child.kill()
    }

    /// Starts it again in the same folder with the same ports and settings; kills it before where it still runs.
    ///
    /// # Errors
    /// As [`Launch::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.child = run(&self.launch, &self.scratch, &self.log, self.output.as_ref())?;
        Ok(())
    }

    /// Starts it again as another build made it, in this folder; none: as that of the workspace.
    ///
    /// # Errors
    /// As [`Launch::start`].
    pub fn restart_as(&mut self, folder: Option<&Path>) -> anyhow::Result<()> {
        self.launch.folder = folder.map(ToOwned::to_owned);
        self.restart()
    }

    /// Starts it again with another value of a setting.
    ///
    /// # Errors
    /// As [`Launch::start`].
    pub fn restart_with(&mut self, setting: &str, value: &str) -> anyhow::Result<()> {
        self.launch.environment.insert(setting.to_owned(), value.to_owned());
        self.restart()
    }
}

/// Where a program of the workspace is: in the profile's folder, one above the test executable.
///
/// # Errors
/// It is not built. `cargo test` builds the programs of the tested package only.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("find out where the test executable is")?;
    for folder in test.ancestors().skip(1).take(2) {
        let candidate = folder.join(name);
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    bail!("{name} is not beside {}: run `cargo build --workspace --bins` first, as `make test` does", test.display())
}

/// GET over HTTP/1.1 without keep-alive: status and body, as it is sent.
///
/// # Errors
/// No answer within five seconds, or not one of HTTP.
pub fn get(address: &str, path: &str) -> anyhow::Result<(u16, String)> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address.parse()?, limit)?;
    stream.set_read_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let status = head.split(' ').nth(1).context("the answer has no status")?.parse()?;
    Ok((status, body.to_owned()))
}

fn run(launch: &Launch, scratch: &Scratch, log: &Path, output: Option<&Output>) -> anyhow::Result<Child> {
    let out = || match output {
        Some(output) => output.writer().map(Stdio::from),
        None => append_to(log).map(Stdio::from),
    };
    let program = match &launch.folder {
        Some(folder) => folder.join(&launch.program),
        None => program(&launch.program)?,
    };
    let mut command = child::command(program);
    for name in inherited_settings() {
        command.env_remove(name);
    }
    command.args(&launch.arguments).envs(&launch.environment).current_dir(scratch.path());
    command.stdin(Stdio::null()).stdout(out()?).stderr(out()?);
    Child::spawn(&launch.program, command)
}
