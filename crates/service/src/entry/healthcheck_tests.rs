use tonic::service::Routes;

use super::*;
use crate::host::test_host;
use crate::{Action, CheckSpec};

#[tokio::test(flavor = "multi_thread")]
async fn it_sees_what_the_service_says() {
    let host = test_host("asked");
    let check = host.health().check(CheckSpec {
        name: "bus",
        action: Action::Page,
        gates_readiness: true,
        unit: "",
        threshold: None,
    });
    let admin = host.serve(Routes::default()).await.unwrap().admin;
    let settings = host.settings().admin.clone();
    let at = |listen: String| AdminSettings { listen, ..settings.clone() };
    let ask = |path: &'static str| {
        let everywhere = at(format!("0.0.0.0:{}", admin.port()));
        tokio::task::spawn_blocking(move || answer(&everywhere, path).unwrap())
    };
    assert_eq!(ask("/livez").await.unwrap(), (200, "alive\n".to_owned()));
    assert_eq!(ask("/readyz").await.unwrap(), (503, "bus: unknown: not checked yet\n".to_owned()));
    check.ok("connected");
    assert_eq!(ask("/readyz").await.unwrap(), (200, "ready\n".to_owned()));
    host.close().await;
    let closed = at(admin.to_string());
    let gone = tokio::task::spawn_blocking(move || answer(&closed, "/livez")).await.unwrap();
    assert_eq!(gone.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn listening_everywhere_is_asked_at_loopback() {
    for (listen, expected) in
        [("0.0.0.0:81", "127.0.0.1:81"), ("[::]:81", "[::1]:81"), ("127.0.0.2:81", "127.0.0.2:81")]
    {
        assert_eq!(reachable(listen).unwrap().to_string(), expected);
    }
    let error = reachable("127.0.0.1:0").unwrap_err().to_string();
    assert!(error.contains("set a port"), "{error}");
}

#[test]
fn what_is_no_http_is_no_answer() {
    for text in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 é00 OK\r\n\r\n"] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}
