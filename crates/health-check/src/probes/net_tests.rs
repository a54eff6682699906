use std::net::SocketAddr;

use service::Settings as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::service::Routes;

use super::*;

/// A server that reads once from each connection, answers this, and closes it.
async fn server(answer: &'static [u8], tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(answer).await;
        }
    });
    address
}

/// Where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn pattern(text: &str) -> Option<Pattern> {
    Some(Pattern::new(text).unwrap())
}

#[tokio::test]
async fn a_server_takes_connections_and_says_what_it_must() {
    let mut tasks = JoinSet::new();
    let mail = server(b"220 mail ESMTP\r\n", &mut tasks).await.to_string();
    let ask = async |address: &str, must: Option<Pattern>| {
        tcp(&TcpSettings { address: address.to_owned(), send: "EHLO weir\r\n".to_owned(), must }).await
    };
    assert_eq!(ask(&mail, None).await, Ok(format!("{mail} takes connections")));
    assert_eq!(ask(&mail, pattern("^220 .*ESMTP")).await, Ok(format!("{mail} answers")));
    let lacks = ask(&mail, pattern("^250")).await.unwrap_err();
    assert_eq!(lacks, r#""^250" is not in the answer, which begins with "220 mail ESMTP\r\n""#);
    let away = nobody().await.to_string();
    let problem = ask(&away, None).await.unwrap_err();
    assert!(problem.starts_with(&format!("cannot connect to {away}: ")), "{problem}");
}

#[tokio::test]
async fn a_page_has_its_status_and_says_what_it_must() {
    let mut tasks = JoinSet::new();
    let page = server(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nhealthy", &mut tasks).await;
    let moved = server(b"HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", &mut tasks).await;
    let other = server(b"220 mail ESMTP\r\n", &mut tasks).await;
    let away = nobody().await;
    let ask = async |address: SocketAddr, status: Option<u32>, must: Option<Pattern>| {
        http(&HttpSettings { url: format!("http://{address}/health?all"), status, must, ca_file: None }).await
    };
    assert_eq!(ask(page, None, None).await, Ok("answers 200 OK".to_owned()));
    assert_eq!(ask(page, Some(200), pattern("^healthy$")).await, Ok("answers 200 OK".to_owned()));
    assert_eq!(ask(page, Some(204), None).await, Err("the status is 200 OK".to_owned()));
    assert!(ask(page, None, pattern("sick")).await.unwrap_err().contains("\"healthy\""));
    assert_eq!(ask(moved, None, None).await, Err("the status is 302 Found".to_owned()), "nobody follows it");
    assert_eq!(ask(moved, Some(302), None).await, Ok("answers 302 Found".to_owned()));
    assert!(ask(other, None, None).await.is_err(), "no HTTP");
    let problem = ask(away, None, None).await.unwrap_err();
    assert!(problem.starts_with(&format!("cannot connect to {away}: ")), "{problem}");
}

#[tokio::test]
async fn a_service_says_whether_it_serves() {
    let settings = super::super::tests::settings("");
    let host = service::Host::new("probed", &settings.host());
    let check = host.health().check(service::CheckSpec {
        name: "door",
        action: service::Action::Page,
        gates_readiness: true,
        unit: "",
        threshold: None,
    });
    check.ok("open");
    let address = host.serve(Routes::default()).await.unwrap().grpc;
    let dial = host.dial();
    let ask = async |address: SocketAddr, service: &str| {
        let settings = GrpcSettings { url: format!("http://{address}"), service: service.to_owned() };
        grpc(&settings, &dial, Duration::from_secs(10)).await
    };
    assert_eq!(ask(address, "").await, Ok("SERVING".to_owned()));
    check.fail("shut");
    assert_eq!(ask(address, "").await, Err("NOT_SERVING".to_owned()));
    assert_eq!(ask(address, "liveness").await, Ok("SERVING".to_owned()));
    assert!(ask(address, "nobody.knows.it").await.is_err());
    assert!(ask(nobody().await, "").await.is_err());
    host.close().await;
}
