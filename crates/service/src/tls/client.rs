//! Connections to servers, with TLS. What goes on them is in `layers/grpc_client.rs` and `layers/http_client.rs`.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::files::Pem;
use super::{ClientTlsSettings, Error, provider};
use crate::outbound::{Reach, resolve};

/// Connects to gRPC and to HTTP: in the clear where the URL says `http`, with TLS where it says `https`. The files of the settings
/// are read for each connection, so that new ones are used as soon as one is made. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dial {
    section: &'static str,
    settings: Arc<ClientTlsSettings>,
    /// What is spoken within TLS, as its peers call it.
    protocol: &'static str,
}

impl Dial {
    /// `section` is where the settings stand, as `grpc.client`.
    #[must_use]
    pub fn new(section: &'static str, settings: &ClientTlsSettings) -> Dial {
        Dial { section, settings: Arc::new(settings.clone()), protocol: "h2" }
    }

    /// Whether the files can be used, where one is named.
    ///
    /// # Errors
    /// A file that cannot; the message names the setting, the file and the fix.
    pub fn check(&self) -> Result<(), Error> {
        let ClientTlsSettings { ca_file, certificate_file, .. } = &*self.settings;
        let is_set = |path: &std::path::Path| !path.as_os_str().is_empty();
        if is_set(ca_file) || is_set(certificate_file) { self.config().map(drop) } else { Ok(()) }
    }

    /// Makes the connections to a server; none where they are in the clear, which needs nothing of here.
    pub(crate) fn connector(&self, to: &Uri) -> Option<Connector> {
        is_https(to).then(|| Connector { dial: Some(self.clone()), at: None })
    }

    /// As [`connector`](Self::connector), to this address, whatever the host's name stands for.
    pub(crate) fn connector_at(&self, to: &Uri, at: SocketAddr) -> Connector {
        Connector { dial: is_https(to).then(|| self.clone()), at: Some(at) }
    }

    /// A connection for HTTP/1. What the name stands for is looked up once, and judged before anybody connects: it may
    /// stand for another address the next time.
    pub(crate) async fn connect_http1(&self, to: &Uri, reach: &Reach) -> io::Result<TokioIo<Stream>> {
        let dial = is_https(to).then(|| Dial { protocol: "http/1.1", ..self.clone() });
        let host = to.host().unwrap_or_default();
        let found = resolve(host, port(to), reach).await?;
        Connector { dial, at: None }.connect_to(host, &found).await
    }

    fn config(&self) -> Result<ClientConfig, Error> {
        let ClientTlsSettings { ca_file, certificate_file, key_file } = &*self.settings;
        let roots = if ca_file.as_os_str().is_empty() {
            self.system_roots()?
        } else {
            Pem::read(self.section, "ca_file", ca_file)?.roots()?
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| self.error("ca_file", error.to_string()))?
            .with_root_certificates(roots);
        let mut config = if certificate_file.as_os_str().is_empty() {
            builder.with_no_client_auth()
        } else {
            let certificate = Pem::read(self.section, "certificate_file", certificate_file)?;
            let key = Pem::read(self.section, "key_file", key_file)?;
            builder
                .with_client_auth_cert(certificate.certificates()?, key.key()?)
                .map_err(|error| key.error(&format!("does not match the certificate: {error}")))?
        };
        config.alpn_protocols = vec![self.protocol.as_bytes().to_vec()];
        Ok(config)
    }

    fn system_roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            let problem =
                "this system has no certificates of public authorities; install ca-certificates, or name a file";
            return Err(self.error("ca_file", problem.to_owned()));
        }
        Ok(roots)
    }

    fn error(&self, key: &str, problem: String) -> Error {
        Error { setting: format!("{}.{key}", self.section), problem }
    }

    async fn handshake(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        // An IPv6 address stands in brackets.
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("{host:?} is not a valid host name")))?;
        let dial = self.clone();
        // The roots of the system are many files, or a large one.
        let config = tokio::task::spawn_blocking(move || dial.config()).await.map_err(io::Error::other)?;
        let config = config.map_err(io::Error::other)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
            let section = self.section;
            io::Error::new(error.kind(), format!("TLS with {host} failed: {error} (settings {section})"))
        })
    }
}

fn is_https(to: &Uri) -> bool {
    to.scheme_str() == Some("https")
}

fn port(to: &Uri) -> u16 {
    to.port_u16().unwrap_or(if is_https(to) { 443 } else { 80 })
}

/// Makes one connection after the other for a channel.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    /// None: in the clear.
    dial: Option<Dial>,
    at: Option<SocketAddr>,
}

pub(crate) type Stream = tokio_util::either::Either<TcpStream, Box<TlsStream<TcpStream>>>;

impl Connector {
    async fn connect(self, uri: Uri) -> io::Result<TokioIo<Stream>> {
        let host = uri.host().unwrap_or_default();
        match self.at {
            Some(at) => self.connect_to(host, &[at]).await,
            None => {
                let found = resolve(host, port(&uri), &Reach::Everywhere).await?;
                self.connect_to(host, &found).await
            }
        }
    }

    /// To the first of these addresses that takes it; `host` is whom TLS expects there.
    async fn connect_to(self, host: &str, found: &[SocketAddr]) -> io::Result<TokioIo<Stream>> {
        use tokio_util::either::Either;
        let stream = TcpStream::connect(found).await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(match self.dial {
            None => Either::Left(stream),
            Some(dial) => Either::Right(Box::new(dial.handshake(host, stream).await?)),
        }))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
