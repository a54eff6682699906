//! A plugin of Nagios, Sensu and their kin: a program whose exit code is the result and whose first line says it.
//! <https://www.monitoring-plugins.org/doc/guidelines.html>

use std::process::Stdio;

use common::health::v1::State;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::Found;
use super::settings::NagiosSettings;

/// Of what it writes no more is read.
const MOST: u64 = 64 * 1024;

/// A program and what it started. Dropping it ends them, also what does not listen.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // One that has ended by itself is no failure.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs it to its end. Dropping the future ends the program, and what it has started.
pub(super) async fn run(settings: &NagiosSettings) -> Found {
    let Some((program, arguments)) = settings.command.split_first() else {
        return Found::failing("there is no command");
    };
    match output(program, arguments).await {
        Err(error) => Found::failing(format!("cannot run {program}: {error}")),
        Ok((code, written)) => result(code, &String::from_utf8_lossy(&written)),
    }
}

async fn output(program: &str, arguments: &[String]) -> std::io::Result<(Option<i32>, Vec<u8>)> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let mut written = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST).read_to_end(&mut written).await?;
    }
    let ended = child.wait().await?;
    // Its number may be another's from now on.
    group.0 = None;
    Ok((ended.code(), written))
}

/// What a plugin has said.
fn result(code: Option<i32>, written: &str) -> Found {
    let line = written.lines().next().unwrap_or_default();
    let (text, measured) = line.split_once('|').unwrap_or((line, ""));
    let message = if text.trim().is_empty() { "the plugin wrote nothing" } else { text.trim() }.to_owned();
    let state = match code {
        Some(0) => State::Ok,
        Some(1) => State::Warning,
        Some(2) => State::Failing,
        Some(3) => State::Unknown,
        // A shell that has not found it, a crash: who watches does not, which somebody has to know.
        Some(code) => return Found::failing(format!("the plugin exited with {code}, which is no result: {message}")),
        None => return Found::failing(format!("a signal ended the plugin: {message}")),
    };
    Found { state, message, value: value(measured) }
}

/// The first value of `'label'=value[unit];warning;critical;least;most …`.
fn value(measured: &str) -> Option<f64> {
    let quoted = measured.trim_start().strip_prefix('\'').and_then(|rest| rest.split_once("'=")).map(|(_, rest)| rest);
    let (_, plain) = measured.split_once('=').unwrap_or_default();
    let number = quoted.unwrap_or(plain);
    let end = number.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-'))).unwrap_or(number.len());
    number.get(..end)?.parse().ok()
}

#[cfg(test)]
#[path = "nagios_tests.rs"]
mod tests;
