//! The sections that every service has.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::net::SocketAddr;
use std::path::PathBuf;

use common::kinds::listen_problem;
use common::units::{Bytes, Count, MAX, Millis, Share};
use http::Uri;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use tracing_subscriber::EnvFilter;

use super::{GrpcTlsSettings, Problem};
use crate::tls::{ClientTlsSettings, ServerTlsSettings};

/// The parts of the settings that the host of a service reads, each a section of its own: `[admin]`, `[grpc]`,
/// `[telemetry]`, `[shutdown]`.
#[derive(Clone, Debug)]
pub struct HostSettings {
    pub admin: AdminSettings,
    pub grpc: GrpcSettings,
    pub telemetry: TelemetrySettings,
    pub shutdown: ShutdownSettings,
}

/// `[admin]`: the HTTP server for operators.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AdminSettings {
    #[serde(serialize_with = "common::kinds::listen")]
    pub listen: String,
    #[serde(with = "Millis::<1, MAX>")]
    pub header_timeout_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub idle_timeout_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub write_timeout_ms: u64,
    #[serde(with = "Count::<1, MAX>")]
    pub max_connections: usize,
    #[serde(with = "Bytes::<1024, MAX>")]
    pub max_header_bytes: usize,
    pub tls: ServerTlsSettings,
}

/// `[grpc]`: the gRPC server, and calls to others.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcSettings {
    #[serde(serialize_with = "common::kinds::listen")]
    pub listen: String,
    /// For `max_decoding_message_size` of the services in `routes`, too.
    #[serde(with = "Bytes::<1024, MAX>")]
    pub max_message_bytes: usize,
    #[serde(with = "Count::<1, MAX>")]
    pub max_connections: usize,
    #[serde(with = "Count::<1, MAX>")]
    pub max_concurrent_calls: u32,
    #[serde(with = "Millis::<1, MAX>")]
    pub timeout_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub keepalive_interval_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub keepalive_timeout_ms: u64,
    #[serde(with = "Millis::<1, MAX>")]
    pub max_connection_age_ms: u64,
    pub tls: GrpcTlsSettings,
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
    pub log: String,
    pub log_format: LogFormat,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::url")]
    pub otlp_endpoint: Option<String>,
    #[serde(with = "Share::<0, 1000>")]
    pub sample_ratio: f64,
    #[serde(with = "Millis::<1, MAX>")]
    pub export_interval_ms: u64,
    #[serde(with = "Count::<0, 10_000>")]
    pub endpoint_series: usize,
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
    #[serde(with = "Millis::<1, MAX>")]
    pub deadline_ms: u64,
}

/// `[secrets]`: for services that store secrets or read stored ones.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsSettings {
    /// See [`crate::seal`].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::sealing_key_file")]
    pub key_file: Option<PathBuf>,
}

/// `[data]`: the folder that the defaults of other settings are in, see [`load`](super::load).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    #[serde(deserialize_with = "folder", serialize_with = "common::kinds::folder")]
    pub dir: PathBuf,
}

/// With an empty one `{data.dir}/lake` would be at the root of the file system.
fn folder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let folder = PathBuf::deserialize(deserializer)?;
    if folder.as_os_str().is_empty() { Err(D::Error::custom("it is empty; name a folder")) } else { Ok(folder) }
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
                format!("{} is the same as admin.listen", self.grpc.listen),
                "give each its own port",
            ));
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
                format!("{:?} is not a valid log filter: {error}", self.log),
                "write a level, or levels for parts: \"info,bus=debug\"",
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
