//! The settings of all that `weir` runs. What each means, and its default, stands in the `settings.default.toml` of the
//! crates.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use service::{
    AdminSettings, GrpcSettings, HostSettings, Problem, SecretsSettings, ShutdownSettings, TelemetrySettings,
};

use simulate::Mix;

/// The defaults of every section; later texts override earlier ones.
pub const DEFAULTS: &[&str] = &[
    service::DEFAULTS,
    bus::DEFAULTS,
    streaming::STREAMING_DEFAULTS,
    processing::PROCESSING_DEFAULTS,
    control::DEFAULTS,
    lake::DEFAULTS,
    enricher::ENRICHER_DEFAULTS,
    loader::LOADER_DEFAULTS,
    health_check::HEALTH_CHECK_DEFAULTS,
    include_str!("../settings.default.toml"),
];

/// The settings of every service, and those of the simulation.
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
    /// `[streaming]`
    pub streaming: streaming::StreamingSettings,
    /// `[processing]`
    pub processing: processing::settings::ProcessingSettings,
    /// `[registrations]`
    pub registrations: control::RegistrationsSettings,
    /// `[lake]`
    pub lake: lake::LakeSettings,
    /// `[enricher]`
    pub enricher: enricher::settings::EnricherSettings,
    /// `[loader]`
    pub loader: loader::LoaderSettings,
    /// `[health_check]`
    pub health_check: health_check::HealthCheckSettings,
    /// `[simulation]`
    pub simulation: SimulationSettings,
}

/// `[simulation]`: what `weir up --simulate` sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulationSettings {
    /// Deliveries per second.
    pub rate: f64,
    /// Pages of Facebook.
    pub pages: u32,
    /// How unequal they are.
    pub skew: f64,
    /// Shares of the platforms.
    pub mix: String,
    /// The share of deliveries that are sent again.
    pub redeliver: f64,
    /// The share of deliveries that are broken on purpose.
    pub broken: f64,
    /// Where the secrets of the simulated endpoints are kept.
    #[serde(serialize_with = "common::kinds::made_file")]
    pub secrets_file: PathBuf,
}

impl Settings {
    /// The settings as `file` and the environment make them.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its key and the fix.
    pub fn load(file: Option<&Path>) -> Result<Self, service::SettingsError> {
        service::load(DEFAULTS, file, service::environment())
    }

    /// See [`GrpcSettings::url`].
    pub fn grpc_url(&self, listen: &str) -> String {
        self.grpc.url(listen)
    }

    /// What streaming reads of them.
    pub fn streaming(&self) -> streaming::Settings {
        streaming::Settings {
            admin: self.admin.clone(),
            grpc: self.grpc.clone(),
            telemetry: self.telemetry.clone(),
            shutdown: self.shutdown.clone(),
            secrets: self.secrets.clone(),
            bus: self.bus.clone(),
            streaming: self.streaming.clone(),
        }
    }

    /// What processing reads of them.
    pub fn processing(&self) -> processing::Settings {
        processing::Settings {
            admin: self.admin.clone(),
            grpc: self.grpc.clone(),
            telemetry: self.telemetry.clone(),
            shutdown: self.shutdown.clone(),
            secrets: self.secrets.clone(),
            bus: self.bus.clone(),
            processing: self.processing.clone(),
            registrations: self.registrations.clone(),
        }
    }

    /// What the enricher reads of them.
    pub fn enricher(&self) -> enricher::Settings {
        enricher::Settings {
            admin: self.admin.clone(),
            grpc: self.grpc.clone(),
            telemetry: self.telemetry.clone(),
            shutdown: self.shutdown.clone(),
            secrets: self.secrets.clone(),
            bus: self.bus.clone(),
            lake: self.lake.clone(),
            enricher: self.enricher.clone(),
        }
    }

    /// What the loader reads of them.
    pub fn loader(&self) -> loader::Settings {
        loader::Settings {
            admin: self.admin.clone(),
            grpc: self.grpc.clone(),
            telemetry: self.telemetry.clone(),
            shutdown: self.shutdown.clone(),
            secrets: self.secrets.clone(),
            bus: self.bus.clone(),
            lake: self.lake.clone(),
            loader: self.loader.clone(),
        }
    }
}

impl From<&Settings> for streaming::Settings {
    fn from(all: &Settings) -> Self {
        all.streaming()
    }
}

impl From<&Settings> for processing::Settings {
    fn from(all: &Settings) -> Self {
        all.processing()
    }
}

impl From<&Settings> for enricher::Settings {
    fn from(all: &Settings) -> Self {
        all.enricher()
    }
}

impl From<&Settings> for loader::Settings {
    fn from(all: &Settings) -> Self {
        all.loader()
    }
}

impl From<&Settings> for health_check::Settings {
    fn from(all: &Settings) -> Self {
        Self {
            admin: all.admin.clone(),
            grpc: all.grpc.clone(),
            telemetry: all.telemetry.clone(),
            shutdown: all.shutdown.clone(),
            secrets: all.secrets.clone(),
            health_check: all.health_check.clone(),
        }
    }
}

impl service::Settings for Settings {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = self.streaming().validate();
        let others = [self.processing().validate(), self.enricher().validate(), self.loader().validate()];
        for problem in others.into_iter().flatten().chain(self.health_check.validate()) {
            // What several read is told once.
            if !problems.iter().any(|known| known.key == problem.key) {
                problems.push(problem);
            }
        }
        problems.extend(self.simulation.validate());
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

impl SimulationSettings {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key: &str, problem: String, fix: &str| {
            if !ok {
                problems.push(Problem::new(format!("simulation.{key}"), problem, fix));
            }
        };
        check(
            self.rate > 0.0 && self.rate <= 100_000.0,
            "rate",
            format!("is {}", self.rate),
            "give deliveries per second, above 0 and at most 100000",
        );
        check(
            (2..=100_000).contains(&self.pages),
            "pages",
            format!("is {}", self.pages),
            "give 2 to 100000: a batch mixes the pages of two tenants",
        );
        check((0.0..=10.0).contains(&self.skew), "skew", format!("is {}", self.skew), "give 0 (even) to 10");
        if let Err(error) = self.mix.parse::<Mix>() {
            check(false, "mix", error.problem, "write shares, for example facebook=60,github=40");
        }
        for (key, share) in [("redeliver", self.redeliver), ("broken", self.broken)] {
            check((0.0..=0.5).contains(&share), key, format!("is {share}"), "give a share from 0 to 0.5");
        }
        problems
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod kinds_tests;
