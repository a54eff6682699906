//! The settings of health-check; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::time::Duration;

use alerts::AlertsSettings;
use common::kinds::{Problem, Problems};
use common::units::{Count, MAX, Millis, Seconds, Share};
use platforms::PlatformsSettings;
use serde::{Deserialize, Serialize};

use crate::errors::settings::ErrorSettings;
use crate::healing::settings::HealingSettings;
use crate::pipeline::Watched;
use crate::probes::settings::{ProbeSettings, ProbingSettings, validate};
use crate::problems::Thresholds;
use crate::stage::PROBES;
use crate::volume::settings::VolumeSettings;

/// The settings of health-check, as TOML with comments.
pub const HEALTH_CHECK_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, alerts::DEFAULTS, platforms::DEFAULTS, HEALTH_CHECK_DEFAULTS];

service::settings! {
    /// Everything a process of its own reads.
    pub struct Settings { health_check: HealthCheckSettings, alerts: AlertsSettings, platforms: PlatformsSettings }
}

impl Settings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.health_check.validate();
        let services: Vec<_> = self.health_check.services.iter().map(|service| service.name.as_str()).collect();
        let mut stages = Problems::of("health_check");
        self.health_check.healing.validate_stages(&services, &mut stages);
        problems.extend(stages.into_vec());
        problems.extend(self.alerts.validate());
        problems.extend(self.platforms.validate());
        problems.extend(self.alerts.validate_interval(self.health_check.interval_ms));
        if self.health_check.services.is_empty() {
            let fix = "list them in a file: [[health_check.services]] with name, addresses and expected";
            problems.push(Problem::new("health_check.services", "is empty: there is no service to ask", fix));
        }
        problems
    }
}

/// `[health_check]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckSettings {
    pub name: String,
    pub services: Vec<ServiceSettings>,
    #[serde(with = "Millis::<200, 600_000>")]
    pub interval_ms: u64,
    #[serde(with = "Millis::<100, 60_000>")]
    pub timeout_ms: u64,
    pub limits: LimitSettings,
    pub errors: ErrorSettings,
    pub healing: HealingSettings,
    pub volume: VolumeSettings,
    pub probes: Vec<ProbeSettings>,
    pub probing: ProbingSettings,
}

/// `[[health_check.services]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    pub name: String,
    #[serde(serialize_with = "common::kinds::url")]
    pub addresses: Vec<String>,
    #[serde(with = "Count::<0, MAX>")]
    pub expected: u32,
}

/// `[health_check.limits]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    pub lag_warning: i64,
    pub lag_failing: i64,
    #[serde(with = "Seconds::<0, MAX>")]
    pub age_warning_s: f64,
    #[serde(with = "Seconds::<0, MAX>")]
    pub age_failing_s: f64,
    #[serde(with = "Seconds::<0, MAX>")]
    pub canary_warning_s: f64,
    #[serde(with = "Seconds::<0, MAX>")]
    pub canary_failing_s: f64,
    #[serde(with = "Share::<0, 1000>")]
    pub dead_letters_warning: f64,
    #[serde(with = "Count::<0, MAX>")]
    pub dead_letters_min: u64,
}

impl HealthCheckSettings {
    /// Between two rounds.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms)
    }

    /// For one answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// After so long without a round nothing is known any more: longer than any round takes.
    pub fn stale_after(&self) -> Duration {
        self.interval() * 3 + self.timeout() * 2
    }

    /// As the model takes them.
    pub fn watched(&self) -> Vec<Watched> {
        let watched = |service: &ServiceSettings| Watched { service: service.name.clone(), expected: service.expected };
        self.services.iter().map(watched).collect()
    }

    /// As the model takes them.
    pub fn limits(&self) -> Thresholds {
        let limits = &self.limits;
        Thresholds {
            lag: [limits.lag_warning as f64, limits.lag_failing as f64],
            age: [limits.age_warning_s, limits.age_failing_s],
            canary: [limits.canary_warning_s, limits.canary_failing_s],
            dead_letters: limits.dead_letters_warning,
            dead_letters_min: limits.dead_letters_min,
        }
    }

    /// What is wrong, although every value has the right type and range.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("health_check");
        let is_short = self.name.chars().count() <= LONGEST_NAME && !self.name.chars().any(char::is_control);
        let problem = format!("is too long, or has control characters: {:?}", self.name);
        problems.check(is_short, "name", problem, "give a name of at most 60 characters on one line");
        let limits = &self.limits;
        for (key, warning, failing) in [
            ("lag", limits.lag_warning as f64, limits.lag_failing as f64),
            ("age", limits.age_warning_s, limits.age_failing_s),
            ("canary", limits.canary_warning_s, limits.canary_failing_s),
        ] {
            let ok = warning >= 0.0 && failing >= 0.0 && (failing == 0.0 || warning <= failing);
            let problem = format!("{key}: warning is {warning}, failing is {failing}");
            let fix = "use 0 (never), or a failing value that is not below the warning value";
            problems.check(ok, "limits", problem, fix);
        }
        for (n, service) in self.services.iter().enumerate() {
            let named = !service.name.is_empty() && !self.services[..n].iter().any(|other| other.name == service.name);
            let name = &service.name;
            let problem = format!("has an empty name, or the name {name:?} twice");
            problems.check(named, "services", problem, "give each service a name of its own");
            let has_some = !service.addresses.is_empty();
            problems.check(has_some, "services", format!("{name:?} has no addresses"), ADDRESS);
            for address in &service.addresses {
                let problem = format!("{name:?} has the invalid address {address:?}");
                problems.check(host_port(address).is_some(), "services", problem, ADDRESS);
            }
        }
        let is_free = !self.services.iter().any(|service| service.name == PROBES);
        let problem = format!("{:?} is the name of the stage of the probes", PROBES);
        problems.check(is_free, "services", problem, "give the service another name");
        let services: Vec<_> = self.services.iter().map(|service| service.name.as_str()).collect();
        validate(&self.probes, &services, &mut problems);
        self.errors.validate(&mut problems);
        self.healing.validate(&mut problems);
        self.volume.validate(&mut problems);
        problems.into_vec()
    }
}

/// Of the installation's name: it stands in the title of a window.
const LONGEST_NAME: usize = 60;

const ADDRESS: &str = "give its gRPC address, such as http://host:9090 or https://host:9090";

/// Host and port of an address.
pub(crate) fn host_port(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?.trim_end_matches('/');
    let (host, port) = rest.rsplit_once(':')?;
    (!host.is_empty() && !rest.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(rest)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
