//! The settings of registrations; what they mean stands in `settings.default.toml`.

use std::path::PathBuf;
use std::time::Duration;

use database::{Location, Options};
use serde::{Deserialize, Serialize};
use service::Problem;

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
    /// `sqlite://path` or `postgres://user@host:port/name`.
    pub database: String,
    /// A file with the password of the PostgreSQL user.
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub password_file: PathBuf,
    /// Connections to the database.
    pub max_connections: u32,
    /// Time to wait for a lock.
    pub lock_timeout_ms: u64,
    /// Time to wait for the topic.
    pub publish_timeout_ms: u64,
    /// Time between two comparisons of topic and database.
    pub compare_interval_ms: u64,
    /// Whether a comparison may remove more than a few registrations from the topic.
    pub allow_removals: bool,
    /// Whether a missing key file is made.
    pub create_key_file: bool,
    /// Secrets of one endpoint.
    pub max_secrets: usize,
    /// Bytes of one secret.
    pub max_secret_bytes: usize,
    /// Bytes of all metadata of one registration.
    pub max_metadata_bytes: usize,
}

impl RegistrationsSettings {
    /// How the database is reached. `delivery`: when the log gives a record up.
    ///
    /// # Errors
    /// What is wrong with `registrations.database`.
    pub fn options(&self, delivery: Duration) -> Result<Options, &'static str> {
        let file = &self.password_file;
        Ok(Options {
            name: "registrations",
            location: Location::parse(&self.database)?,
            password_file: (!file.as_os_str().is_empty()).then(|| file.clone()),
            connections: self.max_connections,
            lock_timeout: Duration::from_millis(self.lock_timeout_ms),
            silent: Duration::from_millis(self.publish_timeout_ms).max(delivery) + TRANSACTION_SPARE,
        })
    }

    /// As the rules take them.
    pub fn limits(&self) -> rules::Limits {
        rules::Limits {
            max_secrets: self.max_secrets,
            max_secret_bytes: self.max_secret_bytes,
            max_metadata_bytes: self.max_metadata_bytes,
        }
    }

    /// What is wrong, although every value has the right type.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(problem) = Location::parse(&self.database) {
            let fix =
                "use sqlite://path, or postgres://user@host:port/name with the password in registrations.password_file";
            problems.push(Problem::new("registrations.database", problem, fix));
        }
        let mut positive = |key: &str, value: u64, most: u64| {
            if value == 0 || value > most {
                let fix = format!("use 1 to {most}");
                problems.push(Problem::new(format!("registrations.{key}"), format!("is {value}"), fix));
            }
        };
        positive("max_connections", u64::from(self.max_connections), 1000);
        positive("lock_timeout_ms", self.lock_timeout_ms, 600_000);
        positive("publish_timeout_ms", self.publish_timeout_ms, 600_000);
        positive("compare_interval_ms", self.compare_interval_ms, 86_400_000);
        positive("max_secrets", self.max_secrets as u64, 100);
        positive("max_secret_bytes", self.max_secret_bytes as u64, 65_536);
        positive("max_metadata_bytes", self.max_metadata_bytes as u64, 262_144);
        problems
    }
}
