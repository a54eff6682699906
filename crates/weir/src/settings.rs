//! The settings of all that `weir` runs. What each means, and its default, stands in the `settings.default.toml` of the
//! crates.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::path::{Path, PathBuf};

use common::kinds::{Problem, Problems};
use common::units::{Count, Share};
use serde::{Deserialize, Serialize};
use service::Settings as _;
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
    alerts::DEFAULTS,
    platforms::DEFAULTS,
    health_check::HEALTH_CHECK_DEFAULTS,
    include_str!("../settings.default.toml"),
];

service::settings! {
    /// The settings of every service, and those of the simulation.
    pub struct Settings {
        bus: bus::Settings,
        streaming: streaming::StreamingSettings,
        processing: processing::settings::ProcessingSettings,
        registrations: control::RegistrationsSettings,
        lake: lake::LakeSettings,
        enricher: enricher::settings::EnricherSettings,
        loader: loader::LoaderSettings,
        health_check: health_check::HealthCheckSettings,
        alerts: alerts::AlertsSettings,
        platforms: platforms::PlatformsSettings,
        simulation: SimulationSettings,
    }
}

/// `[simulation]`: what `weir up --simulate` sends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulationSettings {
    pub rate: f64,
    #[serde(with = "Count::<2, 100_000>")]
    pub pages: u32,
    #[serde(with = "Share::<0, 10_000>")]
    pub skew: f64,
    pub mix: String,
    #[serde(with = "Share::<0, 500>")]
    pub redeliver: f64,
    #[serde(with = "Share::<0, 500>")]
    pub broken: f64,
    #[serde(serialize_with = "common::kinds::made_file")]
    pub secrets_file: PathBuf,
}

/// The JSON Schema of all settings, as `docs/settings.schema.json` has it.
///
/// # Errors
/// The settings have a form that settings do not have.
pub fn schema() -> anyhow::Result<String> {
    Ok(format!("{:#}\n", service::settings::schema(DEFAULTS, &defaults()?)?))
}

/// The reference of all settings as Markdown, as `docs/settings.md` has it.
///
/// # Errors
/// The settings have a form that settings do not have.
pub fn reference() -> anyhow::Result<String> {
    Ok(service::settings::page(DEFAULTS, &defaults()?)?)
}

fn defaults() -> anyhow::Result<Settings> {
    Ok(service::load(DEFAULTS, None, [])?)
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
        self.into()
    }

    /// What processing reads of them.
    pub fn processing(&self) -> processing::Settings {
        self.into()
    }

    /// What the enricher reads of them.
    pub fn enricher(&self) -> enricher::Settings {
        self.into()
    }

    /// What the loader reads of them.
    pub fn loader(&self) -> loader::Settings {
        self.into()
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        // Where all services are in one process, health-check has nobody to ask.
        let nobody = self.health_check.services.is_empty();
        for problem in of_services(self).into_iter().chain(self.simulation.validate()) {
            let is_nobody = nobody && problem.key == "health_check.services";
            // What several read is told once.
            if !is_nobody && !problems.iter().any(|known| known.key == problem.key) {
                problems.push(problem);
            }
        }
        problems
    }
}

/// The sections that a service reads beside those that every service has.
macro_rules! services {
    ($($service:ty { $($section:ident),+ })+) => {
        $(
            impl From<&Settings> for $service {
                fn from(all: &Settings) -> Self {
                    let Settings { admin, grpc, telemetry, shutdown, secrets, data, .. } = all.clone();
                    Self { admin, grpc, telemetry, shutdown, secrets, data, $($section: all.$section.clone()),+ }
                }
            }
        )+

        /// What each service finds wrong with what it reads.
        fn of_services(all: &Settings) -> Vec<Problem> {
            [$(<$service>::from(all).validate()),+].concat()
        }
    };
}

services! {
    streaming::Settings { bus, streaming }
    processing::Settings { bus, processing, registrations }
    enricher::Settings { bus, lake, enricher }
    loader::Settings { bus, lake, loader }
    health_check::Settings { health_check, alerts, platforms }
}

impl SimulationSettings {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("simulation");
        problems.check(
            self.rate > 0.0 && self.rate <= 100_000.0,
            "rate",
            format!("is {}", self.rate),
            "give deliveries per second, above 0 and at most 100000",
        );
        if let Err(error) = self.mix.parse::<Mix>() {
            problems.check(false, "mix", error.problem, "write shares, for example facebook=60,github=40");
        }
        problems.into_vec()
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod kinds_tests;
