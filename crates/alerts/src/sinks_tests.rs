use base64::Engine as _;
use serde_json::Value;

use super::*;
use crate::alert::{Alert, Class};
use crate::settings::tests::settings;
use peer::Peer;

#[path = "sinks_tests/mails.rs"]
mod mails;
#[path = "sinks_tests/peer.rs"]
pub(crate) mod peer;

const ALLOWED: &str = "allow_networks = [\"127.0.0.0/8\"]\n";

fn alert(check: &str, class: Class) -> Alert {
    Alert {
        stage: "loader".to_owned(),
        check: check.to_owned(),
        class,
        instances: vec!["loader-0".to_owned()],
        subjects: Vec::new(),
        text: "the lag is <9> records & more".to_owned(),
        advice: "Add instances.".to_owned(),
        runbook: "https://example.org/runbooks/WeirStageBehind.md".to_owned(),
        since_ms: 1_767_571_200_000,
    }
}

fn message(firing: Vec<Alert>, resolved: Vec<Alert>) -> Message {
    Message {
        id: "0123".to_owned(),
        installation: String::new(),
        receiver: "r".to_owned(),
        group: "page/lag".to_owned(),
        cause: "lag".to_owned(),
        firing,
        resolved,
        muted: Vec::new(),
        acknowledged_by: None,
        after_ms: None,
        at_ms: 1_767_571_260_000,
    }
}

fn firing() -> Message {
    message(vec![alert("lag", Class::Page)], Vec::new())
}

fn over() -> Message {
    message(Vec::new(), vec![alert("lag", Class::Page)])
}

/// The sink of the one receiver with this table.
fn sink(table: &str, more: &str) -> Box<dyn Sink> {
    let settings = settings(&format!("{more}receivers = [{{ name = \"r\", {table} }}]"));
    let http = client(&settings);
    open(&settings.receivers[0], &settings, &http).map(|(sink, _)| sink).unwrap()
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[tokio::test]
async fn a_webhook_is_signed_and_has_all_of_it() {
    let peer = Peer::answers(&["204 No Content"]).await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let hook =
        sink(&format!("webhook = {{ url = \"http://{}/a?b=c\", secret = \"{secret}\" }}", peer.address), ALLOWED);
    hook.send(&message(vec![alert("lag", Class::Page)], vec![alert("age", Class::Ticket)])).await.unwrap();
    let asked = peer.asked().await;
    assert_eq!(asked.line, "POST /a?b=c HTTP/1.1");
    assert_eq!((asked.header("webhook-id"), asked.header("webhook-timestamp")), ("msg_0123", "1767571260"));
    // As whoever receives it computes it.
    let key = crate::signature::key(secret).unwrap();
    let signed = crate::signature::sign(&key, "msg_0123", 1_767_571_260, &asked.body).unwrap();
    assert_eq!(asked.header("webhook-signature"), signed);
    let body = json(&asked.body);
    assert_eq!(
        (body["type"].as_str(), body["timestamp"].as_str()),
        (Some("alerts.firing"), Some("2026-01-05T00:01:00Z"))
    );
    let data = &body["data"];
    assert_eq!(
        (&data["class"], &data["group"], &data["title"]),
        (&"page".into(), &"page/lag".into(), &"Weir page: lag at loader".into())
    );
    assert_eq!(data["firing"][0]["advice"], "Add instances.");
    assert_eq!(data["resolved"][0]["check"], "age");
}

#[tokio::test]
async fn nothing_in_a_chat_is_a_link_or_a_mention() {
    let peer = Peer::answers(&["200 OK", "200 OK"]).await;
    let chat = sink(&format!("slack = {{ url = \"http://{}/services/T/B/x\" }}", peer.address), ALLOWED);
    chat.send(&firing()).await.unwrap();
    let body = json(&peer.asked().await.body);
    assert_eq!(body["text"], "Weir page: lag at loader");
    let shown = &body["attachments"][0];
    assert_eq!(shown["color"], "danger");
    let text = "page: loader: the lag is &lt;9&gt; records &amp; more (lag on loader-0, since 2026-01-05T00:00:00Z). Add instances. \
                https://example.org/runbooks/WeirStageBehind.md";
    assert_eq!(shown["text"], text);
    chat.send(&over()).await.unwrap();
    let body = json(&peer.asked().await.body);
    assert_eq!(
        (&body["text"], &body["attachments"][0]["color"]),
        (&"Weir resolved: lag at loader".into(), &"good".into())
    );
}

#[tokio::test]
async fn an_incident_has_one_key_from_its_beginning_to_its_end() {
    let peer = Peer::answers(&["202 Accepted"; 4]).await;
    let pager =
        sink(&format!("pagerduty = {{ routing_key = \"R0\", url = \"http://{}/v2/enqueue\" }}", peer.address), ALLOWED);
    let taken = Message { acknowledged_by: Some("ana".to_owned()), ..firing() };
    // Something of it is open, and nobody is told of it: the incident stays open.
    let partly = Message { muted: vec![alert("age", Class::Page)], ..over() };
    let mut actions = Vec::new();
    for message in [firing(), taken, partly, over()] {
        pager.send(&message).await.unwrap();
    }
    for _ in 0..4 {
        let asked = peer.asked().await;
        let body = json(&asked.body);
        assert_eq!((asked.line.as_str(), &body["dedup_key"]), ("POST /v2/enqueue HTTP/1.1", &"weir/page/lag".into()));
        assert_eq!(body["routing_key"], "R0");
        if body["event_action"] == "trigger" {
            let payload = &body["payload"];
            assert_eq!((&payload["severity"], &payload["source"]), (&"critical".into(), &"loader-0".into()));
            let summary = payload["summary"].as_str().unwrap();
            assert!(summary.ends_with(": lag at loader: the lag is <9> records & more"), "{summary}");
            assert_eq!(body["links"][0]["text"], "lag");
        }
        actions.push(body["event_action"].as_str().unwrap().to_owned());
    }
    // An incident that is acknowledged before PagerDuty has heard of it is opened first.
    assert_eq!(actions, ["trigger", "trigger", "acknowledge", "resolve"]);
}

#[tokio::test]
async fn alertmanager_is_told_until_when_an_alert_lasts() {
    let peer = Peer::answers(&["200 OK"]).await;
    let table = format!("alertmanager = {{ url = \"http://{}/\", user = \"weir\", password = \"pw\" }}", peer.address);
    let prom = sink(&table, &format!("{ALLOWED}resend_ms = \"30s\"\n"));
    prom.send(&message(vec![alert("lag", Class::Page)], vec![alert("loader_log", Class::Page)])).await.unwrap();
    let asked = peer.asked().await;
    assert_eq!(asked.line, "POST /api/v2/alerts HTTP/1.1");
    assert_eq!(
        asked.header("authorization"),
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("weir:pw"))
    );
    let body = json(&asked.body);
    let times = |n: usize| (body[n]["startsAt"].as_str().unwrap(), body[n]["endsAt"].as_str().unwrap());
    assert_eq!(times(0), ("2026-01-05T00:00:00Z", "2026-01-05T00:03:00Z"));
    assert_eq!(times(1), ("2026-01-05T00:00:00Z", "2026-01-05T00:01:00Z"));
    assert_eq!((&body[1]["labels"]["cause"], &body[0]["labels"]["severity"]), (&"log".into(), &"page".into()));
}

