//! How long each suite may take: `tests/budgets.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use weir_tests::environment::workspace;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budgets {
    /// All of `make test` from nothing, in seconds.
    whole: u32,
    /// What is not a suite, in seconds.
    beside: BTreeMap<String, u32>,
    /// What the work takes that tells the speed of a machine, where these were measured.
    work_ms: u32,
    /// Those that are not named, all together, in seconds.
    pub(crate) others: u32,
    /// By "package/target", in seconds.
    pub(crate) suites: BTreeMap<String, u32>,
}

impl Budgets {
    /// As it is now.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let path = workspace().join("tests/budgets.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// What all suites together may take, in seconds.
    pub(crate) fn all(&self) -> u32 {
        self.whole.saturating_sub(self.beside.values().sum())
    }

    /// How much slower the machine is than where the budgets were measured, by what the work took before and after a suite;
    /// never less than 1.
    pub(crate) fn slower(&self, before: Duration, after: Duration) -> f64 {
        let reference = f64::from(self.work_ms) / 1000.0;
        ((before + after).as_secs_f64() / 2.0 / reference).max(1.0)
    }
}

#[cfg(test)]
#[path = "budgets_tests.rs"]
mod tests;
