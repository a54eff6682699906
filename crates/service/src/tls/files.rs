//! PEM files, with errors that name the setting and the file. What is in a key file never enters an error.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;

/// A bundle of all public roots has some hundred kilobytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The bytes of a file, and the setting that names it.
pub(super) struct Pem {
    setting: String,
    path: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl Pem {
    pub(super) fn read(section: &str, key: &str, path: &Path) -> Result<Self, Error> {
        let (setting, path_text) = (format!("{section}.{key}"), path.display().to_string());
        let mut bytes = Zeroizing::new(Vec::new());
        let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        let pem = Self { setting, path: path_text, bytes };
        match read {
            Err(error) => Err(pem.error(&format!("cannot be read: {error}; name a file that this process may read"))),
            Ok(_) if pem.bytes.len() as u64 > MAX_BYTES => {
                Err(pem.error("is larger than 4 MiB; name a file with certificates or a key, as PEM"))
            }
            Ok(_) => Ok(pem),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn error(&self, problem: &str) -> Error {
        Error { setting: self.setting.clone(), problem: format!("the file {} {problem}", self.path) }
    }

    /// At least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => {
                Err(self
                    .error("holds no certificate, or a corrupt one; it must begin with -----BEGIN CERTIFICATE-----"))
            }
        }
    }

    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|_| {
            self.error("holds no private key; it must begin with -----BEGIN PRIVATE KEY-----, unencrypted")
        })
    }

    pub(super) fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots
                .add(certificate)
                .map_err(|error| self.error(&format!("holds a certificate that cannot be trusted: {error}")))?;
        }
        Ok(roots)
    }
}
