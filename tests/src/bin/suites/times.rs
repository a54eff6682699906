//! What a suite and each of its tests took.
//!
//! The test harness of stable Rust prints when a test ends, and not when it began. It takes the tests in the order of their
//! names, as many at once as there are processors, and begins the next one when one ends. So each test began when an earlier
//! one ended.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use weir_tests::environment::variable;

/// One test program, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Suite {
    /// "package/target".
    pub(crate) name: String,
    pub(crate) seconds: f64,
    /// How much slower the machine was meanwhile than where the budgets were measured; at least 1.
    pub(crate) slower: f64,
    /// None where the program has a harness of its own.
    #[serde(default)]
    pub(crate) tests: Vec<Timed>,
}

/// A test, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timed {
    pub(crate) name: String,
    pub(crate) seconds: f64,
}

impl Suite {
    /// Writes it down in this folder, beside those of other programs.
    pub(crate) fn write(&self, folder: &Path, program: &Path) -> anyhow::Result<()> {
        let program = program.file_name().context("the program has no name")?.to_string_lossy();
        let file = folder.join(format!("{program}.toml"));
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        fs::write(&file, toml::to_string(self)?).with_context(|| format!("write {}", file.display()))
    }

    /// All that were written down in this folder. A library and a program of one name are one suite.
    pub(crate) fn read_all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let files = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
        let mut suites: Vec<Self> = Vec::new();
        for file in files {
            let path = file?.path();
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let suite: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
            match suites.iter_mut().find(|other| other.name == suite.name) {
                Some(other) => other.add(suite),
                None => suites.push(suite),
            }
        }
        Ok(suites)
    }

    fn add(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.slower = self.slower.max(other.slower);
        self.tests.extend(other.tests);
    }
}

/// "package/target" of a test program that cargo starts: the file is named by the target and a hash.
pub(crate) fn name_of(program: &Path) -> anyhow::Result<String> {
    let package = variable("CARGO_PKG_NAME").context("CARGO_PKG_NAME is not set: this is a runner for cargo")?;
    let file = program.file_stem().context("the program has no name")?.to_string_lossy().into_owned();
    let target = file.rsplit_once('-').map_or(file.as_str(), |(target, _)| target);
    Ok(format!("{package}/{target}"))
}

/// What a test program has printed, and when.
#[derive(Debug)]
pub(crate) struct Seen {
    /// How many tests run at once.
    threads: usize,
    /// What came after the last end of a line.
    rest: Vec<u8>,
    /// When it began with its tests.
    began: Option<Duration>,
    ended: Vec<(String, Duration)>,
}

impl Seen {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads, rest: Vec::new(), began: None, ended: Vec::new() }
    }

    /// Takes what was printed so long after the start of the program.
    pub(crate) fn take(&mut self, printed: &[u8], at: Duration) {
        self.rest.extend(printed);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end(), at);
        }
    }

    fn line(&mut self, line: &str, at: Duration) {
        if self.began.is_none() && line.starts_with("running ") && line.ends_with(['t', 's']) {
            self.began = Some(at);
        }
        let ended = line.strip_prefix("test ").and_then(|line| line.split_once(" ... "));
        if let Some((name, outcome)) = ended
            && ["ok", "FAILED", "ignored"].iter().any(|known| outcome.starts_with(known))
        {
            self.ended.push((name.trim_end_matches(" - should panic").to_owned(), at));
        }
    }

    /// What each test took that has ended, in the order in which they ended.
    pub(crate) fn tests(&self) -> Vec<Timed> {
        let mut waiting: Vec<_> = self.ended.iter().map(|(name, _)| name.as_str()).collect();
        waiting.sort_unstable();
        let mut waiting = VecDeque::from(waiting);
        let began = self.began.unwrap_or_default();
        let first = waiting.drain(..self.threads.min(waiting.len()));
        let mut running: HashMap<_, _> = first.map(|name| (name, began)).collect();
        let mut tests = Vec::new();
        for (name, at) in &self.ended {
            let Some(began) = running.remove(name.as_str()) else {
                // The order was another one: what this one took is not known.
                waiting.retain(|waiting| waiting != name);
                continue;
            };
            tests.push(Timed { name: name.clone(), seconds: at.saturating_sub(began).as_secs_f64() });
            running.extend(waiting.pop_front().map(|next| (next, *at)));
        }
        tests
    }
}

#[cfg(test)]
#[path = "times_tests.rs"]
mod tests;
