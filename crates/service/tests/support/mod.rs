//! The example as a process.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what is wrong by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The example, which `cargo test` builds beside the tests.
pub(crate) fn smallest() -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name("examples");
    path.push("smallest");
    assert!(path.exists(), "{} is not there: cargo build -p service --example smallest", path.display());
    let mut command = Command::new(path);
    command.env_clear();
    command.env("WEIR__ADMIN__LISTEN", "127.0.0.1:0").env("WEIR__GRPC__LISTEN", "127.0.0.1:0");
    command
}

pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A service that runs; killed when dropped.
pub(crate) struct Running {
    pub child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (to_test, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                if to_test.send(line).is_err() {
                    return;
                }
            }
        });
        Running { child, lines }
    }

    /// The next log line that fits. Every line has to be a JSON object.
    pub(crate) fn wait_for(&self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("the line does not come");
            let json: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if fits(&json) {
                return json;
            }
        }
    }

    pub(crate) fn wait_for_message(&self, message: &str) -> Value {
        self.wait_for(|line| line["message"] == message)
    }

    pub(crate) fn address(&self, setting: &str) -> String {
        let line = self.wait_for(|line| line["message"] == "listening" && line["setting"] == setting);
        line["address"].as_str().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn exit_code(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("ended by a signal");
            }
            assert!(Instant::now() < until, "it does not end");
            // Lines have to be taken while it is waited for, else a full pipe would hold it up.
            let _ = self.lines.recv_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
