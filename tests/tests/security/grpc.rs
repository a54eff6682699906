//! mTLS of the gRPC server: who is let in, and what each may call.

use std::time::Duration;

use common::health::v1::GetDigestRequest;
use common::health::v1::health_service_client::HealthServiceClient;
use common::registration::v1::ListRequest;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use service::tls::{ClientTlsSettings, Dial};
use service::{AllowSettings, CallLimits, Channel, GrpcTlsSettings, Host, HostSettings, Settings as _};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::Code;
use weir_tests::certificates::{Authority, Certificate};

use crate::world;

const PATIENCE: Duration = Duration::from_secs(20);

fn host_settings(authority: &Authority, server: &Certificate, allow: &[(&str, &[&str])]) -> HostSettings {
    let mut settings = world::settings([]).host();
    settings.admin.listen = "127.0.0.1:0".to_owned();
    settings.grpc.listen = "127.0.0.1:0".to_owned();
    settings.grpc.keepalive_timeout_ms = 500;
    settings.grpc.tls = GrpcTlsSettings {
        certificate_file: server.certificate.clone(),
        key_file: server.key.clone(),
        client_ca_file: authority.root.clone(),
        allow: allow
            .iter()
            .map(|(call, names)| AllowSettings {
                call: (*call).to_owned(),
                names: names.iter().map(|name| (*name).to_owned()).collect(),
            })
            .collect(),
    };
    settings
}

fn dial(authority: &Authority, shows: Option<&Certificate>) -> Dial {
    let mut settings = ClientTlsSettings { ca_file: authority.root.clone(), ..ClientTlsSettings::default() };
    if let Some(certificate) = shows {
        settings.certificate_file = certificate.certificate.clone();
        settings.key_file = certificate.key.clone();
    }
    Dial::new("grpc.client", &settings)
}

const LIMITS: CallLimits = CallLimits { connect: PATIENCE, call: Some(PATIENCE) };

fn channel(dial: &Dial, port: u16) -> Channel {
    dial.connect_lazy(format!("https://localhost:{port}").parse().unwrap(), LIMITS)
}

async fn digest(channel: Channel) -> Result<(), Code> {
    let answer = HealthServiceClient::new(channel).get_digest(GetDigestRequest {}).await;
    answer.map(drop).map_err(|status| status.code())
}

/// The service is not there: that it is said not to be means that the call was let through.
async fn list(channel: Channel) -> Code {
    RegistrationServiceClient::new(channel).list(ListRequest::default()).await.unwrap_err().code()
}

async fn serving(channel: Channel) -> bool {
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = tonic_health::pb::HealthCheckRequest { service: "liveness".to_owned() };
    client.check(request).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_lets_in_and_its_names_say_to_what() {
    let authority = Authority::new("grpc").unwrap();
    let server = authority.issue("server", &["DNS:localhost"]).unwrap();
    let allow: [(&str, &[&str]); 2] = [("weir.health.v1", &["*"]), ("weir.registration.v1", &["admin"])];
    let host = Host::new("grpc", &host_settings(&authority, &server, &allow));
    let port = host.serve(tonic::service::Routes::default()).await.unwrap().grpc.port();

    let admin = authority.issue("somebody", &["DNS:other", "DNS:admin"]).unwrap();
    let admin = channel(&dial(&authority, Some(&admin)), port);
    assert_eq!(digest(admin.clone()).await, Ok(()));
    assert_eq!(list(admin).await, Code::Unimplemented, "let through");

    // A common name is no name.
    let named = authority.issue("admin", &["DNS:loader"]).unwrap();
    let loader = channel(&dial(&authority, Some(&named)), port);
    assert_eq!(digest(loader.clone()).await, Ok(()), "every certificate may");
    assert!(serving(loader.clone()).await, "health is open");
    assert_eq!(list(loader).await, Code::PermissionDenied);

    let stranger = Authority::new("stranger").unwrap();
    let foreign = stranger.issue("admin", &["DNS:admin"]).unwrap();
    for shows in [None, Some(&foreign)] {
        let refused = channel(&dial(&authority, shows), port);
        // Told when the connection is there already, or before: TLS 1.3 leaves it open. Nobody answered in any case.
        let code = digest(refused.clone()).await.unwrap_err();
        assert!(matches!(code, Code::Unavailable | Code::Unknown | Code::Cancelled), "{shows:?}: {code:?}");
        assert!(!serving(refused).await, "{shows:?}");
    }
    // Nor does a client trust a server of strangers, or one of another name, or talk to it in the clear.
    let wary = channel(&dial(&stranger, Some(&foreign)), port);
    let error = HealthServiceClient::new(wary).get_digest(GetDigestRequest {}).await.unwrap_err();
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    let elsewhere = format!("https://elsewhere:{port}").parse().unwrap();
    let at = ([127, 0, 0, 1], port).into();
    let elsewhere = dial(&authority, Some(&named)).connect_lazy_at(elsewhere, at, LIMITS);
    let error = HealthServiceClient::new(elsewhere).get_digest(GetDigestRequest {}).await.unwrap_err();
    assert!(format!("{error:?}").contains("not valid for name"), "{error:?}");
    let plain = dial(&authority, None).connect_lazy(format!("http://localhost:{port}").parse().unwrap(), LIMITS);
    assert!(digest(plain).await.is_err());
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_every_certificate_of_the_authority_may_call_everything() {
    let authority = Authority::new("grpc").unwrap();
    let server = authority.issue("server", &["DNS:localhost"]).unwrap();
    let host = Host::new("grpc", &host_settings(&authority, &server, &[]));
    let port = host.serve(tonic::service::Routes::default()).await.unwrap().grpc.port();
    let anybody = authority.issue("anybody", &[]).unwrap();
    let anybody = channel(&dial(&authority, Some(&anybody)), port);
    assert_eq!((digest(anybody.clone()).await, list(anybody).await), (Ok(()), Code::Unimplemented));
    assert!(digest(channel(&dial(&authority, None), port)).await.is_err());
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_handshake_keeps_nobody_out_and_has_an_end() {
    let authority = Authority::new("grpc").unwrap();
    let server = authority.issue("server", &["DNS:localhost"]).unwrap();
    let host = Host::new("grpc", &host_settings(&authority, &server, &[]));
    let port = host.serve(tonic::service::Routes::default()).await.unwrap().grpc.port();
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let client = authority.issue("client", &[]).unwrap();
    assert_eq!(digest(channel(&dial(&authority, Some(&client)), port)).await, Ok(()));
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open");
    host.close().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_before_anything_listens() {
    let authority = Authority::new("grpc").unwrap();
    let server = authority.issue("server", &["DNS:localhost"]).unwrap();
    let missing = server.key.with_extension("missing");
    let mut settings = host_settings(&authority, &server, &[]);
    settings.grpc.tls.client_ca_file = missing.clone();
    let error = Host::new("grpc", &settings).serve(tonic::service::Routes::default()).await.unwrap_err().to_string();
    assert!(error.contains("grpc.tls.client_ca_file") && error.contains(&missing.display().to_string()), "{error}");
    let mut settings = host_settings(&authority, &server, &[]);
    settings.grpc.client.ca_file = missing;
    let error = Host::new("grpc", &settings).serve(tonic::service::Routes::default()).await.unwrap_err().to_string();
    assert!(error.contains("grpc.client.ca_file"), "{error}");
}
