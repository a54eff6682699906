//! Every way in leads where the Ingresses say, and nothing else leads anywhere.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::registration::v1::ListRequest;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};

use crate::world::{World, delivery, http};

/// A method of each service that takes an empty request, from its description.
fn first_method(service: &str) -> String {
    let set = prost_types::FileDescriptorSet::decode(common::DESCRIPTORS).unwrap();
    let services = set.file.iter().flat_map(|file| file.service.iter().map(move |one| (file.package(), one)));
    let mut found = services.filter(|(package, one)| format!("{package}.{}", one.name()) == service);
    let (_, one) = found.next().unwrap_or_else(|| panic!("{service} is no service of proto/"));
    let unary = one.method.iter().find(|method| !method.server_streaming() && !method.client_streaming());
    format!("/{service}/{}", unary.unwrap_or_else(|| panic!("{service} only streams")).name())
}

/// An empty request to a method: what became of it.
async fn call(world: &World, path: &str) -> Code {
    let mut client = tonic::client::Grpc::new(world.grpc());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let answer = client.unary(Request::new(()), PathAndQuery::try_from(path).unwrap(), codec).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

async fn get(world: &World, host: &str, path: &str) -> (u16, String) {
    let request = http::Request::get(format!("http://{}{path}", world.proxy.plain)).header("host", host);
    let answer = http().request(request.body(Full::default()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_host_and_path_leads_where_it_should_and_nothing_else_does() {
    let world = World::start("ways");
    let processing = world.processings(1).await;
    let doors = world.doors(1).await;
    let health = world.health_check(&processing).await;
    let others = world.others().await;
    world.register().await;
    let public = world.host("streaming").to_owned();

    // Webhooks by host: without TLS, and the same delivery is refused by every other host.
    let answer = http().request(delivery(world.proxy.plain, &public, 1)).await.unwrap();
    assert_eq!(answer.status(), 200);
    for other in ["localhost", world.host("processing"), world.host("health-check")] {
        let answer = http().request(delivery(world.proxy.plain, other, 2)).await.unwrap();
        assert_eq!(answer.status(), 404, "{other}");
    }
    // The public host leads to the door, and to nothing else of it.
    for path in ["/", "/health", "/metrics", "/readyz", "/webhooks", "/weir.registration.v1.RegistrationService/List"] {
        assert_eq!(get(&world, &public, path).await.0, 404, "{path}");
    }

    // Every gRPC package by its path, over HTTP/2: what answers knows the method.
    let services: Vec<_> = world.proxy.rules.iter().filter(|rule| rule.backend.is_h2c).collect();
    assert!(services.len() >= 4, "{services:?}");
    for rule in services {
        let path = first_method(rule.prefix.trim_matches('/'));
        let code = call(&world, &path).await;
        assert!(
            ![Code::Unimplemented, Code::Unavailable, Code::Internal, Code::Unknown].contains(&code),
            "{path}: {code:?}"
        );
    }
    // What no path names leads nowhere, though the pods would answer it.
    for path in ["/weir.health.v1.HealthService/GetDigest", "/grpc.reflection.v1.ServerReflection/", "/"] {
        assert_eq!(get(&world, world.host("processing"), path).await.0, 404, "{path}");
    }
    let mut registrations = RegistrationServiceClient::new(world.grpc());
    let listed = registrations.list(ListRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().registrations.len(), 1);

    let (status, page) = get(&world, world.host("health-check"), "/").await;
    assert!(status == 200 && page.contains("<html") && page.contains("Weir"), "{status}: {page}");
    // One delivery came through.
    assert_eq!(world.on_the_log().await, [1]);
    drop((processing, doors, health, others));
}

/// TLS with HTTP/2 and HTTP/1.1, and behind a load balancer that speaks the PROXY protocol.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_the_proxy_protocol_are_spoken() {
    let world = World::start("tls");
    let processing = world.processings(1).await;
    let doors = world.doors(1).await;
    world.register().await;
    let (host, root) = (world.host("streaming").to_owned(), world.authority.root.clone());
    for (number, to, arguments) in [
        (1, world.proxy.tls, &["--http1.1"][..]),
        (2, world.proxy.tls, &["--http2"]),
        (3, world.proxy.behind, &["--http1.1", "--haproxy-protocol"]),
    ] {
        let request = delivery(to, &host, number);
        let mut command = std::process::Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_version} %{http_code}",
        ]);
        command.args(arguments).arg("--cacert").arg(&root);
        command.args(["--resolve", &format!("{host}:{}:127.0.0.1", to.port())]);
        for (name, value) in request.headers().iter().filter(|(name, _)| *name != "host") {
            command.args(["--header", &format!("{name}: {}", value.to_str().unwrap())]);
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        command.args(["--data-binary", std::str::from_utf8(&body).unwrap()]);
        command.arg(format!("https://{host}:{}/webhooks/mine", to.port()));
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = if number == 2 { "2" } else { "1.1" };
        assert_eq!(said, format!("{version} 200"), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // Who does not say whom it speaks for is not let in there.
    let mut stream = TcpStream::connect(world.proxy.behind).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{read:?} {}", String::from_utf8_lossy(&answer));
    let mut there = world.on_the_log().await;
    there.sort_unstable();
    assert_eq!(there, [1, 2, 3]);
    drop((processing, doors));
}
