//! `[grpc.tls]`: the certificate of the gRPC server, whom it lets in, and what they may call.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Problem;
use crate::tls::{self, ServerTlsSettings};

/// Stands for every certificate that is let in.
pub(crate) const ANYBODY: &str = "*";

/// `[grpc.tls]`. Paths are empty where nothing is set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcTlsSettings {
    /// The server's certificate and those between it and the root, as PEM.
    #[serde(serialize_with = "common::kinds::certificate_file")]
    pub certificate_file: PathBuf,
    /// The key of the certificate, as PEM.
    #[serde(serialize_with = "common::kinds::key_file")]
    pub key_file: PathBuf,
    /// The roots of the certificates that clients have to show, as PEM; empty: they need none.
    #[serde(serialize_with = "common::kinds::ca_file")]
    pub client_ca_file: PathBuf,
    /// Who may call what; empty: everybody who is let in may call everything.
    pub allow: Vec<AllowSettings>,
}

/// `[[grpc.tls.allow]]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AllowSettings {
    /// What is called: a package, a service, or a method.
    pub call: String,
    /// DNS names of the certificates that may; `*`: all that are let in.
    pub names: Vec<String>,
}

impl GrpcTlsSettings {
    /// The part that every server has.
    #[must_use]
    pub fn server(&self) -> ServerTlsSettings {
        ServerTlsSettings { certificate_file: self.certificate_file.clone(), key_file: self.key_file.clone() }
    }

    /// Whether clients have to show a certificate.
    pub(crate) fn client_ca(&self) -> Option<PathBuf> {
        (!self.client_ca_file.as_os_str().is_empty()).then(|| self.client_ca_file.clone())
    }

    pub(super) fn validate(&self) -> Vec<Problem> {
        let mut problems: Vec<_> = tls::pair("grpc.tls", &self.certificate_file, &self.key_file).into_iter().collect();
        let mut lacks = |key: &str, needs: &str| {
            problems.push(Problem::new(
                format!("grpc.tls.{needs}"),
                format!("is empty, but grpc.tls.{key} is set: clients cannot be told apart"),
                format!("set grpc.tls.{needs} too"),
            ));
        };
        if self.client_ca().is_some() && !self.server().is_on() {
            lacks("client_ca_file", "certificate_file");
        }
        if !self.allow.is_empty() && self.client_ca().is_none() {
            lacks("allow", "client_ca_file");
        }
        for (index, AllowSettings { call: what, names }) in self.allow.iter().enumerate() {
            let key = |key: &str| format!("grpc.tls.allow[{index}].{key}");
            let fits = |c: char| c.is_ascii_alphanumeric() || "._/".contains(c);
            if what.is_empty() || what.starts_with('/') || !what.chars().all(fits) {
                let problem = format!("{what:?} is not the name of a package, a service or a method");
                let fix = "write for example weir.registration.v1, or \
                           weir.registration.v1.RegistrationService/List";
                problems.push(Problem::new(key("call"), problem, fix));
            }
            if self.allow[..index].iter().any(|other| other.call == *what) {
                let fix = "list all names that may call it in one entry";
                problems.push(Problem::new(key("call"), format!("{what:?} is a duplicate"), fix));
            }
            if names.is_empty() || names.iter().any(String::is_empty) {
                let fix = "list the DNS names of certificates, or \"*\" for every certificate that the server accepts";
                problems.push(Problem::new(key("names"), "is empty, or has an empty name", fix));
            }
        }
        problems
    }
}

#[cfg(test)]
#[path = "grpc_tls_tests.rs"]
mod tests;
