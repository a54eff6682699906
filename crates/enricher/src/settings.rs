//! The settings of the enricher; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

mod steps;

use common::kinds::{Problem, Problems};
use common::units::{Bytes, Count, DAY, GIB, MAX, MIB, Millis};
use lake::LakeSettings;
use serde::{Deserialize, Serialize};

pub use steps::{LookupSettings, PROCESSING, ReferenceSettings, StepSettings, StepType};

/// The settings of the enricher, as TOML with comments.
pub const ENRICHER_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, lake::DEFAULTS, ENRICHER_DEFAULTS];

service::settings! {
    /// Everything a process of its own reads.
    pub struct Settings { bus: bus::Settings, lake: LakeSettings, enricher: EnricherSettings }
}

/// `[enricher]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnricherSettings {
    pub group: String,
    #[serde(serialize_with = "common::kinds::url")]
    pub processing_url: String,
    #[serde(with = "Count::<1, 1000>")]
    pub batches_ahead: usize,
    #[serde(with = "Count::<0, MAX>")]
    pub activities_per_second: u32,
    #[serde(with = "Bytes::<1, { 4 * GIB }>")]
    pub flush_bytes: usize,
    #[serde(with = "Millis::<100, DAY>")]
    pub flush_interval_ms: u64,
    #[serde(with = "Bytes::<MIB, { 1024 * GIB }>")]
    pub max_buffered_bytes: usize,
    #[serde(with = "Count::<2, 100_000_000>")]
    pub max_held_records: usize,
    #[serde(with = "Bytes::<2, { 1024 * GIB }>")]
    pub max_held_bytes: usize,
    pub detect_language: bool,
    #[serde(with = "Millis::<100, DAY>")]
    pub health_interval_ms: u64,
    #[serde(with = "Millis::<100, DAY>")]
    pub stalled_after_ms: u64,
    pub lookups: LookupSettings,
    pub reference: ReferenceSettings,
    pub steps: Vec<StepSettings>,
}

impl EnricherSettings {
    /// What is wrong, although every value has the right type and range.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("enricher");
        problems.check(!self.group.is_empty(), "group", "is empty", "name the group, for example weir-enricher");
        problems.check(
            self.stalled_after_ms > self.flush_interval_ms,
            "stalled_after_ms",
            "is not more than flush_interval_ms",
            "use three times flush_interval_ms: activities are done only after their files are finished",
        );
        steps::validate(self, &mut problems);
        problems.into_vec()
    }
}

impl Settings {
    fn problems(&self) -> Vec<Problem> {
        [self.bus.validate(), self.lake.validate(), self.enricher.validate()].concat()
    }

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

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
