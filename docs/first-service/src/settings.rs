//! The settings of the counts; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::path::PathBuf;
use std::time::Duration;

use common::kinds::{Problem, Problems};
use common::units::{DAY, Millis};
use database::{Location, Options};
use serde::{Deserialize, Serialize};

/// The defaults of its own section, as TOML with comments.
pub const COUNTS_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, COUNTS_DEFAULTS];

service::settings! {
    /// Everything that the process reads.
    pub struct Settings { bus: bus::Settings, counts: CountsSettings }
}

impl Settings {
    fn problems(&self) -> Vec<Problem> {
        [self.bus.validate(), self.counts.validate()].concat()
    }
}

/// `[counts]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountsSettings {
    pub group: String,
    pub database: String,
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub password_file: PathBuf,
    #[serde(with = "Millis::<100, DAY>")]
    pub health_interval_ms: u64,
    #[serde(with = "Millis::<100, DAY>")]
    pub stalled_after_ms: u64,
}

impl CountsSettings {
    /// What is wrong, although every value has the right type and range.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("counts");
        problems.check(!self.group.is_empty(), "group", "is empty", "name the group, for example weir-counts");
        if let Err(problem) = Location::parse(&self.database) {
            problems.check(false, "database", problem, Location::hint("counts"));
        }
        problems.into_vec()
    }

    pub(crate) fn options(&self) -> Result<Options, &'static str> {
        Ok(Options {
            name: "counts",
            location: Location::parse(&self.database)?,
            password_file: self.password_file.clone(),
            connections: 4,
            lock_timeout: Duration::from_secs(10),
            silent: Duration::from_secs(30),
        })
    }
}
