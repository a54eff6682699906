//! How the process is, and what went through its stages: for whoever looks at `weir up`. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use common::few::NAMED;
use service::{Digest, State};

use crate::out;

/// In a word, why it is not ready.
pub fn state(digest: &Digest, stopping: bool) -> &'static str {
    if stopping {
        "stopping"
    } else if digest.ready {
        "ready"
    } else {
        "not ready"
    }
}

/// At a start everything is waited for, and comes.
const STARTING: Duration = Duration::from_secs(10);

/// A line for each check that fails or has long been waited for: the first of them, and how many there are.
pub fn troubles(digest: &Digest, running: Duration) -> String {
    let is_told = |check: &&common::health::v1::Check| match check.state() {
        State::Failing => true,
        State::Unknown | State::Unspecified => check.gates_readiness && running > STARTING,
        State::Ok | State::Warning => false,
    };
    let mut told: Vec<_> = digest.checks.iter().filter(is_told).collect();
    // What fails before what is only waited for.
    told.sort_by_key(|check| check.state() != State::Failing);
    let mut text = String::new();
    for check in told.iter().take(NAMED) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "  {}: {}", check.name, check.message);
    }
    if told.len() > NAMED {
        let _ = writeln!(text, "  and {} more checks: see the status page", told.len() - NAMED);
    }
    text
}

/// What each stage took in and what became of it, in the order of `stages`.
pub fn flows(digest: &Digest, stages: &[&str]) -> String {
    let mut flows: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for count in &digest.counts {
        let [taken_in, sent_on, dead, dropped] = flows.entry(&count.hop).or_default();
        *taken_in += count.taken_in;
        *sent_on += count.sent_on;
        *dead += count.dead_lettered;
        *dropped += count.dropped.values().sum::<u64>();
    }
    let mut text = format!("  {:<12}{:>14}{:>14}{:>14}{:>14}\n", "", "taken in", "sent on", "dead letters", "dropped");
    for stage in stages {
        let Some(flow) = flows.get(stage) else { continue };
        let _ = write!(text, "  {stage:<12}");
        for count in flow {
            let _ = write!(text, "{:>14}", out::count(*count));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "stages_tests.rs"]
mod tests;
