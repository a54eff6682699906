//! TLS 1.2 and 1.3, for what listens and for what connects, by PEM files.
//!
//! * [`ServerTls`]: what a server shows, and whom it lets in; its files are read again when they change
//! * [`Dial`]: connections to gRPC, with TLS where the URL says `https`; its files are read for each connection
//! * [`names`]: who the other side is, as its certificate says
//!
//! One library with one provider of its cryptography, named wherever a configuration is made: other crates of a process
//! may bring another one, and then no default can be told.

mod client;
pub(crate) mod expiry;
mod files;
pub mod names;
mod pinned;
mod refused;
mod server;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

use crate::Problem;

pub use client::Dial;
pub(crate) use pinned::own;
pub use refused::refused_certificate;
pub(crate) use server::client_names;
pub use server::{ServerTls, Tls};

/// What is wrong with a file that a setting names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (setting {setting})")]
pub struct Error {
    /// The setting, as `grpc.tls.key_file`.
    pub setting: String,
    /// What is wrong, with the file, and what to do.
    pub problem: String,
}

/// What a server shows: `[streaming.tls]`, `[admin.tls]`. Paths are empty where nothing is set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTlsSettings {
    /// The server's certificate and those between it and the root, as PEM.
    #[serde(serialize_with = "common::kinds::certificate_file")]
    pub certificate_file: PathBuf,
    /// The key of the certificate, as PEM.
    #[serde(serialize_with = "common::kinds::key_file")]
    pub key_file: PathBuf,
}

/// What a client trusts and shows: `[grpc.client]`. Paths are empty where nothing is set.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTlsSettings {
    /// The roots that a server's certificate is checked against, as PEM; empty: those of the system.
    #[serde(serialize_with = "common::kinds::ca_file")]
    pub ca_file: PathBuf,
    /// The client's certificate, as PEM; empty: it shows none.
    #[serde(serialize_with = "common::kinds::certificate_file")]
    pub certificate_file: PathBuf,
    /// The key of the certificate, as PEM.
    #[serde(serialize_with = "common::kinds::key_file")]
    pub key_file: PathBuf,
}

impl ServerTlsSettings {
    /// Whether the server speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.certificate_file.as_os_str().is_empty()
    }

    /// What is wrong; `section` is where they stand, as `streaming.tls`.
    #[must_use]
    pub fn validate(&self, section: &str) -> Option<Problem> {
        pair(section, &self.certificate_file, &self.key_file)
    }
}

impl ClientTlsSettings {
    /// What is wrong; `section` is where they stand.
    #[must_use]
    pub fn validate(&self, section: &str) -> Option<Problem> {
        pair(section, &self.certificate_file, &self.key_file)
    }
}

/// A certificate without its key is of no use, nor the other way round.
pub(crate) fn pair(section: &str, certificate: &std::path::Path, key: &std::path::Path) -> Option<Problem> {
    let (lacks, has) = match (certificate.as_os_str().is_empty(), key.as_os_str().is_empty()) {
        (true, false) => ("certificate_file", "key_file"),
        (false, true) => ("key_file", "certificate_file"),
        _ => return None,
    };
    Some(Problem::new(
        format!("{section}.{lacks}"),
        format!("is empty, but {section}.{has} is set"),
        "set both, or neither",
    ))
}

/// Whether a certificate and its key can be used, and go together.
pub(crate) fn check_pair(section: &str, settings: &ServerTlsSettings) -> Result<(), Error> {
    server::check(section, settings)
}

/// Whether a file has roots that can be trusted.
pub(crate) fn check_roots(section: &str, key: &str, path: &std::path::Path) -> Result<(), Error> {
    files::Pem::read(section, key, path)?.roots().map(drop)
}

/// Whether a file has certificates.
pub(crate) fn check_certificates(section: &str, key: &str, path: &std::path::Path) -> Result<(), Error> {
    files::Pem::read(section, key, path)?.certificates().map(drop)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
