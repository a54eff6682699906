//! Redis, as Debian packages it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::child::{self, Child, Signal, append_to, last_lines};
use crate::environment::find_program;
use crate::scratch::Scratch;
use crate::{ports, wait};

const START_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// How to start it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether each write is kept in a file, so that the data is there again after a kill and a restart.
    pub appendonly: bool,
    /// More arguments of redis-server, as "--maxmemory", "10mb".
    pub arguments: Vec<String>,
}

/// A server with no password on loopback. Dropping it stops it.
#[derive(Debug)]
pub struct Redis {
    options: Options,
    port: u16,
    server: Child,
    scratch: Scratch,
}

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// redis-server is missing or does not start; then with the last lines of its log.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let scratch = Scratch::new("redis")?;
        let port = ports::free()?;
        let server = launch(&scratch, port, &options)?;
        Ok(Self { options, port, server, scratch })
    }

    /// "redis://127.0.0.1:port/".
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// The process cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.server.kill()?;
        Ok(())
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// It did not end, and was killed.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.server.stop(STOP_WITHIN)?;
        Ok(())
    }

    /// Starts it again on the same port; stops it before where it still runs. The data is there again only with
    /// `appendonly`.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop()?;
        self.server = launch(&self.scratch, self.port, &self.options)?;
        Ok(())
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// The server has ended.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.server.signal(Signal::Stop)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// The server has ended.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.server.signal(Signal::Cont)
    }

    /// Sends one command in Redis's inline form ("GET key") and returns the first line of the answer without its end:
    /// "+PONG", "$-1", ":1".
    ///
    /// # Errors
    /// The server cannot be reached or does not answer within two seconds.
    pub fn ask(&self, command: &str) -> anyhow::Result<String> {
        ask(self.port, command)
    }
}

/// The server that all tests of this test binary use; the first call starts it. It ends with the process.
///
/// # Errors
/// As [`Redis::start`]; the same for each call.
pub fn shared() -> anyhow::Result<&'static Redis> {
    static SHARED: OnceLock<Result<Redis, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| Redis::start(Options::default()).map_err(|error| format!("{error:#}")));
    started.as_ref().map_err(|error| anyhow!("{error}"))
}

fn launch(scratch: &Scratch, port: u16, options: &Options) -> anyhow::Result<Child> {
    let program = find_program("redis-server", &[PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/bin")])
        .context("redis-server is not on PATH: install redis-server (`make deps`)")?;
    let log_path = scratch.path().join("redis.log");
    let log = append_to(&log_path)?;
    let mut command = child::command(program);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no", "--save", ""]);
    command.args(["--appendonly", if options.appendonly { "yes" } else { "no" }, "--maxmemory-policy", "noeviction"]);
    command.arg("--dir").arg(scratch.path()).args(&options.arguments);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let server = Child::spawn("redis-server", command)?;
    wait::until("the start of redis-server", START_WITHIN, || {
        if let Some(status) = server.exited()? {
            bail!("redis-server ended while it started ({status}):\n{}", last_lines(&log_path, 10));
        }
        // Refused until it listens, "-LOADING" while it reads its file.
        Ok(ask(port, "PING").is_ok_and(|answer| answer == "+PONG").then_some(()))
    })?;
    Ok(server)
}

fn ask(port: u16, command: &str) -> anyhow::Result<String> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).context("read the answer of redis-server")?;
        answer.extend(byte);
    }
    answer.truncate(answer.len() - 2);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
