//! The settings of processing; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::collections::BTreeMap;
use std::time::Duration;

use common::kinds::{Problem, Problems};
use common::raw::v1::Delivery;
use common::topics::Topic;
use common::units::{Bytes, Count, DAY, MAX, MIB, Millis, Share};
use serde::{Deserialize, Serialize};

use crate::storm;
use crate::weight::Limit;

/// The settings of the stage, as TOML with comments.
pub const PROCESSING_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, PROCESSING_DEFAULTS, control::DEFAULTS];

service::settings! {
    /// Everything a process of its own reads.
    pub struct Settings {
        bus: bus::Settings,
        processing: ProcessingSettings,
        registrations: control::RegistrationsSettings,
    }
}

/// `[processing]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessingSettings {
    #[serde(deserialize_with = "common::kinds::list")]
    pub sources: Vec<String>,
    pub group: String,
    #[serde(with = "Count::<0, 1000>")]
    pub parse_threads: usize,
    #[serde(with = "Count::<1, 1000>")]
    pub parse_ahead_batches: usize,
    #[serde(with = "Bytes::<MIB, TIB>")]
    pub memory_bytes: u64,
    #[serde(with = "Count::<5, 1000>")]
    pub body_memory_factor: u64,
    #[serde(with = "Bytes::<MIB, TIB>")]
    pub body_memory_least_bytes: u64,
    #[serde(with = "Share::<10, 1000>")]
    pub bulk_share: f64,
    #[serde(with = "Count::<0, MAX>")]
    pub events_per_second: u32,
    #[serde(with = "Count::<0, MAX>")]
    pub endpoint_events_per_second: u32,
    #[serde(with = "Millis::<100, DAY>")]
    pub health_interval_ms: u64,
    #[serde(with = "Millis::<100, DAY>")]
    pub stalled_after_ms: u64,
    pub storm: StormSettings,
}

const TIB: u64 = 1 << 40;

/// What one lane reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As health and logs call it.
    pub lane: &'static str,
    /// The consumer group that has its place in the topics.
    pub group: String,
    /// Bare names of the raw topics.
    pub topics: Vec<String>,
}

/// `[processing.storm]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StormSettings {
    #[serde(with = "Millis::<1000, DAY>")]
    pub window_ms: u64,
    #[serde(with = "Count::<1, MAX>")]
    pub min_deliveries: u64,
    pub ratio: f64,
    #[serde(with = "Count::<1, MAX>")]
    pub min_elsewhere: u64,
    #[serde(with = "Millis::<0, 3_600_000>")]
    pub hold_ms: u64,
}

impl Settings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = [self.bus.validate(), self.processing.validate(), self.registrations.validate()].concat();
        if self.secrets.key_file.is_none() {
            problems.push(Problem::new(
                "secrets.key_file",
                "is not set, and secrets must be sealed",
                "name a file with 32 random bytes as 64 hex digits",
            ));
        }
        problems
    }

    /// Those of the bus. Claims are rebuilt from what came of the sources: who has not all of them has not all claims.
    pub fn bus(&self) -> bus::Settings {
        let mut bus = self.bus.clone();
        let mut names: Vec<_> = self.processing.sources().iter().map(|source| source.name()).collect();
        if names.len() < sources::all().len() {
            names.sort_unstable();
            bus.claims.for_part(&names.join("+"));
        }
        bus
    }
}

impl ProcessingSettings {
    /// The sources that are processed.
    pub fn sources(&self) -> Vec<&'static dyn sources::Source> {
        if self.sources.iter().any(|name| name == "all") {
            return sources::all().to_vec();
        }
        self.sources.iter().filter_map(|name| sources::by_name(name)).collect()
    }

    /// What the direct lane and the bulk lane read. Each has a group of its own, so that an instance is one member of a
    /// group: one that is killed while the group is being shared out leaves only one behind that it waits for.
    pub fn inputs(&self) -> [Input; 2] {
        let names = |topic: fn(&str) -> Topic<Delivery>| {
            self.sources().iter().map(|source| topic(source.name()).name().to_owned()).collect()
        };
        [
            Input { lane: "direct", group: self.group.clone(), topics: names(common::topics::raw) },
            Input { lane: "bulk", group: format!("{}-bulk", self.group), topics: names(common::topics::raw_bulk) },
        ]
    }

    /// The group of each topic.
    pub fn groups(&self) -> BTreeMap<String, String> {
        let each = |Input { group, topics, .. }: Input| topics.into_iter().map(move |topic| (topic, group.clone()));
        self.inputs().into_iter().flat_map(each).collect()
    }

    /// What a delivery may take in memory.
    pub fn limit(&self) -> Limit {
        Limit { factor: self.body_memory_factor, least: self.body_memory_least_bytes }
    }

    /// Threads that parse.
    pub fn parse_threads(&self) -> usize {
        match self.parse_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// What is wrong, although every value has the right type and range.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("processing");
        let known: Vec<&str> = sources::all().iter().map(|source| source.name()).collect();
        let known = format!("use \"all\", or some of {}", known.join(", "));
        problems.check(!self.sources.is_empty(), "sources", "is empty", known.as_str());
        for name in &self.sources {
            let is_known = name == "all" || sources::by_name(name).is_some();
            problems.check(is_known, "sources", format!("{name:?} is not a source"), known.as_str());
        }
        problems.check(!self.group.is_empty(), "group", "is empty", "name the group, for example weir-processing");
        let ratio = self.storm.ratio;
        let is_share = ratio > 0.0 && ratio <= 1.0;
        problems.check(is_share, "storm.ratio", format!("is {ratio}"), "use more than 0 and at most 1");
        problems.into_vec()
    }
}

impl StormSettings {
    /// As the window takes them.
    pub fn limits(&self) -> storm::StormLimits {
        storm::StormLimits {
            window: Duration::from_millis(self.window_ms),
            min_deliveries: self.min_deliveries,
            ratio: self.ratio,
            min_elsewhere: self.min_elsewhere,
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
