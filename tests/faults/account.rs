//! What the services say of themselves when a run has failed: a log folder is not always at hand.

use serde_json::Value;

use crate::run::waiting;
use crate::system::System;

/// Lines of each service's log.
const LINES: usize = 6;

/// What waits, checks that are not well, and the last warnings of each log.
pub(crate) async fn account(system: &System) -> Vec<String> {
    let mut told: Vec<_> = waiting(system).await.into_iter().map(|what| format!("waits: {what}")).collect();
    match system.digests().await {
        Ok(digests) => {
            for (name, digest) in digests {
                let checks = digest["checks"].as_array().into_iter().flatten();
                told.extend(checks.filter(|check| check["state"] != "ok").map(|check| format!("{name}: {check}")));
            }
        }
        Err(error) => told.push(format!("the digests cannot be read: {error:#}")),
    }
    for name in system.names() {
        match system.on(&name, |process| process.logged()).await {
            Ok(log) => told.extend(warnings(&log).into_iter().map(|line| format!("{name}: {line}"))),
            Err(error) => told.push(format!("the log cannot be read: {error:#}")),
        }
    }
    told
}

/// The last lines that are warnings or errors.
fn warnings(log: &str) -> Vec<&str> {
    let is_warning = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        line["level"] == "warn" || line["level"] == "error"
    };
    let mut lines: Vec<_> = log.lines().rev().filter(is_warning).take(LINES).collect();
    lines.reverse();
    lines
}
