//! The settings. What each means, and the value it has by default, stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::collections::HashSet;
use std::time::Duration;

use common::kinds::{Problem, Problems};
use common::registration::v1::{Endpoint, Registration, registration::Kind};
use common::registrations;
use common::units::{Bytes, Count, MAX, Millis, Seconds, Unit};
use serde::{Deserialize, Serialize};
use service::tls::ServerTlsSettings;
use service::{HttpLimits, Secret, ShutdownSettings};

/// The default settings of this service alone, as commented TOML.
pub const STREAMING_DEFAULTS: &str = include_str!("../settings.default.toml");

/// The default settings of all sections.
pub const DEFAULTS: &[&str] = &[service::DEFAULTS, bus::DEFAULTS, STREAMING_DEFAULTS];

/// What a record needs beside the body: envelope, kept headers, key.
const ENVELOPE: usize = 1024 * 1024;

service::settings! {
    /// All settings of the service.
    pub struct Settings { bus: bus::Settings, streaming: StreamingSettings }
}

impl Settings {
    fn problems(&self) -> Vec<Problem> {
        [self.bus.validate(), self.streaming.validate(&self.bus, &self.shutdown)].concat()
    }
}

/// `[streaming]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamingSettings {
    #[serde(serialize_with = "common::kinds::listen")]
    pub listen: String,
    #[serde(with = "Count::<1, MAX>")]
    pub max_connections: usize,
    #[serde(with = "Millis::<1, MAX>")]
    pub header_timeout_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub idle_timeout_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub write_timeout_ms: u64,
    #[serde(with = "Bytes::<8192, MAX>")]
    pub max_header_bytes: usize,
    #[serde(with = "Count::<16, MAX>")]
    pub max_headers: usize,
    #[serde(with = "Millis::<1, MAX>")]
    pub body_timeout_ms: u64,
    #[serde(with = "Bytes::<1024, MAX>")]
    pub max_body_bytes: usize,
    #[serde(with = "Bytes::<1024, MAX>")]
    pub max_buffered_bytes: usize,
    #[serde(with = "Count::<1, MAX>")]
    pub max_in_flight: usize,
    #[serde(with = "Seconds::<1, MAX>")]
    pub retry_after_s: u32,
    pub trust_traceparent: bool,
    #[serde(with = "Millis::<1, 1000>")]
    pub catch_up_timeout_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub catch_up_pause_ms: u64,
    #[serde(with = "Millis::<100, MAX>")]
    pub check_interval_ms: u64,
    #[serde(with = "Millis::<0, 3_600_000>")]
    pub canary_interval_ms: u64,
    #[serde(with = "Millis::<0, MAX>")]
    pub stop_delay_ms: u64,
    pub endpoints: Vec<EndpointSettings>,
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
    #[serde(with = "Count::<0, MAX>", default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<u32>,
}

impl StreamingSettings {
    /// What is wrong, although every value has the right type and range.
    #[must_use]
    pub fn validate(&self, bus: &bus::Settings, shutdown: &ShutdownSettings) -> Vec<Problem> {
        let mut problems = Problems::of("streaming");
        let (size, time) = (|bytes: usize| Unit::Bytes.show(bytes as u64), |ms| Unit::Milliseconds.show(ms));
        let largest = bus.producer.max_record_bytes;
        problems.check(
            self.max_body_bytes.saturating_add(ENVELOPE) <= largest,
            "max_body_bytes",
            format!("is {}, too large for a record", size(self.max_body_bytes)),
            format!("give at most bus.producer.max_record_bytes ({}) less {}", size(largest), size(ENVELOPE)),
        );
        problems.check(
            self.max_buffered_bytes >= self.max_body_bytes,
            "max_buffered_bytes",
            format!("is {}, less than one body", size(self.max_buffered_bytes)),
            "give at least streaming.max_body_bytes",
        );
        problems.check(
            self.stop_delay_ms < shutdown.deadline_ms,
            "stop_delay_ms",
            format!(
                "is {}, which leaves no time of shutdown.deadline_ms for requests in flight",
                time(self.stop_delay_ms)
            ),
            format!("give less than shutdown.deadline_ms ({})", time(shutdown.deadline_ms)),
        );
        let mut names = HashSet::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            endpoint.validate(index, !names.insert(endpoint.name.as_str()), &mut problems);
        }
        let mut problems = problems.into_vec();
        problems.extend(service::settings::check_listen("streaming.listen", &self.listen));
        problems.extend(self.tls.validate("streaming.tls"));
        problems
    }

    /// What the accept loop allows; `drain` is what requests under way have to end in.
    #[must_use]
    pub fn http_limits(&self, drain: Duration) -> HttpLimits {
        HttpLimits {
            header_timeout: Duration::from_millis(self.header_timeout_ms),
            idle_timeout: Duration::from_millis(self.idle_timeout_ms),
            write_timeout: Duration::from_millis(self.write_timeout_ms),
            max_connections: self.max_connections,
            max_header_bytes: self.max_header_bytes,
            max_headers: self.max_headers,
            drain,
        }
    }

    /// Between two rounds of canaries; none: there are none.
    pub(crate) fn canary_interval(&self) -> Option<Duration> {
        (self.canary_interval_ms > 0).then(|| Duration::from_millis(self.canary_interval_ms))
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }
}

impl EndpointSettings {
    fn validate(&self, index: usize, twice: bool, problems: &mut Problems) {
        let mut problem = |key: &str, problem: String, fix: &str| {
            problems.check(false, &format!("endpoints[{index}].{key}"), problem, fix);
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
            problem(key, "is invalid".into(), &invalid.problem);
        }
        if twice {
            problem("name", format!("{:?} is a duplicate", self.name), "give every endpoint a name of its own");
        }
        if self.secrets.is_empty() {
            problem("secrets", "is empty".into(), "give the secret that the platform signs with");
        }
        let Some(source) = sources::by_name(&self.source) else {
            let known: Vec<_> = sources::all().iter().map(|source| source.name()).collect();
            problem("source", format!("{:?} is not known", self.source), &format!("give one of {}", known.join(", ")));
            return;
        };
        for (at, secret) in self.secrets.iter().enumerate() {
            if let Err(wrong) = source.check_secret(secret.expose()) {
                problem(&format!("secrets[{at}]"), wrong.problem().into(), wrong.fix());
            }
        }
        if let Some(Err(wrong)) = self.verify_token.as_ref().map(|token| source.check_verify_token(token.expose())) {
            problem("verify_token", wrong.problem().into(), wrong.fix());
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
