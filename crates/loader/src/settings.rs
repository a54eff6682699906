//! The settings of the loader; what they mean stands in `settings.default.toml`.

use std::time::Duration;

use lake::LakeSettings;
use serde::{Deserialize, Serialize};
use service::{
    AdminSettings, GrpcSettings, HostSettings, Problem, SecretsSettings, ShutdownSettings, TelemetrySettings,
};

use crate::maintain::vacuum::{LONGEST_RETENTION, SHORTEST_RETENTION};

/// The settings of the loader, as TOML with comments.
pub const LOADER_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, lake::DEFAULTS, LOADER_DEFAULTS];

/// Everything a process of its own reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[grpc]`
    pub grpc: GrpcSettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
    /// `[shutdown]`
    pub shutdown: ShutdownSettings,
    /// `[secrets]`
    pub secrets: SecretsSettings,
    /// `[bus]`
    pub bus: bus::Settings,
    /// `[lake]`
    pub lake: LakeSettings,
    /// `[loader]`
    pub loader: LoaderSettings,
}

/// `[loader]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoaderSettings {
    /// The consumer group.
    pub group: String,
    /// At most one commit in this time.
    pub commit_interval_ms: u64,
    /// Time for the store to write a commit.
    pub commit_timeout_ms: u64,
    /// Requests in one commit.
    pub max_requests: usize,
    /// Time a request may wait for the one before.
    pub hold_warn_ms: u64,
    /// Requests whose loss an operator accepts.
    #[serde(deserialize_with = "service::settings::list")]
    pub accept: Vec<String>,
    /// Commits between two checkpoints.
    pub checkpoint_commits: u64,
    /// Commits that a table's log keeps.
    pub log_commits: u64,
    /// Time between two looks of health.
    pub health_interval_ms: u64,
    /// Time without progress after which it stands still.
    pub stalled_after_ms: u64,
    /// `[loader.compact]`
    pub compact: CompactSettings,
    /// `[loader.vacuum]`
    pub vacuum: VacuumSettings,
}

/// `[loader.compact]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactSettings {
    /// Time between two runs; 0: none.
    pub interval_ms: u64,
    /// How long ago a day must have ended.
    pub after_ms: u64,
    /// The size of the files it makes.
    pub target_bytes: u64,
}

/// `[loader.vacuum]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VacuumSettings {
    /// Time between two runs; 0: none.
    pub interval_ms: u64,
    /// How old what it deletes must be.
    pub retention_ms: u64,
}

impl LoaderSettings {
    /// What is wrong, although every value has the right type.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key: &str, problem: String, fix: String| {
            if !ok {
                problems.push(Problem::new(format!("loader.{key}"), problem, fix));
            }
        };
        check(!self.group.is_empty(), "group", "is empty".into(), "name the group, as weir-loader".into());
        for id in &self.accept {
            let is_id = [8, 32].contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            check(
                is_id,
                "accept",
                format!("{id:?} is no id of a request or an epoch"),
                "use the 32 hex digits of the request's id, or the 8 of the epoch's".into(),
            );
        }
        let day = 86_400_000;
        let bounds = [
            ("commit_interval_ms", self.commit_interval_ms, 10, day),
            ("commit_timeout_ms", self.commit_timeout_ms, 100, 600_000),
            ("max_requests", self.max_requests as u64, 1, 100_000),
            ("hold_warn_ms", self.hold_warn_ms, 100, day),
            ("checkpoint_commits", self.checkpoint_commits, 1, 10_000),
            ("log_commits", self.log_commits, 100, 10_000_000),
            ("health_interval_ms", self.health_interval_ms, 100, day),
            ("stalled_after_ms", self.stalled_after_ms, 100, day),
            ("compact.interval_ms", self.compact.interval_ms, 0, 30 * day),
            ("compact.after_ms", self.compact.after_ms, 0, 365 * day),
            ("compact.target_bytes", self.compact.target_bytes, 1 << 20, 4 << 30),
            ("vacuum.interval_ms", self.vacuum.interval_ms, 0, 30 * day),
        ];
        for (key, value, least, most) in bounds {
            check((least..=most).contains(&value), key, format!("is {value}"), format!("use {least} to {most}"));
        }
        let (shortest, longest) = (SHORTEST_RETENTION.as_millis(), LONGEST_RETENTION.as_millis());
        let retention = u128::from(self.vacuum.retention_ms);
        check(
            retention >= shortest,
            "vacuum.retention_ms",
            format!("is {retention}, and a load request may name a file that old"),
            format!("use at least {shortest}"),
        );
        check(
            retention <= longest,
            "vacuum.retention_ms",
            format!("is {retention}, and the table forgets what it has removed after {longest}"),
            format!("use at most {longest}"),
        );
        problems
    }

    pub(crate) fn commit_interval(&self) -> Duration {
        Duration::from_millis(self.commit_interval_ms)
    }

    pub(crate) fn commit_timeout(&self) -> Duration {
        Duration::from_millis(self.commit_timeout_ms)
    }
}

impl service::Settings for Settings {
    fn validate(&self) -> Vec<Problem> {
        let inner = self.bus.validate().into_iter().map(|(key, problem)| (key.to_string(), problem.to_string()));
        let inner = inner.chain(self.lake.validate());
        let mut problems: Vec<Problem> = inner
            .map(|(key, problem)| {
                let fix = format!("correct {key}");
                Problem::new(key, problem, fix)
            })
            .collect();
        problems.extend(self.loader.validate());
        problems
    }

    fn host(&self) -> HostSettings {
        HostSettings {
            admin: self.admin.clone(),
            grpc: self.grpc.clone(),
            telemetry: self.telemetry.clone(),
            shutdown: self.shutdown.clone(),
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
