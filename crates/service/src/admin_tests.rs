use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::service::Routes;

use crate::health::Action;
use crate::host::test_host;
use crate::{CheckSpec, Host, What};

/// Status, head and body of one request.
async fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

fn bus(host: &Host) -> crate::CheckHandle {
    host.health().check(CheckSpec {
        name: "bus",
        action: Action::Page,
        gates_readiness: true,
        unit: "seconds",
        threshold: Some(5.0),
    })
}

#[tokio::test]
async fn probes_follow_the_checks_and_the_shutdown() {
    let host = test_host("probes");
    let bus = bus(&host);
    let admin = host.serve(Routes::default()).await.unwrap().admin;

    assert_eq!(get(admin, "/readyz").await.2, "bus: unknown: not checked yet\n");
    bus.ok("connected");
    let (status, head, body) = get(admin, "/readyz").await;
    assert_eq!((status, body.as_str()), (200, "ready\n"));
    assert!(head.contains("cache-control: no-store") && head.contains("nosniff"), "{head}");

    bus.fail("no broker answers");
    let (status, _, body) = get(admin, "/readyz").await;
    assert_eq!((status, body.as_str()), (503, "bus: failing: no broker answers\n"));
    assert_eq!(get(admin, "/livez").await.0, 200, "alive without a broker");

    bus.ok("connected");
    host.shutdown().cancel();
    let (status, _, body) = get(admin, "/readyz").await;
    assert_eq!((status, body.as_str()), (503, "shutting down\n"));
    assert_eq!(get(admin, "/livez").await.0, 200, "alive while it drains");

    host.close().await;
    assert!(TcpStream::connect(admin).await.is_err(), "closed at the end");
}

#[tokio::test]
async fn the_digest_is_json_and_a_page() {
    let host = test_host("digest");
    let bus = bus(&host);
    bus.value(7.5);
    bus.fail("the broker said <b>\"no\"</b>");
    let mut taken = host.counts().hop("streaming").take("pages", None, 3, "rate_limited");
    taken.end(What::SentOn, 2);
    drop(taken);
    let admin = host.serve(Routes::default()).await.unwrap().admin;

    let (status, head, body) = get(admin, "/health").await;
    assert_eq!(status, 200, "also when not ready: the digest itself was made");
    assert!(head.contains("application/json"), "{head}");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&json["service"], &json["ready"]), (&"digest".into(), &false.into()));
    assert!(common::time::from_rfc3339(json["started_at"].as_str().unwrap()).is_some(), "{body}");
    let check = &json["checks"][0];
    assert!(common::time::from_rfc3339(check["since"].as_str().unwrap()).is_some(), "{body}");
    assert_eq!(
        (&check["name"], &check["state"], &check["action"], &check["unit"]),
        (&"bus".into(), &"failing".into(), &"page".into(), &"seconds".into())
    );
    assert_eq!((check["value"].as_f64(), check["threshold"].as_f64()), (Some(7.5), Some(5.0)));
    assert_eq!(check["message"], "the broker said <b>\"no\"</b>");
    let count = &json["counts"][0];
    assert_eq!((&count["hop"], &count["endpoint"]), (&"streaming".into(), &"pages".into()));
    assert_eq!((&count["taken_in"], &count["sent_on"]), (&3.into(), &2.into()));
    assert_eq!((&count["dropped"]["rate_limited"], &count["hour"]), (&1.into(), &serde_json::Value::Null));

    let (status, head, body) = get(admin, "/").await;
    assert_eq!(status, 200);
    assert!(head.contains("text/html"), "{head}");
    assert!(body.contains("not ready") && body.contains("href=/metrics"), "{body}");
    assert!(body.contains("the broker said &lt;b&gt;&quot;no&quot;&lt;/b&gt;"), "escaped: {body}");

    let (status, _, body) = get(admin, "/nowhere").await;
    assert_eq!((status, body.as_str()), (404, "not found; / lists the pages\n"));
    host.close().await;
}

#[tokio::test]
async fn hosts_of_one_process_share_the_recorder() {
    let (one, two) = (test_host("one"), test_host("two"));
    bus(&one).ok("connected");
    metrics::histogram!("weir_test_wait_seconds").record(0.2);
    let first = one.serve(Routes::default()).await.unwrap();
    let second = two.serve(Routes::default()).await.unwrap();
    assert_ne!(first.admin, second.admin);

    let (status, head, body) = get(first.admin, "/metrics").await;
    assert_eq!(status, 200);
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("weir_check_state{service=\"one\",check=\"bus\",action=\"page\"} 0"), "{body}");
    assert!(body.contains("weir_ready{service=\"one\"} 1"), "{body}");
    assert!(body.contains("weir_test_wait_seconds_bucket{le=\"0.25\"} 1"), "{body}");
    let (_, _, body) = get(second.admin, "/metrics").await;
    assert!(body.contains("weir_ready{service=\"two\"} 1"), "{body}");
    assert!(body.contains("weir_build_info{service=\"two\",version="), "{body}");
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn a_port_in_use_names_its_setting() {
    let host = test_host("first");
    let taken = host.serve(Routes::default()).await.unwrap();
    for key in ["admin.listen", "grpc.listen"] {
        let mut settings = host.settings().clone();
        let address = if key == "admin.listen" { taken.admin } else { taken.grpc }.to_string();
        if key == "admin.listen" {
            settings.admin.listen.clone_from(&address);
        } else {
            settings.grpc.listen.clone_from(&address);
        }
        let error = Host::new("second", &settings).serve(Routes::default()).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot listen on {address} (setting {key}): address in use; choose another or port 0 for a free one"
            )
        );
    }
    for (address, advice) in [
        ("localhost", "write host:port"),
        ("192.0.2.1:80", "this machine has no such address"),
        ("nowhere.invalid:80", "write host:port"),
    ] {
        let error = crate::bind("x.listen", address).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address} (setting x.listen): ")), "{error}");
        assert!(error.contains(advice), "{error}");
    }
    host.close().await;
}
