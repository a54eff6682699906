//! A role is this executable, started again to do one thing, so that its processor time is its own. It gets its commands
//! as lines of JSON, and answers each with one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{self, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use weir_tests::child;

/// The first argument of a role; its name and its settings follow.
pub(crate) const ARGUMENT: &str = "role";

/// A role that was started. Dropping it ends it.
pub(crate) struct Role {
    name: &'static str,
    child: process::Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Role {
    pub(crate) fn start(name: &'static str, settings: &impl Serialize) -> anyhow::Result<Self> {
        let mut command = child::command(std::env::current_exe()?);
        command.args([ARGUMENT, name, &serde_json::to_string(settings)?]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start the role {name}"))?;
        let (commands, answers) = (child.stdin.take(), child.stdout.take());
        let answers = BufReader::new(answers.context("a role has no standard output")?);
        Ok(Self { name, child, commands, answers })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the role has done it.
    pub(crate) fn ask<A: DeserializeOwned>(&mut self, command: &impl Serialize) -> anyhow::Result<A> {
        let gone = || format!("the role {} has ended", self.name);
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.commands.as_mut().with_context(gone)?.write_all(&line).with_context(gone)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let answer: Result<A, String> = serde_json::from_str(&answer).with_context(gone)?;
        answer.map_err(|error| anyhow!("the role {}: {error}", self.name))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // The end of its commands ends it; it has nothing to lose.
        self.commands = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The role's side: does what it is told until there are no more commands.
pub(crate) fn serve<C: DeserializeOwned, A: Serialize>(
    mut act: impl FnMut(C) -> anyhow::Result<A>,
) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let command = serde_json::from_str(&line?).context("invalid command of the bench")?;
        let answer = act(command).map_err(|error| format!("{error:#}"));
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        out.write_all(&line).and_then(|()| out.flush())?;
    }
    Ok(())
}
