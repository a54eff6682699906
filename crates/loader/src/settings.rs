//! The settings of the loader; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::time::Duration;

use common::kinds::{Problem, Problems};
use common::units::{Bytes, Count, DAY, GIB, MIB, Millis};
use lake::LakeSettings;
use serde::{Deserialize, Serialize};

use crate::maintain::vacuum::{LONGEST_RETENTION, SHORTEST_RETENTION};

/// The settings of the loader, as TOML with comments.
pub const LOADER_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, lake::DEFAULTS, LOADER_DEFAULTS];

service::settings! {
    /// Everything a process of its own reads.
    pub struct Settings { bus: bus::Settings, lake: LakeSettings, loader: LoaderSettings }
}

impl Settings {
    fn problems(&self) -> Vec<Problem> {
        [self.bus.validate(), self.lake.validate(), self.loader.validate()].concat()
    }
}

/// `[loader]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderSettings {
    pub group: String,
    #[serde(with = "Millis::<10, DAY>")]
    pub commit_interval_ms: u64,
    #[serde(with = "Millis::<100, 600_000>")]
    pub commit_timeout_ms: u64,
    #[serde(with = "Count::<1, 100_000>")]
    pub max_requests: usize,
    #[serde(with = "Millis::<100, DAY>")]
    pub hold_warn_ms: u64,
    #[serde(deserialize_with = "common::kinds::list")]
    pub accept: Vec<String>,
    #[serde(with = "Count::<1, 10_000>")]
    pub checkpoint_commits: u64,
    #[serde(with = "Count::<100, 10_000_000>")]
    pub log_commits: u64,
    #[serde(with = "Millis::<100, DAY>")]
    pub health_interval_ms: u64,
    #[serde(with = "Millis::<100, DAY>")]
    pub stalled_after_ms: u64,
    pub compact: CompactSettings,
    pub vacuum: VacuumSettings,
}

/// `[loader.compact]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactSettings {
    #[serde(with = "Millis::<0, { 30 * DAY }>")]
    pub interval_ms: u64,
    #[serde(with = "Millis::<0, { 365 * DAY }>")]
    pub after_ms: u64,
    #[serde(with = "Bytes::<MIB, { 4 * GIB }>")]
    pub target_bytes: u64,
}

/// `[loader.vacuum]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VacuumSettings {
    #[serde(with = "Millis::<0, { 30 * DAY }>")]
    pub interval_ms: u64,
    #[serde(with = "Millis::<SHORTEST, LONGEST>")]
    pub retention_ms: u64,
}

/// So many digits the id of a request has.
const REQUEST_ID: usize = 32;
/// A load request may name a file this old.
const SHORTEST: u64 = SHORTEST_RETENTION.as_millis() as u64;
/// After this long the table forgets what it has removed.
const LONGEST: u64 = LONGEST_RETENTION.as_millis() as u64;

impl LoaderSettings {
    /// What is wrong, although every value has the right type and range.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("loader");
        problems.check(!self.group.is_empty(), "group", "is empty", "name the group, for example weir-loader");
        for id in &self.accept {
            let is_id = [8, REQUEST_ID].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            problems.check(
                is_id,
                "accept",
                format!("{id:?} is not the id of a request or an epoch"),
                "use the 32 hex digits of the request's id, or the 8 of the epoch's",
            );
        }
        problems.into_vec()
    }

    /// Whether an operator has accepted a request: the id of an epoch is shorter.
    pub(crate) fn accepts_requests(&self) -> bool {
        self.accept.iter().any(|id| id.len() == REQUEST_ID)
    }

    pub(crate) fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval_ms)
    }

    pub(crate) fn commit_timeout(&self) -> Duration {
        Duration::from_millis(self.commit_timeout_ms)
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
