//! The settings of the enricher; what they mean stands in `settings.default.toml`.

mod steps;

use lake::LakeSettings;
use serde::{Deserialize, Serialize};
use service::{AdminSettings, GrpcSettings, HostSettings, Problem, ShutdownSettings, TelemetrySettings};

pub use steps::{LookupSettings, PROCESSING, ReferenceSettings, StepSettings, StepType};

/// The settings of the enricher, as TOML with comments.
pub const ENRICHER_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, lake::DEFAULTS, ENRICHER_DEFAULTS];

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
    /// `[secrets]`: there to be shared with the other services, not used.
    pub secrets: service::SecretsSettings,
    /// `[bus]`
    pub bus: bus::Settings,
    /// `[lake]`
    pub lake: LakeSettings,
    /// `[enricher]`
    pub enricher: EnricherSettings,
}

/// `[enricher]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnricherSettings {
    /// The consumer group.
    pub group: String,
    /// What `processing` means as the URL of a look-up.
    #[serde(serialize_with = "common::kinds::url")]
    pub processing_url: String,
    /// Batches enriched at once.
    pub batches_ahead: usize,
    /// Activities per second; 0: no limit.
    pub activities_per_second: u32,
    /// Size at which the files of a partition are finished.
    pub flush_bytes: usize,
    /// Age at which they are.
    pub flush_interval_ms: u64,
    /// Memory for files that are not yet in the store.
    pub max_buffered_bytes: usize,
    /// Records held until their rows are requested to be loaded.
    pub max_held_records: usize,
    /// Their bytes.
    pub max_held_bytes: usize,
    /// Time between two looks of health.
    pub health_interval_ms: u64,
    /// Time without progress after which it stands still.
    pub stalled_after_ms: u64,
    /// `[enricher.lookups]`
    pub lookups: LookupSettings,
    /// `[enricher.reference]`
    pub reference: ReferenceSettings,
    /// `[[enricher.steps]]`
    pub steps: Vec<StepSettings>,
}

impl EnricherSettings {
    /// What is wrong, although every value has the right type.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.group.is_empty() {
            problems.push(Problem::new("enricher.group", "is empty", "name the group, as weir-enricher"));
        }
        let mut within = |key: &str, value: u64, least: u64, most: u64| {
            if !(least..=most).contains(&value) {
                let fix = format!("use {least} to {most}");
                problems.push(Problem::new(format!("enricher.{key}"), format!("is {value}"), fix));
            }
        };
        const DAY: u64 = 86_400_000;
        const GIB: u64 = 1 << 30;
        within("batches_ahead", self.batches_ahead as u64, 1, 1000);
        within("flush_bytes", self.flush_bytes as u64, 1, 4 * GIB);
        within("flush_interval_ms", self.flush_interval_ms, 100, DAY);
        within("max_buffered_bytes", self.max_buffered_bytes as u64, 1 << 20, 1024 * GIB);
        within("max_held_records", self.max_held_records as u64, 2, 100_000_000);
        within("max_held_bytes", self.max_held_bytes as u64, 2, 1024 * GIB);
        within("health_interval_ms", self.health_interval_ms, 100, DAY);
        within("stalled_after_ms", self.stalled_after_ms, 100, DAY);
        if self.stalled_after_ms <= self.flush_interval_ms {
            problems.push(Problem::new(
                "enricher.stalled_after_ms",
                format!("is {} and not more than flush_interval_ms", self.stalled_after_ms),
                "use three times flush_interval_ms: until its files are finished nothing is done",
            ));
        }
        problems.extend(steps::validate(self));
        problems
    }
}

impl Settings {
    /// Those of the bus, with the enricher's own limits and its own claims.
    pub fn bus(&self) -> bus::Settings {
        let mut bus = self.bus.clone();
        bus.consumer.max_in_flight_records = self.enricher.max_held_records;
        bus.consumer.max_in_flight_bytes = self.enricher.max_held_bytes;
        if self.enricher.activities_per_second > 0 {
            // A batch goes out when all of it may: larger ones would come in jolts.
            let tenth = (self.enricher.activities_per_second as usize / 10).max(1);
            bus.consumer.batch_records = bus.consumer.batch_records.min(tenth);
        }
        bus.claims.for_stage(crate::STAGE);
        bus
    }
}

impl service::Settings for Settings {
    fn validate(&self) -> Vec<Problem> {
        let named = |section: &str, (key, problem): (String, String)| {
            let key = if key.starts_with(section) { key } else { format!("{section}.{key}") };
            let fix = format!("correct {key}");
            Problem::new(key, problem, fix)
        };
        let mut problems: Vec<Problem> = self.bus.validate().into_iter().map(|problem| named("bus", problem)).collect();
        problems.extend(self.lake.validate().into_iter().map(|problem| named("lake", problem)));
        problems.extend(self.enricher.validate());
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
