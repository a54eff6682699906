//! The settings of health-check; what they mean stands in `settings.default.toml`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::{AdminSettings, GrpcSettings, HostSettings, Problem, ShutdownSettings, TelemetrySettings};

use crate::pipeline::{Limits, Watched};

/// The settings of health-check, as TOML with comments.
pub const HEALTH_CHECK_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The defaults of all settings of the service.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, HEALTH_CHECK_DEFAULTS];

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
    /// `[secrets]`: what every service has; not used here.
    pub secrets: service::SecretsSettings,
    /// `[health_check]`
    pub health_check: HealthCheckSettings,
}

/// `[health_check]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckSettings {
    /// Whom to ask.
    pub services: Vec<ServiceSettings>,
    /// Between two rounds.
    pub interval_ms: u64,
    /// For one answer.
    pub timeout_ms: u64,
    /// `[health_check.limits]`
    pub limits: LimitSettings,
}

/// `[[health_check.services]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// The service's name, as in its digest.
    pub name: String,
    /// `http://host:port` or `https://host:port` of gRPC.
    #[serde(serialize_with = "common::kinds::url")]
    pub addresses: Vec<String>,
    /// Instances that have to answer.
    pub expected: u32,
}

/// `[health_check.limits]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// Records that wait.
    pub lag_warning: i64,
    /// Records that wait.
    pub lag_failing: i64,
    /// From the door to the end.
    pub age_warning_s: f64,
    /// From the door to the end.
    pub age_failing_s: f64,
    /// Part of what was taken in.
    pub dead_letters_warning: f64,
    /// Fewer prove nothing.
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

    /// As the model takes them.
    pub fn watched(&self) -> Vec<Watched> {
        let watched = |service: &ServiceSettings| Watched { service: service.name.clone(), expected: service.expected };
        self.services.iter().map(watched).collect()
    }

    /// As the model takes them.
    pub fn limits(&self) -> Limits {
        let limits = &self.limits;
        Limits {
            lag: [limits.lag_warning as f64, limits.lag_failing as f64],
            age: [limits.age_warning_s, limits.age_failing_s],
            dead_letters: limits.dead_letters_warning,
            dead_letters_min: limits.dead_letters_min,
        }
    }

    /// What is wrong, although every value has the right type.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key: &str, problem: String, fix: &str| {
            if !ok {
                problems.push(Problem::new(format!("health_check.{key}"), problem, fix));
            }
        };
        let (interval, timeout) = (self.interval_ms, self.timeout_ms);
        check((200..=600_000).contains(&interval), "interval_ms", format!("is {interval}"), "use 200 to 600000");
        check((100..=60_000).contains(&timeout), "timeout_ms", format!("is {timeout}"), "use 100 to 60000");
        let limits = &self.limits;
        for (key, warning, failing) in [
            ("lag", limits.lag_warning as f64, limits.lag_failing as f64),
            ("age", limits.age_warning_s, limits.age_failing_s),
        ] {
            let ok = warning >= 0.0 && failing >= 0.0 && (failing == 0.0 || warning <= failing);
            let problem = format!("of {key}: warning is {warning}, failing is {failing}");
            check(ok, "limits", problem, "use 0 (never), or numbers of which the second is not the smaller one");
        }
        let part = limits.dead_letters_warning;
        check((0.0..=1.0).contains(&part), "limits.dead_letters_warning", format!("is {part}"), "use 0 (never) to 1");
        for (n, service) in self.services.iter().enumerate() {
            let named = !service.name.is_empty() && !self.services[..n].iter().any(|other| other.name == service.name);
            let name = &service.name;
            check(named, "services", format!("has an empty name, or {name:?} twice"), "give each service one name");
            check(!service.addresses.is_empty(), "services", format!("{name:?} has no addresses"), ADDRESS);
            for address in &service.addresses {
                check(
                    host_port(address).is_some(),
                    "services",
                    format!("{name:?} has the address {address:?}"),
                    ADDRESS,
                );
            }
        }
        problems
    }
}

const ADDRESS: &str = "give where its gRPC is, as http://host:9090 or https://host:9090";

/// Host and port of an address.
pub(crate) fn host_port(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?.trim_end_matches('/');
    let (host, port) = rest.rsplit_once(':')?;
    (!host.is_empty() && !rest.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(rest)
}

impl service::Settings for Settings {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = self.health_check.validate();
        if self.health_check.services.is_empty() {
            let fix = "name them in a file: [[health_check.services]] with name, addresses and expected";
            problems.push(Problem::new("health_check.services", "is empty: nobody would be asked", fix));
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
