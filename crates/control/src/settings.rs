//! The settings of registrations; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::path::PathBuf;
use std::time::Duration;

use common::kinds::Problem;
use common::units::{Bytes, Count, DAY, Millis};
use database::{Location, Options};
use serde::{Deserialize, Serialize};

use crate::registrations::rules;

/// The settings of registrations, as TOML with comments.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// A change may be silent on its connection until its record is delivered or given up and this long; then the server
/// ends it.
const TRANSACTION_SPARE: Duration = Duration::from_secs(30);

/// `[registrations]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationsSettings {
    pub database: String,
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub password_file: PathBuf,
    #[serde(with = "Count::<1, 1000>")]
    pub max_connections: u32,
    #[serde(with = "Millis::<1, 600_000>")]
    pub lock_timeout_ms: u64,
    #[serde(with = "Millis::<1, 600_000>")]
    pub publish_timeout_ms: u64,
    #[serde(with = "Millis::<1, DAY>")]
    pub compare_interval_ms: u64,
    pub allow_removals: bool,
    pub create_key_file: bool,
    #[serde(with = "Count::<1, 100>")]
    pub max_secrets: usize,
    #[serde(with = "Bytes::<1, 65_536>")]
    pub max_secret_bytes: usize,
    #[serde(with = "Bytes::<1, 262_144>")]
    pub max_metadata_bytes: usize,
}

impl RegistrationsSettings {
    /// How the database is reached. `delivery`: when the log gives a record up.
    ///
    /// # Errors
    /// What is wrong with `registrations.database`.
    pub fn options(&self, delivery: Duration) -> Result<Options, &'static str> {
        Ok(Options {
            name: "registrations",
            location: Location::parse(&self.database)?,
            password_file: self.password_file.clone(),
            connections: self.max_connections,
            lock_timeout: Duration::from_millis(self.lock_timeout_ms),
            silent: Duration::from_millis(self.publish_timeout_ms).max(delivery) + TRANSACTION_SPARE,
        })
    }

    /// As the rules take them.
    pub fn limits(&self) -> rules::RegistrationLimits {
        rules::RegistrationLimits {
            max_secrets: self.max_secrets,
            max_secret_bytes: self.max_secret_bytes,
            max_metadata_bytes: self.max_metadata_bytes,
        }
    }

    /// What is wrong, although every value has the right type and range.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(problem) = Location::parse(&self.database) {
            problems.push(Problem::new("registrations.database", problem, Location::hint("registrations")));
        }
        problems
    }
}
