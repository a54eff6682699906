use std::time::Duration;

use bytes::Bytes;
use common::enrichment::v1::enrichment_service_client::EnrichmentServiceClient;
use common::enrichment::v1::enrichment_service_server::{EnrichmentService, EnrichmentServiceServer};
use common::enrichment::v1::{LookUpRequest, LookUpResponse};
use common::health::v1::health_service_client::HealthServiceClient;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::*;
use crate::host::test_host;
use crate::{Action, CallLimits, CheckHandle, CheckSpec, Host};

/// Longer than any test may take, so that a test that waits for nothing fails.
const PATIENCE: Duration = Duration::from_secs(10);

async fn serve(host: &Host, routes: Routes) -> Channel {
    let address = host.serve(routes).await.unwrap().grpc;
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn bus(host: &Host) -> CheckHandle {
    host.health().check(CheckSpec {
        name: "bus",
        action: Action::Ticket,
        gates_readiness: true,
        unit: "",
        threshold: None,
    })
}

async fn check(client: &mut HealthClient<Channel>, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    client.check(request).await.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test]
async fn health_answers_for_every_name_that_is_served() {
    let host = test_host("grpc");
    let bus = bus(&host);
    bus.ok("connected");
    // Stands for the services of others; the same type is served by every host.
    let channel = serve(&host, Routes::default()).await;
    let mut client = HealthClient::new(channel);
    let names = ["", "readiness", "weir.health.v1.HealthService", "grpc.health.v1.Health", REFLECTION];
    for name in names {
        assert_eq!(check(&mut client, name).await, Ok(ServingStatus::Serving), "{name}");
    }
    bus.fail("no broker answers");
    for name in names {
        assert_eq!(check(&mut client, name).await, Ok(ServingStatus::NotServing), "{name}");
    }
    assert_eq!(check(&mut client, "liveness").await, Ok(ServingStatus::Serving));
    assert_eq!(check(&mut client, "weir.registration.v1.RegistrationService").await, Err(Code::NotFound), "not here");
    host.close().await;
}

#[tokio::test]
async fn watchers_see_each_change_and_the_end() {
    let host = test_host("watch");
    let bus = bus(&host);
    let mut client = HealthClient::new(serve(&host, Routes::default()).await);
    let watch = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let mut readiness = client.watch(watch("readiness")).await.unwrap().into_inner();
    let mut liveness = client.watch(watch("liveness")).await.unwrap().into_inner();
    let mut unknown = client.watch(watch("nobody")).await.unwrap().into_inner();

    assert_eq!(readiness.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    bus.ok("connected");
    assert_eq!(readiness.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    bus.warn("slow");
    bus.fail("gone");
    assert_eq!(readiness.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    bus.ok("back");
    assert_eq!(readiness.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(liveness.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(unknown.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);

    host.shutdown().cancel();
    assert_eq!(readiness.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(readiness.message().await.unwrap(), None);
    assert_eq!(liveness.message().await.unwrap(), None);
    assert_eq!(unknown.message().await.unwrap(), None);
    tokio::time::timeout(PATIENCE, host.close()).await.expect("watchers keep it from closing");
}

#[tokio::test]
async fn the_digest_is_the_one_of_the_admin_port() {
    let host = test_host("grpc");
    bus(&host).warn("slow");
    let mut client = HealthServiceClient::new(serve(&host, Routes::default()).await);
    let digest = client.get_digest(GetDigestRequest {}).await.unwrap().into_inner().digest.unwrap();
    let here = host.health().digest();
    assert_eq!((digest.service, digest.instance, digest.checks), (here.service, here.instance, here.checks));
    host.close().await;
}

#[tokio::test]
async fn reflection_lists_what_is_served_and_explains_it() {
    let host = test_host("reflection");
    let mut client = ServerReflectionClient::new(serve(&host, Routes::default()).await);
    let ask =
        |request| tokio_stream::iter([ServerReflectionRequest { host: String::new(), message_request: Some(request) }]);
    let request = ask(MessageRequest::ListServices(String::new()));
    let mut answers = client.server_reflection_info(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(names, ["grpc.health.v1.Health", REFLECTION, "weir.health.v1.HealthService"]);

    for symbol in ["weir.health.v1.HealthService", "weir.facebook.v1.Comment"] {
        let request = ask(MessageRequest::FileContainingSymbol(symbol.to_owned()));
        let mut answers = client.server_reflection_info(request).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
        assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{symbol}: {answer:?}");
    }
    host.close().await;
}

#[tokio::test]
async fn services_that_are_given_are_found() {
    let own = Routes::new(HealthServiceServer::new(Digests(test_host("other").health().clone())));
    let names: Vec<String> = served(&own).await.unwrap().into_iter().collect();
    assert_eq!(names, ["weir.health.v1.HealthService"]);
    assert!(served(&Routes::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_call_to_nobody_is_unimplemented() {
    let host = test_host("nobody");
    let channel = serve(&host, Routes::default()).await;
    let mut client = common::registration::v1::registration_service_client::RegistrationServiceClient::new(channel);
    let status = client.list(common::registration::v1::ListRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    host.close().await;
}

#[tokio::test]
async fn who_sends_no_preface_is_closed() {
    let mut settings = test_host("preface").settings().clone();
    settings.grpc.keepalive_timeout_ms = 200;
    settings.grpc.max_connections = 1;
    let host = Host::new("preface", &settings);
    let address = host.serve(Routes::default()).await.unwrap().grpc;
    let mut silent = TcpStream::connect(address).await.unwrap();
    // Waits for the place of the silent one, so it also shows the cap and that the place is given back.
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    let channel = tokio::time::timeout(PATIENCE, endpoint.connect()).await.expect("never served").unwrap();
    assert_eq!(check(&mut HealthClient::new(channel), "").await, Ok(ServingStatus::Serving));
    let mut bytes = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut bytes)).await;
    assert!(closed.is_ok(), "still open");
    host.close().await;
}

#[tokio::test]
async fn a_client_that_stopped_does_not_hold_the_end_up() {
    use tokio::io::AsyncWriteExt as _;
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let host = test_host("stopped");
    let address = host.serve(Routes::default()).await.unwrap().grpc;
    // As a client that was stopped: it says hello, and answers nothing any more.
    let mut stopped = TcpStream::connect(address).await.unwrap();
    stopped.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stopped.write_all(SETTINGS).await.unwrap();
    let mut hello = [0];
    stopped.read_exact(&mut hello).await.unwrap();
    let begun = std::time::Instant::now();
    tokio::time::timeout(PATIENCE, host.close()).await.expect("it is waited for");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stopped.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open");
}

#[tokio::test]
async fn messages_have_a_size() {
    let mut settings = test_host("size").settings().clone();
    settings.grpc.max_message_bytes = 1024;
    let host = Host::new("size", &settings);
    let mut client = HealthClient::new(serve(&host, Routes::default()).await);
    assert_eq!(check(&mut client, &"x".repeat(900)).await, Err(Code::NotFound));
    assert_eq!(check(&mut client, &"x".repeat(2000)).await, Err(Code::OutOfRange));
    host.close().await;
}

/// Never answers.
struct Silent;

#[tonic::async_trait]
impl EnrichmentService for Silent {
    async fn look_up(&self, _: tonic::Request<LookUpRequest>) -> Result<Response<LookUpResponse>, Status> {
        std::future::pending().await
    }
}

fn slow_host(timeout_ms: u64) -> Host {
    let mut settings = test_host("slow").settings().clone();
    settings.grpc.timeout_ms = timeout_ms;
    Host::new("slow", &settings)
}

#[tokio::test]
async fn a_call_that_takes_too_long_exceeds_its_deadline() {
    let host = slow_host(100);
    let mut client =
        EnrichmentServiceClient::new(serve(&host, Routes::new(EnrichmentServiceServer::new(Silent))).await);
    let status = client.look_up(LookUpRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "no answer within 100ms"));
    host.close().await;
}

/// Straight over HTTP/2, because tonic's own client would give up as early as the server.
#[tokio::test]
async fn the_deadline_of_the_caller_is_one_too() {
    let host = slow_host(3_600_000);
    let address = host.serve(Routes::new(EnrichmentServiceServer::new(Silent))).await.unwrap().grpc;
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let mut connections = tokio::task::JoinSet::new();
    connections.spawn(connection);
    for timeout in ["50m", "50000u"] {
        let call = Request::post(format!("http://{address}/weir.enrichment.v1.EnrichmentService/LookUp"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", timeout)
            // A message of no bytes.
            .body(http_body_util::Full::new(Bytes::from_static(&[0; 5])))
            .unwrap();
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(call)).await.expect("no answer").unwrap();
        assert_eq!(answer.headers()["grpc-status"], (Code::DeadlineExceeded as i32).to_string(), "{answer:?}");
    }
    drop((sender, connections));
    host.close().await;
}

#[tokio::test]
async fn a_client_has_a_deadline_of_its_own() {
    let host = slow_host(3_600_000);
    let address = host.serve(Routes::new(EnrichmentServiceServer::new(Silent))).await.unwrap().grpc;
    let limits = CallLimits { connect: PATIENCE, call: Some(Duration::from_millis(100)) };
    let to = || format!("http://{address}").parse().unwrap();
    let dial = host.dial();
    for channel in [
        dial.connect(to(), limits).await.unwrap(),
        dial.connect_lazy(to(), limits),
        dial.connect_lazy_at("http://elsewhere:1".parse().unwrap(), address, limits),
    ] {
        let status = EnrichmentServiceClient::new(channel).look_up(LookUpRequest::default()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "no answer within 100ms"));
    }
    host.close().await;
}

#[tokio::test]
async fn services_of_one_process_ask_each_other_without_a_connection() {
    let alone = test_host("alone");
    drop(serve(&alone, Routes::default()).await);
    assert!(alone.answers().is_none(), "others are elsewhere");
    alone.close().await;

    let host = test_host("all");
    host.hold_all(vec!["all"]);
    assert!(host.answers().is_none(), "nothing is answered yet");
    drop(serve(&host, Routes::new(EnrichmentServiceServer::new(Silent))).await);
    let mut client = HealthServiceClient::new(host.answers().unwrap());
    let digest = client.get_digest(GetDigestRequest {}).await.unwrap().into_inner().digest.unwrap();
    assert_eq!(digest.service, "all");
    host.close().await;
    assert!(host.answers().is_none(), "what was answered holds the host, and is let go");
}
