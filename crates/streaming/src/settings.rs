//! The settings. What each means, and the value it has by default, stands in `settings.default.toml`.

use std::collections::HashSet;
use std::time::Duration;

use common::registration::v1::{Endpoint, Registration, registration::Kind};
use common::registrations;
use serde::{Deserialize, Serialize};
use service::tls::ServerTlsSettings;
use service::{
    AdminSettings, GrpcSettings, HostSettings, Problem, Secret, SecretsSettings, ShutdownSettings, TelemetrySettings,
};

/// The default settings of this service alone, as commented TOML.
pub const STREAMING_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The default settings of all sections.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, STREAMING_DEFAULTS];

/// What a record needs beside the body: envelope, kept headers, key.
const ENVELOPE: usize = 1024 * 1024;

/// All settings of the service.
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
    pub streaming: StreamingSettings,
}

/// `[streaming]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamingSettings {
    /// Where platforms deliver to, `host:port`.
    #[serde(serialize_with = "common::kinds::listen")]
    pub listen: String,
    /// Connections at one time.
    pub max_connections: usize,
    /// For the head of a request.
    pub header_timeout_ms: u64,
    /// Between two requests on one connection.
    pub idle_timeout_ms: u64,
    /// Without the client taking anything of an answer.
    pub write_timeout_ms: u64,
    /// Size of the head of a request.
    pub max_header_bytes: usize,
    /// Headers of a request.
    pub max_headers: usize,
    /// For a body.
    pub body_timeout_ms: u64,
    /// Size of a body.
    pub max_body_bytes: usize,
    /// Size of all bodies that are in memory.
    pub max_buffered_bytes: usize,
    /// Deliveries that the log has not acknowledged.
    pub max_in_flight: usize,
    /// `Retry-After`.
    pub retry_after_s: u32,
    /// Whether a request's `traceparent` is followed.
    pub trust_traceparent: bool,
    /// The longest that a request waits for newer registrations.
    pub catch_up_timeout_ms: u64,
    /// The shortest time between two looks for newer registrations.
    pub catch_up_pause_ms: u64,
    /// Between two looks at the health of what the door depends on.
    pub check_interval_ms: u64,
    /// How long the door stays open after it was told to stop.
    pub stop_delay_ms: u64,
    /// Endpoints beside those that are registered.
    pub endpoints: Vec<EndpointSettings>,
    /// `[streaming.tls]`
    pub tls: ServerTlsSettings,
}

/// `[[streaming.endpoints]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// The last part of its URL.
    pub name: String,
    /// The module that understands its deliveries.
    pub source: String,
    /// Who owns it.
    pub tenant: String,
    /// Any of these verifies a delivery.
    pub secrets: Vec<Secret>,
    /// What the platform must name in its handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_token: Option<Secret>,
    /// Deliveries per second; absent or 0: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u32>,
}

impl service::Settings for Settings {
    fn validate(&self) -> Vec<Problem> {
        let mut problems: Vec<_> = self
            .bus
            .validate()
            .into_iter()
            .map(|(key, problem)| Problem::new(key, problem, "give a value that does"))
            .collect();
        problems.extend(self.streaming.validate(&self.bus, &self.shutdown));
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

impl StreamingSettings {
    /// What is wrong, each with its key and the fix.
    #[must_use]
    pub fn validate(&self, bus: &bus::Settings, shutdown: &ShutdownSettings) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key: &str, problem: String, fix: &str| {
            if !ok {
                problems.push(Problem::new(format!("streaming.{key}"), problem, fix));
            }
        };
        for (key, value, least) in [
            ("max_connections", self.max_connections as u64, 1),
            ("header_timeout_ms", self.header_timeout_ms, 1),
            ("idle_timeout_ms", self.idle_timeout_ms, 1),
            ("write_timeout_ms", self.write_timeout_ms, 1),
            ("max_header_bytes", self.max_header_bytes as u64, 8192),
            ("max_headers", self.max_headers as u64, 16),
            ("body_timeout_ms", self.body_timeout_ms, 1),
            ("max_body_bytes", self.max_body_bytes as u64, 1024),
            ("max_in_flight", self.max_in_flight as u64, 1),
            ("catch_up_pause_ms", self.catch_up_pause_ms, 1),
            ("check_interval_ms", self.check_interval_ms, 100),
            ("retry_after_s", u64::from(self.retry_after_s), 1),
        ] {
            check(value >= least, key, format!("is {value}"), &format!("give at least {least}"));
        }
        check(
            self.max_body_bytes.saturating_add(ENVELOPE) <= bus.producer.max_record_bytes,
            "max_body_bytes",
            format!("is {}, and a record of that size does not fit", self.max_body_bytes),
            &format!("give at most bus.producer.max_record_bytes ({}) less {ENVELOPE}", bus.producer.max_record_bytes),
        );
        check(
            self.max_buffered_bytes >= self.max_body_bytes,
            "max_buffered_bytes",
            format!("is {}, less than one body", self.max_buffered_bytes),
            "give at least streaming.max_body_bytes",
        );
        check(
            (1..=1000).contains(&self.catch_up_timeout_ms),
            "catch_up_timeout_ms",
            format!("is {}", self.catch_up_timeout_ms),
            "give 1 to 1000: the platforms wait for it",
        );
        check(
            self.stop_delay_ms < shutdown.deadline_ms,
            "stop_delay_ms",
            format!("is {}, and nothing of shutdown.deadline_ms is left for what is under way", self.stop_delay_ms),
            &format!("give less than shutdown.deadline_ms ({})", shutdown.deadline_ms),
        );
        problems.extend(service::settings::check_listen("streaming.listen", &self.listen));
        problems.extend(self.tls.validate("streaming.tls"));
        let mut names = HashSet::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            problems.extend(endpoint.validate(index, !names.insert(endpoint.name.as_str())));
        }
        problems
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }
}

impl EndpointSettings {
    fn validate(&self, index: usize, twice: bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, problem: String, fix: &str| {
            problems.push(Problem::new(format!("streaming.endpoints[{index}].{key}"), problem, fix));
        };
        let registration = Registration {
            tenant: self.tenant.clone(),
            kind: Some(Kind::Endpoint(Endpoint {
                name: self.name.clone(),
                source: self.source.clone(),
                ..Endpoint::default()
            })),
            ..Registration::default()
        };
        if let Err(invalid) = registrations::validate_new(&registration) {
            let key = invalid.field.rsplit('.').next().unwrap_or_default();
            problem(key, "does not fit".into(), &invalid.problem);
        }
        if twice {
            problem("name", format!("{:?} is there twice", self.name), "give every endpoint a name of its own");
        }
        if self.secrets.is_empty() {
            problem("secrets", "is empty".into(), "give the secret that the platform signs with");
        }
        let Some(source) = sources::by_name(&self.source) else {
            let known: Vec<_> = sources::all().iter().map(|source| source.name()).collect();
            problem("source", format!("{:?} is not known", self.source), &format!("give one of {}", known.join(", ")));
            return problems;
        };
        for (at, secret) in self.secrets.iter().enumerate() {
            if let Err(wrong) = source.check_secret(secret.expose()) {
                problem(&format!("secrets[{at}]"), wrong.problem().into(), wrong.fix());
            }
        }
        if let Some(Err(wrong)) = self.verify_token.as_ref().map(|token| source.check_verify_token(token.expose())) {
            problem("verify_token", wrong.problem().into(), wrong.fix());
        }
        problems
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
