//! What a server shows, and whom it lets in.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::files::Pem;
use super::{Error, ServerTlsSettings, names, provider};

/// How often the files are looked at, if connections come. Some kilobytes of a local file system: no task of its own
/// is needed for it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A connection that speaks TLS.
pub type Tls = TlsStream<TcpStream>;

/// A server's side of TLS. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    inner: Arc<Inner>,
}

struct Inner {
    section: &'static str,
    settings: ServerTlsSettings,
    client_ca_file: Option<PathBuf>,
    protocol: &'static [u8],
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// Of the files that it was made of.
    digest: [u8; 32],
    looked: Instant,
    /// What the last look found wrong, told once.
    problem: Option<Error>,
}

struct Files {
    certificate: Pem,
    key: Pem,
    client_ca: Option<Pem>,
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("section", &self.inner.section).finish_non_exhaustive()
    }
}

impl ServerTls {
    /// For HTTP/1.1; none where the settings name no certificate. `section` is where they stand, as `streaming.tls`.
    ///
    /// # Errors
    /// A file that cannot be used; the message names the setting, the file and the fix.
    pub fn http(section: &'static str, settings: &ServerTlsSettings) -> Result<Option<ServerTls>, Error> {
        Self::open(section, settings, None, b"http/1.1")
    }

    /// For gRPC. With `client_ca_file` a client has to show a certificate of these roots.
    pub(crate) fn grpc(
        section: &'static str,
        settings: &ServerTlsSettings,
        client_ca_file: Option<PathBuf>,
    ) -> Result<Option<ServerTls>, Error> {
        Self::open(section, settings, client_ca_file, b"h2")
    }

    fn open(
        section: &'static str,
        settings: &ServerTlsSettings,
        client_ca_file: Option<PathBuf>,
        protocol: &'static [u8],
    ) -> Result<Option<ServerTls>, Error> {
        if !settings.is_on() {
            return Ok(None);
        }
        let files = Files::read(section, settings, client_ca_file.as_ref())?;
        let current =
            Current { config: files.config(protocol)?, digest: files.digest(), looked: Instant::now(), problem: None };
        let (settings, current) = (settings.clone(), Mutex::new(current));
        Ok(Some(ServerTls { inner: Arc::new(Inner { section, settings, client_ca_file, protocol, current }) }))
    }

    /// The handshake with a client, at most for `limit`.
    ///
    /// # Errors
    /// The client does not speak TLS, is too slow, or shows nothing that is accepted. Counted.
    pub async fn accept(&self, stream: TcpStream, limit: Duration) -> io::Result<Tls> {
        let acceptor = TlsAcceptor::from(self.config());
        let (reason, error) = match tokio::time::timeout(limit, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => ("refused", error),
            Err(_) => ("timeout", io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake timed out")),
        };
        metrics::counter!("weir_tls_handshakes_failed_total", "server" => self.inner.section, "reason" => reason)
            .increment(1);
        Err(error)
    }

    /// What the files say now. Those that cannot be used leave what was there before: a certificate that is replaced
    /// before its key must not close the door.
    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.inner.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() < LOOK_EVERY {
            return Arc::clone(&current.config);
        }
        current.looked = Instant::now();
        let Inner { section, settings, client_ca_file, protocol, .. } = &*self.inner;
        let looked = Files::read(section, settings, client_ca_file.as_ref()).and_then(|files| {
            let digest = files.digest();
            Ok(if digest == current.digest { None } else { Some((digest, files.config(protocol)?)) })
        });
        match looked {
            Ok(None) => current.problem = None,
            Ok(Some((digest, config))) => {
                tracing::info!(section, "the certificate files changed and were read again");
                (current.digest, current.config, current.problem) = (digest, config, None);
            }
            Err(error) if current.problem.as_ref() != Some(&error) => {
                tracing::error!(%error, "the certificate files changed and cannot be used, the old ones stay in use");
                metrics::counter!("weir_tls_reload_failures_total", "server" => *section).increment(1);
                current.problem = Some(error);
            }
            Err(_) => {}
        }
        Arc::clone(&current.config)
    }
}

/// Whether the files can be used, and go together.
pub(super) fn check(section: &str, settings: &ServerTlsSettings) -> Result<(), Error> {
    Files::read(section, settings, None)?.config(b"http/1.1").map(drop)
}

impl Files {
    fn read(section: &str, settings: &ServerTlsSettings, client_ca: Option<&PathBuf>) -> Result<Self, Error> {
        Ok(Self {
            certificate: Pem::read(section, "certificate_file", &settings.certificate_file)?,
            key: Pem::read(section, "key_file", &settings.key_file)?,
            client_ca: client_ca.map(|path| Pem::read(section, "client_ca_file", path)).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for file in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            digest.update(Sha256::digest(file.bytes()));
        }
        digest.finalize().into()
    }

    fn config(&self, protocol: &'static [u8]) -> Result<Arc<ServerConfig>, Error> {
        let unusable = |error: &dyn fmt::Display| self.certificate.error(&format!("cannot be used: {error}"));
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(file.roots()?), provider())
                    .build()
                    .map_err(|error| file.error(&format!("cannot be used: {error}")))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(self.certificate.certificates()?, self.key.key()?)
            .map_err(|error| self.key.error(&format!("does not match the certificate: {error}")))?;
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(Arc::new(config))
    }
}

/// The names of the client, as its certificate says; none: it showed no certificate.
pub(crate) fn client_names(stream: &Tls) -> Option<Vec<String>> {
    Some(names::of(stream.get_ref().1.peer_certificates()?.first()?))
}
