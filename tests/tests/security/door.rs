//! TLS of an HTTP server: the loop that serves the door and the admin server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use service::HttpLimits;
use service::http::{Unserved, Watch};
use service::tls::{ServerTls, ServerTlsSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use tokio_util::sync::CancellationToken;
use weir_tests::certificates::{Authority, Certificate};
use weir_tests::process::{Launch, program};
use weir_tests::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(20);
/// How often a server looks at its files, and some.
const LOOKED: Duration = Duration::from_millis(2300);
const HANDSHAKE: Duration = Duration::from_millis(700);

/// A client that trusts this root, and shows this certificate.
pub(crate) fn client(
    root: &Path,
    shows: Option<&Certificate>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
    Arc::new(match shows {
        None => builder.with_no_client_auth(),
        Some(Certificate { certificate, key, .. }) => {
            let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
        }
    })
}

pub(crate) async fn shake(config: Arc<ClientConfig>, at: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(at).await?;
    let name = "localhost".try_into().unwrap();
    tokio::time::timeout(PATIENCE, TlsConnector::from(config).connect(name, stream)).await.unwrap()
}

/// One request over TLS: the answer as it is sent.
pub(crate) async fn request(config: Arc<ClientConfig>, at: SocketAddr, request: &[u8]) -> std::io::Result<String> {
    let mut stream = shake(config, at).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap()?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

struct Server {
    address: SocketAddr,
    folder: Scratch,
    authority: Authority,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
    watch: Watch,
}

impl Server {
    async fn start(max_connections: usize) -> Self {
        let (folder, authority) = (Scratch::new("tls").unwrap(), Authority::new("door").unwrap());
        let settings = ServerTlsSettings {
            certificate_file: folder.path().join("tls.crt"),
            key_file: folder.path().join("tls.key"),
        };
        let mut server = Self {
            address: ([127, 0, 0, 1], 0).into(),
            folder,
            authority,
            shutdown: CancellationToken::new(),
            tasks: JoinSet::new(),
            watch: Watch::default(),
        };
        server.put(&server.issue());
        let tls = ServerTls::http("streaming.tls", &settings).unwrap();
        let limits = HttpLimits {
            header_timeout: HANDSHAKE,
            idle_timeout: PATIENCE,
            write_timeout: PATIENCE,
            max_connections,
            max_header_bytes: 16384,
            max_headers: 100,
            drain: Duration::from_secs(1),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        server.address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello\n"));
        let (watch, shutdown) = (server.watch.clone(), server.shutdown.clone());
        server.tasks.spawn(service::http::serve_watched(listener, tls, router, limits, watch, shutdown));
        server
    }

    fn issue(&self) -> Certificate {
        self.authority.issue("door", &["DNS:localhost"]).unwrap()
    }

    fn put(&self, certificate: &Certificate) {
        fs::copy(&certificate.key, self.folder.path().join("tls.key")).unwrap();
        fs::copy(&certificate.certificate, self.folder.path().join("tls.crt")).unwrap();
    }

    fn trusting(&self) -> Arc<ClientConfig> {
        client(&self.authority.root, None, &[&version::TLS12, &version::TLS13])
    }

    /// What it shows to whoever connects now.
    async fn shown(&self) -> Vec<u8> {
        let stream = shake(self.trusting(), self.address).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }
}

fn der(certificate: &Certificate) -> Vec<u8> {
    CertificateDer::from_pem_file(&certificate.certificate).unwrap().to_vec()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_spoken_and_nothing_else_is_answered() {
    let mut server = Server::start(10).await;
    for (version, expected) in
        [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let config = client(&server.authority.root, None, &[version]);
        let stream = shake(Arc::clone(&config), server.address).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
        drop(stream);
        let answer = request(config, server.address, GET).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello\n"), "{answer}");
    }
    // Whoever does not trust it goes away, and whoever speaks plain HTTP hears no HTTP.
    let stranger = Authority::new("stranger").unwrap();
    let config = client(&stranger.root, None, &[&version::TLS13]);
    assert!(shake(config, server.address).await.unwrap_err().to_string().contains("UnknownIssuer"));
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut proxied = TcpStream::connect(server.address).await.unwrap();
    proxied.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n").await.unwrap();
    let _ = tokio::time::timeout(PATIENCE, proxied.read_to_end(&mut answer)).await.unwrap();
    // Each is counted by what it looks like; who only connects, as a balancer's check does, is not.
    drop(TcpStream::connect(server.address).await.unwrap());
    let expected = Unserved::ALL
        .iter()
        .map(|why| u64::from(matches!(why, Unserved::Handshake | Unserved::PlainOnTlsPort | Unserved::ProxyHeader)));
    let expected: Vec<_> = expected.collect();
    let counted = async {
        while server.watch.totals().unserved[..] != expected {
            tokio::task::yield_now().await;
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    assert!(counted.is_ok(), "{:?}", server.watch.totals());
    server.shutdown.cancel();
    tokio::time::timeout(PATIENCE, server.tasks.join_next()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_has_a_limit_and_its_place_among_the_connections() {
    let is_closed = async |mut silent: TcpStream| {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await.is_ok()
    };
    let server = Server::start(10).await;
    let began = tokio::time::Instant::now();
    assert!(is_closed(TcpStream::connect(server.address).await.unwrap()).await, "still open, and there is a limit");
    assert!(began.elapsed() >= HANDSHAKE, "closed before its time was over, and nobody needed its place");

    // Who says nothing has a place, and gives way to somebody who does.
    let server = Server::start(1).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let answer = request(server.trusting(), server.address, GET).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(is_closed(silent).await, "still open, in the place of another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let server = Server::start(10).await;
    let first = server.shown().await;
    let next = server.issue();
    // The certificate comes before its key: until both are there the old ones hold on.
    fs::copy(&next.certificate, server.folder.path().join("tls.crt")).unwrap();
    tokio::time::sleep(LOOKED).await;
    assert_eq!(server.shown().await, first);
    fs::write(server.folder.path().join("tls.key"), "not a key").unwrap();
    tokio::time::sleep(LOOKED).await;
    assert_eq!(server.shown().await, first);
    fs::copy(&next.key, server.folder.path().join("tls.key")).unwrap();
    tokio::time::sleep(LOOKED).await;
    assert_eq!(server.shown().await, der(&next));
    assert_ne!(first, der(&next));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_server_speaks_it_too_and_a_process_asks_itself() {
    let authority = Authority::new("admin").unwrap();
    let own = authority.issue("weir-health-check", &["DNS:weir-health-check", "DNS:localhost"]).unwrap();
    let folder = Scratch::new("admin").unwrap();
    let watched = "[[health_check.services]]\nname = \"x\"\naddresses = [\"http://127.0.0.1:1\"]\nexpected = 1\n";
    let file = folder.path().join("weir.toml");
    fs::write(&file, watched).unwrap();
    let path = |path: &Path| path.display().to_string();
    let launch = Launch::new("weir-health-check").arg("--config").arg(path(&file));
    let launch = launch.env("WEIR__ADMIN__TLS__CERTIFICATE_FILE", path(&own.certificate));
    let process = launch.env("WEIR__ADMIN__TLS__KEY_FILE", path(&own.key)).start().unwrap();
    let (at, trusting) = (process.admin().parse().unwrap(), client(&authority.root, None, &[&version::TLS13]));
    let mut answer = String::new();
    let began = tokio::time::Instant::now();
    while !answer.starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < PATIENCE, "{answer}\n{}", process.logged().unwrap());
        let live = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        answer = request(Arc::clone(&trusting), at, live).await.unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let other = authority.issue("other", &["DNS:localhost"]).unwrap();
    let ask = |certificate: &Certificate| {
        let mut command = Command::new(program("weir-health-check").unwrap());
        command.args(["healthcheck", "--config"]).arg(&file).env("WEIR__ADMIN__LISTEN", process.admin());
        command.env("WEIR__ADMIN__TLS__CERTIFICATE_FILE", &certificate.certificate);
        command.env("WEIR__ADMIN__TLS__KEY_FILE", &certificate.key);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(ask(&own), (true, String::new()));
    let (is_well, said) = ask(&other);
    assert!(!is_well && said.contains("another certificate"), "{said}");
}

#[test]
fn files_that_cannot_be_used_are_told_with_the_setting_and_without_what_is_in_them() {
    let (folder, authority) = (Scratch::new("tls").unwrap(), Authority::new("door").unwrap());
    let (one, other) = (authority.issue("one", &[]).unwrap(), authority.issue("other", &[]).unwrap());
    let text = folder.path().join("text");
    fs::write(&text, "planted-text-that-is-no-pem").unwrap();
    let missing = folder.path().join("missing");
    for (certificate, key, setting) in [
        (&missing, &one.key, "streaming.tls.certificate_file"),
        (&one.certificate, &missing, "streaming.tls.key_file"),
        (&text, &one.key, "streaming.tls.certificate_file"),
        (&one.certificate, &text, "streaming.tls.key_file"),
        (&one.certificate, &other.key, "streaming.tls.key_file"),
        (&one.key, &one.certificate, "streaming.tls.certificate_file"),
    ] {
        let settings = ServerTlsSettings { certificate_file: certificate.clone(), key_file: key.clone() };
        let error = ServerTls::http("streaming.tls", &settings).unwrap_err().to_string();
        assert!(error.contains(&format!("setting {setting}")), "{error}");
        assert!(
            error.contains(&folder.path().display().to_string()) || error.contains(".pem") || error.contains(".key")
        );
        assert!(!error.contains("planted"), "{error}");
    }
    let off = ServerTlsSettings::default();
    assert!(ServerTls::http("streaming.tls", &off).unwrap().is_none());
}