#[tokio::test]
async fn what_fails_says_why_and_shows_no_secret() {
    let peer = Peer::answers(&["403 Forbidden", "302 Found", "500 Internal Server Error"]).await;
    let table = format!("slack = {{ url = \"http://{}/services/s3cret\" }}", peer.address);
    let chat = sink(&table, ALLOWED);
    for says in ["it answered 403 Forbidden", "it answered 302 Found", "it answered 500 Internal Server Error"] {
        // And nothing of what the peer says, which may have the URL in it.
        assert_eq!(chat.send(&firing()).await.unwrap_err(), NotTaken::from(says.to_owned()));
    }
    // It is not asked where it may not be.
    let error = sink(&table, "").send(&firing()).await.unwrap_err().problem;
    let says = format!(
        "cannot connect to {}: its address 127.0.0.1 is not public, and not in an allowed network",
        peer.address
    );
    assert_eq!(error, says);
    assert_eq!(peer.connections(), 3);
}

#[tokio::test]
async fn only_who_may_have_it_has_it_perhaps() {
    let peer = Peer::answers(&["504 Gateway Timeout"]).await;
    let chat = sink(&format!("slack = {{ url = \"http://{}/\" }}", peer.address), ALLOWED);
    assert!(chat.send(&firing()).await.unwrap_err().perhaps);
    // Nobody listens any more.
    peer.ended().await;
    assert!(!chat.send(&firing()).await.unwrap_err().perhaps);
}

#[tokio::test]
async fn two_installations_are_told_apart() {
    let staging = |alert: Alert| Message { installation: "staging".to_owned(), ..message(vec![alert], Vec::new()) };
    assert_eq!(staging(alert("lag", Class::Page)).title(), "Weir staging page: lag at loader");
    let peer = Peer::answers(&["200 OK"]).await;
    let prom = sink(&format!("alertmanager = {{ url = \"http://{}/\" }}", peer.address), ALLOWED);
    prom.send(&Message { muted: vec![alert("age", Class::Page)], ..staging(alert("lag", Class::Page)) }).await.unwrap();
    let body = json(&peer.asked().await.body);
    assert_eq!(body[0]["labels"]["installation"], "staging");
    // What nobody is told of for now is not over.
    assert_eq!((&body[1]["labels"]["check"], &body[1]["endsAt"]), (&"age".into(), &body[0]["endsAt"]));
}
