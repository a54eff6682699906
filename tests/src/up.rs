//! `weir up` and the commands of `weir` beside it, as a person uses them.

#![expect(clippy::unwrap_used, reason = "what a test relies on fails it by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::github::Delivery;
use crate::installation::{DOOR, Installation, UP};
use crate::process::{Process, program};

const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// A running `weir up`.
#[derive(Debug)]
pub struct Up {
    /// Its process.
    pub process: Process,
    /// After the process, which is dropped first.
    installation: Installation,
}

/// How a command ended, and what it printed.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its exit code; `None`: it was killed.
    pub code: Option<i32>,
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
}

impl Said {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn by(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// All that it printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Whether it succeeded.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

impl Up {
    /// Starts it with these arguments, and waits until it is ready.
    ///
    /// # Panics
    /// It is not ready within `limit`.
    pub fn start(installation: Installation, arguments: &[&str], limit: Duration) -> Self {
        let launch = arguments.iter().fold(installation.launch(UP).unwrap(), |launch, argument| launch.arg(*argument));
        let process = launch.start().unwrap();
        process.ready(limit).unwrap();
        Self { process, installation }
    }

    /// The folder in which it runs.
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// A command beside it: it finds the log and the services as a person's would.
    ///
    /// # Panics
    /// `weir` is not built.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program(UP).unwrap());
        command.args(arguments).stdin(Stdio::null()).current_dir(self.folder());
        for setting in ["WEIR__BUS__KAFKA__BROKERS", "WEIR__BUS__TOPIC_PREFIX"] {
            let value = self.installation.setting(setting);
            if !value.is_empty() {
                command.env(setting, value);
            }
        }
        command.env("WEIR__GRPC__LISTEN", self.process.grpc());
        command.env("WEIR__ENRICHER__PROCESSING_URL", format!("http://{}", self.process.grpc()));
        command
    }

    /// What a command beside it says.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn weir(&self, arguments: &[&str]) -> Said {
        Said::by(&mut self.command(arguments))
    }

    /// What a command says that succeeds.
    ///
    /// # Panics
    /// It fails.
    pub fn succeeds(&self, arguments: &[&str]) -> Said {
        let said = self.weir(arguments);
        assert!(said.succeeded(), "weir {arguments:?}: {said:#?}");
        said
    }

    /// What a command says that fails.
    ///
    /// # Panics
    /// It succeeds.
    pub fn fails(&self, arguments: &[&str]) -> Said {
        let said = self.weir(arguments);
        assert!(!said.succeeded(), "weir {arguments:?} took it: {said:#?}");
        said
    }

    /// Registers an endpoint of GitHub's with this secret, for the tenant "me".
    ///
    /// # Panics
    /// It fails.
    pub fn register(&self, name: &str, secret: &str) {
        let file = self.folder().join(format!("{name}.secret"));
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let file = file.to_str().unwrap();
        self.succeeds(&["register", "endpoint", name, "--source", "github", "--tenant", "me", "--secret-file", file]);
    }

    /// Sends a delivery to its door; the status of the answer.
    ///
    /// # Panics
    /// The door does not answer.
    pub async fn post(&self, delivery: &Delivery<'_>) -> u16 {
        delivery.post(self.process.address(DOOR)).await.unwrap()
    }

    /// A clean end.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn stop(self) {
        self.process.stop(STOPS_WITHIN).unwrap();
    }
}
