//! The settings of processing; what they mean stands in `settings.default.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use common::raw::v1::Delivery;
use common::topics::Topic;
use serde::{Deserialize, Serialize};
use service::{
    AdminSettings, GrpcSettings, HostSettings, Problem, SecretsSettings, ShutdownSettings, TelemetrySettings,
};

use crate::storm;
use crate::weight::Limit;

/// The settings of the stage, as TOML with comments.
pub const PROCESSING_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, PROCESSING_DEFAULTS, control::DEFAULTS];

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
    /// `[processing]`
    pub processing: ProcessingSettings,
    /// `[registrations]`
    pub registrations: control::RegistrationsSettings,
}

/// `[processing]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessingSettings {
    /// Names of sources, or `all`.
    #[serde(deserialize_with = "service::settings::list")]
    pub sources: Vec<String>,
    /// The consumer group; with `-bulk` behind it that of the slow lanes.
    pub group: String,
    /// Threads that parse; 0: one for each core.
    pub parse_threads: usize,
    /// Batches parsed ahead.
    pub parse_ahead_batches: usize,
    /// Memory of all deliveries that are worked on.
    pub memory_bytes: u64,
    /// Memory of one delivery, in sizes of its body.
    pub body_memory_factor: u64,
    /// Memory that each delivery may take, however small.
    pub body_memory_least_bytes: u64,
    /// Part of the time for the slow lanes.
    pub bulk_share: f64,
    /// Events per second in all; 0: no limit.
    pub events_per_second: u32,
    /// Events per second of one endpoint; 0: no limit.
    pub endpoint_events_per_second: u32,
    /// Time between two looks of health.
    pub health_interval_ms: u64,
    /// Time without progress after which it stands still.
    pub stalled_after_ms: u64,
    /// `[processing.storm]`
    pub storm: StormSettings,
}

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
    /// How far back to look.
    pub window_ms: u64,
    /// Fewer deliveries prove nothing.
    pub min_deliveries: u64,
    /// Part of the deliveries that may be refused.
    pub ratio: f64,
    /// Refused deliveries at other endpoints than the worst.
    pub min_elsewhere: u64,
    /// How long the door holds one endpoint back; 0: never.
    pub hold_ms: u64,
}

impl Settings {
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

    /// What is wrong, although every value has the right type.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key: &str, problem: String, fix: &str| {
            if !ok {
                problems.push(Problem::new(format!("processing.{key}"), problem, fix));
            }
        };
        let known: Vec<&str> = sources::all().iter().map(|source| source.name()).collect();
        let known = format!("use \"all\", or some of {}", known.join(", "));
        check(!self.sources.is_empty(), "sources", "is empty".into(), &known);
        for name in &self.sources {
            let is_known = name == "all" || sources::by_name(name).is_some();
            check(is_known, "sources", format!("{name:?} is not a source"), &known);
        }
        check(!self.group.is_empty(), "group", "is empty".into(), "name the group, as weir-processing");
        check(
            (1..=1000).contains(&self.parse_ahead_batches),
            "parse_ahead_batches",
            format!("is {}", self.parse_ahead_batches),
            "use 1 to 1000",
        );
        for (key, value) in
            [("memory_bytes", self.memory_bytes), ("body_memory_least_bytes", self.body_memory_least_bytes)]
        {
            check((1 << 20..=1 << 40).contains(&value), key, format!("is {value}"), "use 1048576 to 1099511627776");
        }
        let factor = self.body_memory_factor;
        check((5..=1000).contains(&factor), "body_memory_factor", format!("is {factor}"), "use 5 to 1000");
        check(self.parse_threads <= 1000, "parse_threads", format!("is {}", self.parse_threads), "use 0 to 1000");
        check(
            (0.01..=1.0).contains(&self.bulk_share),
            "bulk_share",
            format!("is {}", self.bulk_share),
            "use 0.01 to 1",
        );
        for (key, value) in
            [("health_interval_ms", self.health_interval_ms), ("stalled_after_ms", self.stalled_after_ms)]
        {
            check((100..=86_400_000).contains(&value), key, format!("is {value}"), "use 100 to 86400000");
        }
        let storm = &self.storm;
        check(
            (1000..=86_400_000).contains(&storm.window_ms),
            "storm.window_ms",
            format!("is {}", storm.window_ms),
            "use 1000 to 86400000",
        );
        check(storm.min_deliveries > 0, "storm.min_deliveries", "is 0".into(), "use at least 1");
        check(storm.hold_ms <= 3_600_000, "storm.hold_ms", format!("is {}", storm.hold_ms), "use 0 to 3600000");
        check(storm.min_elsewhere > 0, "storm.min_elsewhere", "is 0".into(), "use at least 1");
        check(
            storm.ratio > 0.0 && storm.ratio <= 1.0,
            "storm.ratio",
            format!("is {}", storm.ratio),
            "use more than 0 and at most 1",
        );
        problems
    }
}

impl StormSettings {
    /// As the window takes them.
    pub fn limits(&self) -> storm::Limits {
        storm::Limits {
            window: Duration::from_millis(self.window_ms),
            min_deliveries: self.min_deliveries,
            ratio: self.ratio,
            min_elsewhere: self.min_elsewhere,
        }
    }
}

impl service::Settings for Settings {
    fn validate(&self) -> Vec<Problem> {
        let bus = self.bus.validate().into_iter().map(|(key, problem)| {
            let fix = format!("correct {key}");
            Problem::new(key, problem, fix)
        });
        let mut problems: Vec<Problem> = bus.collect();
        problems.extend(self.processing.validate());
        problems.extend(self.registrations.validate());
        if self.secrets.key_file.is_none() {
            problems.push(Problem::new(
                "secrets.key_file",
                "is not set, and secrets must be sealed",
                "name a file with 32 random bytes as 64 hex digits",
            ));
        }
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
