//! `[[health_check.probes]]`: name, class, and what is asked.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

mod logs;

use std::path::PathBuf;

use common::health::v1::Action;
use common::kinds::Problems;
use common::units::{Count, DAY, Millis};
use serde::{Deserialize, Serialize};
use service::Uri;

pub use logs::{LogSettings, LokiSettings, PodLogSettings};

use super::pattern::Pattern;
use crate::problems::OWN;
use crate::stage::PROBES;

/// One of `[[health_check.probes]]`. What it asks is one table of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSettings {
    /// That of its check.
    pub name: String,
    /// What somebody has to do when it fails.
    #[serde(default)]
    pub action: Class,
    /// Between two looks.
    #[serde(with = "Millis::<100, DAY>", default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// For one answer.
    #[serde(with = "Millis::<10, 600_000>", default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// A server that takes connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpSettings>,
    /// A page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSettings>,
    /// A service with `grpc.health.v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcSettings>,
    /// A plugin of Nagios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nagios: Option<NagiosSettings>,
    /// The log of a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSettings>,
}

/// `[health_check.probing]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbingSettings {
    #[serde(with = "Millis::<100, DAY>")]
    pub interval_ms: u64,
    #[serde(with = "Millis::<10, 600_000>")]
    pub timeout_ms: u64,
    #[serde(with = "Millis::<1000, DAY>")]
    pub within_ms: u64,
}

/// What somebody has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// At once.
    Page,
    /// In working hours.
    #[default]
    Ticket,
    /// Nothing.
    Log,
}

impl From<Class> for Action {
    fn from(class: Class) -> Self {
        match class {
            Class::Page => Action::Page,
            Class::Ticket => Action::Ticket,
            Class::Log => Action::Log,
        }
    }
}

/// `tcp`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpSettings {
    /// `host:port`
    #[serde(serialize_with = "common::kinds::broker")]
    pub address: String,
    /// What is sent once it is connected.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub send: String,
    /// What has to be in the answer; none: nothing is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must: Option<Pattern>,
}

/// `http`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// What is got.
    #[serde(serialize_with = "common::kinds::url")]
    pub url: String,
    /// The status that is right; none: any of 200 to 299.
    #[serde(with = "Count::<100, 599>", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    /// What has to be in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must: Option<Pattern>,
    /// Whom `https` trusts; none: the public authorities that the system knows.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::ca_file")]
    pub ca_file: Option<PathBuf>,
}

/// `grpc`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcSettings {
    /// Where it is.
    #[serde(serialize_with = "common::kinds::url")]
    pub url: String,
    /// The name that is asked for; empty: all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
}

/// `nagios`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NagiosSettings {
    /// The program and its arguments; no shell reads them.
    pub command: Vec<String>,
}

/// What a probe asks.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Tcp(TcpSettings),
    Http(HttpSettings),
    Grpc(GrpcSettings),
    Nagios(NagiosSettings),
    Log(Box<LogSettings>),
}

impl ProbeSettings {
    fn all(&self) -> impl Iterator<Item = What> {
        let [tcp, http] = [self.tcp.clone().map(What::Tcp), self.http.clone().map(What::Http)];
        let [grpc, nagios] = [self.grpc.clone().map(What::Grpc), self.nagios.clone().map(What::Nagios)];
        let log = self.log.clone().map(|log| What::Log(Box::new(log)));
        [tcp, http, grpc, nagios, log].into_iter().flatten()
    }

    /// What it asks; none where that is not one thing, which [`validate`] tells.
    pub(crate) fn what(&self) -> Option<What> {
        let mut all = self.all();
        all.next().filter(|_| all.next().is_none())
    }
}

/// The stages of Weir, which `--check` takes for what they are, and what else its own checks are called.
const OWN_NAMES: [&str; 6] = ["streaming", "processing", "enricher", "loader", PROBES, "certificates"];
/// What names of its own checks begin with.
const OWN_BEGINNINGS: [&str; 8] =
    ["streaming_", "processing_", "enricher_", "loader_", "registrations_", "embedded_", "health_check_", "alerts_"];

/// Whether something of Weir itself is called so, or may be in another version.
fn is_own(name: &str) -> bool {
    OWN_NAMES.contains(&name) || OWN.contains(&name) || OWN_BEGINNINGS.iter().any(|begins| name.starts_with(begins))
}

/// What is wrong with them, beside services of these names.
pub(crate) fn validate(probes: &[ProbeSettings], services: &[&str], problems: &mut Problems) {
    for (n, probe) in probes.iter().enumerate() {
        let mut check = |ok, key: &str, problem: String, fix: &str| {
            problems.check(ok, &format!("probes[{n}].{key}"), problem, fix);
        };
        let name = &probe.name;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        let is_name = (1..=64).contains(&name.len()) && name.chars().all(fits);
        check(is_name, "name", format!("{name:?} is not a valid name"), "use 1 to 64 of a-z, 0-9, dash and underscore");
        let is_new = !probes.iter().take(n).any(|other| other.name == *name);
        check(is_new, "name", format!("{name:?} is already the name of another probe"), "give each probe its own name");
        let is_free = !is_own(name) && !services.contains(&name.as_str());
        let problem = format!("{name:?} is the name of a stage or of a check of Weir itself, or begins as those do");
        check(is_free, "name", problem, "call it after the program that it asks, as \"shop\" or \"shop_log\"");
        let asked = probe.all().count();
        let fix = "set one of tcp, http, grpc, nagios and log; for more, write more probes";
        check(asked == 1, "name", format!("{name:?} asks {asked} things"), fix);
        let http = probe.http.iter().map(|http| ("http.url", &http.url));
        let grpc = probe.grpc.iter().map(|grpc| ("grpc.url", &grpc.url));
        for (key, url) in http.chain(grpc).chain(probe.log.iter().flat_map(LogSettings::urls)) {
            let known = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
            let is_url = url.parse::<Uri>().is_ok_and(known);
            check(is_url, key, "is not a URL with http:// or https://".to_owned(), "write http://host:port/path");
        }
        if let Some(log) = &probe.log {
            log.validate(&mut check);
        }
        let has_program =
            probe.nagios.as_ref().is_none_or(|plugin| plugin.command.first().is_some_and(|p| !p.is_empty()));
        let fix = "name the program and its arguments, as [\"/usr/lib/nagios/plugins/check_tcp\", \"-p\", \"25\"]";
        check(has_program, "nagios.command", "is empty".to_owned(), fix);
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
