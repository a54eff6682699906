//! The sections that every service has.

use std::net::SocketAddr;
use std::path::PathBuf;

use common::kinds::listen_problem;
use http::Uri;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::{GrpcTlsSettings, Problem};
use crate::tls::{ClientTlsSettings, ServerTlsSettings};

/// The parts of the settings that every service has, each a section of its own: `[admin]`, `[grpc]`, `[telemetry]`,
/// `[shutdown]`.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// `[admin]`
    pub admin: AdminSettings,
    /// `[grpc]`
    pub grpc: GrpcSettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
    /// `[shutdown]`
    pub shutdown: ShutdownSettings,
}

/// `[admin]`: the HTTP server for operators.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AdminSettings {
    /// `host:port`.
    #[serde(serialize_with = "common::kinds::listen")]
    pub listen: String,
    /// The time for the head of a request, from its first byte.
    pub header_timeout_ms: u64,
    /// The time a connection may stay open between two requests.
    pub idle_timeout_ms: u64,
    /// The time a client may take nothing of an answer.
    pub write_timeout_ms: u64,
    /// Connections at one time.
    pub max_connections: usize,
    /// The size of the head of a request.
    pub max_header_bytes: usize,
    /// `[admin.tls]`
    pub tls: ServerTlsSettings,
}

/// `[grpc]`: the gRPC server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcSettings {
    /// `host:port`.
    #[serde(serialize_with = "common::kinds::listen")]
    pub listen: String,
    /// The largest message in either direction; for `max_decoding_message_size` of the services in `routes`.
    pub max_message_bytes: usize,
    /// Connections at one time.
    pub max_connections: usize,
    /// Calls at one time on one connection.
    pub max_concurrent_calls: u32,
    /// The time for one call.
    pub timeout_ms: u64,
    /// Between two pings on a quiet connection.
    pub keepalive_interval_ms: u64,
    /// For the answer to a ping.
    pub keepalive_timeout_ms: u64,
    /// The age at which a connection is asked to go.
    pub max_connection_age_ms: u64,
    /// `[grpc.tls]`
    pub tls: GrpcTlsSettings,
    /// `[grpc.client]`: for calls to others.
    pub client: ClientTlsSettings,
}

impl GrpcSettings {
    /// The URL at which gRPC is answered that listens here, for whoever is on this machine. With TLS the certificate has to
    /// be that of the host in it.
    #[must_use]
    pub fn url(&self, listen: &str) -> String {
        if !self.tls.server().is_on() {
            return format!("http://{listen}");
        }
        let here = listen.parse::<SocketAddr>().ok().filter(|at| at.ip().is_loopback() || at.ip().is_unspecified());
        here.map_or_else(|| format!("https://{listen}"), |at| format!("https://localhost:{}", at.port()))
    }
}

/// `[telemetry]`: logs and traces.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// Which log lines are written.
    pub log: String,
    /// How they are written.
    pub log_format: LogFormat,
    /// Where traces go by OTLP over gRPC; none: nowhere.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::url")]
    pub otlp_endpoint: Option<String>,
    /// The share of the traces that begin here which is kept.
    pub sample_ratio: f64,
    /// How long finished spans may wait.
    pub export_interval_ms: u64,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object for each line.
    Json,
    /// For a terminal.
    Text,
}

/// `[shutdown]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownSettings {
    /// From the first signal to the hard end.
    pub deadline_ms: u64,
}

/// `[secrets]`: for services that store secrets or read stored ones.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsSettings {
    /// The key that seals them; see [`crate::seal`].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::sealing_key_file")]
    pub key_file: Option<PathBuf>,
}

impl HostSettings {
    /// What is wrong with them.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(check_listen("admin.listen", &self.admin.listen));
        problems.extend(check_listen("grpc.listen", &self.grpc.listen));
        if self.admin.listen == self.grpc.listen && !self.admin.listen.ends_with(":0") {
            problems.push(Problem::new(
                "grpc.listen",
                format!("{} is admin.listen too", self.grpc.listen),
                "give each its own port",
            ));
        }
        let at_least_one = [
            ("admin.header_timeout_ms", self.admin.header_timeout_ms),
            ("admin.idle_timeout_ms", self.admin.idle_timeout_ms),
            ("admin.write_timeout_ms", self.admin.write_timeout_ms),
            ("admin.max_connections", self.admin.max_connections as u64),
            ("grpc.max_connections", self.grpc.max_connections as u64),
            ("grpc.max_concurrent_calls", self.grpc.max_concurrent_calls.into()),
            ("grpc.timeout_ms", self.grpc.timeout_ms),
            ("grpc.keepalive_interval_ms", self.grpc.keepalive_interval_ms),
            ("grpc.keepalive_timeout_ms", self.grpc.keepalive_timeout_ms),
            ("grpc.max_connection_age_ms", self.grpc.max_connection_age_ms),
            ("telemetry.export_interval_ms", self.telemetry.export_interval_ms),
            ("shutdown.deadline_ms", self.shutdown.deadline_ms),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                problems.push(Problem::new(key, "0 would let nothing through", "give 1 or more"));
            }
        }
        for (key, value) in [
            ("admin.max_header_bytes", self.admin.max_header_bytes),
            ("grpc.max_message_bytes", self.grpc.max_message_bytes),
        ] {
            if value < 1024 {
                problems.push(Problem::new(key, format!("{value} is too small to work with"), "give 1024 or more"));
            }
        }
        problems.extend(self.admin.tls.validate("admin.tls"));
        problems.extend(self.grpc.tls.validate());
        problems.extend(self.grpc.client.validate("grpc.client"));
        self.telemetry.validate(&mut problems);
        problems
    }
}

impl TelemetrySettings {
    fn validate(&self, problems: &mut Vec<Problem>) {
        if let Err(error) = EnvFilter::try_new(&self.log) {
            problems.push(Problem::new(
                "telemetry.log",
                format!("{:?} is no filter for log lines: {error}", self.log),
                "write a level, or levels for parts: \"info,bus=debug\"",
            ));
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            problems.push(Problem::new(
                "telemetry.sample_ratio",
                format!("{} is not a share", self.sample_ratio),
                "give a number from 0.0 (none) to 1.0 (all)",
            ));
        }
        let Some(endpoint) = &self.otlp_endpoint else { return };
        let is_plain =
            endpoint.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
        if !is_plain {
            problems.push(Problem::new(
                "telemetry.otlp_endpoint",
                format!("{endpoint:?} is not the address of a collector"),
                "write http://host:4317; for TLS run a collector beside the service",
            ));
        }
    }
}

/// Whether `value` can be listened on; for the settings of other listeners too.
#[must_use]
pub fn check_listen(key: &str, value: &str) -> Option<Problem> {
    let (problem, fix) = listen_problem(value)?;
    Some(Problem::new(key, problem, fix))
}
