use common::health::v1::State;
use http::Response;
use serde_json::json;
use service::Secret;

use super::*;
use crate::probes::pattern::Pattern;
use crate::probes::peer::{Asked, Peer, answer};

const WITHIN: Duration = Duration::from_secs(600);
/// Tue, 01 Dec 2026 03:00:00 GMT.
const NOW: Duration = Duration::from_secs(1_796_094_000);

fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

fn settings(url: String) -> LokiSettings {
    LokiSettings { url, selector: "{app=\"shop\"}".to_owned(), ..LokiSettings::default() }
}

fn loki(settings: &LokiSettings, must: Option<&str>, must_not: Option<&str>) -> Loki {
    let pattern = |text: &str| Pattern::new(text).unwrap();
    let log = LogSettings { must: must.map(pattern), must_not: must_not.map(pattern), ..LogSettings::default() };
    Loki::new(settings, &log, WITHIN)
}

/// As Loki answers to a query for lines: the newest first, and each stream for itself.
fn streams(streams: &[&[(&str, &str)]]) -> String {
    let streams = streams.iter().enumerate().map(|(n, values)| {
        let values: Vec<_> = values.iter().map(|(time, line)| json!([time, line])).collect();
        json!({"stream": {"app": "shop", "pod": format!("shop-{n}")}, "values": values})
    });
    let result: Vec<_> = streams.collect();
    json!({"status": "success", "data": {"resultType": "streams", "result": result, "stats": {
        "summary": {"bytesProcessedPerSecond": 5_000, "execTime": 0.000_5, "totalLinesProcessed": 2}}}})
    .to_string()
}

/// An answer at the time that is asked at.
fn at(time: &str, body: String) -> Response<String> {
    Response::builder().header("date", time).body(body).unwrap()
}

const DATE_NOW: &str = "Tue, 01 Dec 2026 03:00:00 GMT";

/// What is found if this is answered to `query_range`, and that there are streams.
async fn found(body: String, must: Option<&str>, must_not: Option<&str>) -> (State, String) {
    let series = json!({"status": "success", "data": [{"app": "shop"}]}).to_string();
    let answers =
        move |asked: &Asked| at(DATE_NOW, if asked.path.ends_with("/series") { series.clone() } else { body.clone() });
    let peer = Peer::new(answers).await;
    let Found { state, message, .. } = loki(&settings(peer.url()), must, must_not).look(now()).await;
    (state, message)
}

#[tokio::test]
async fn lines_of_all_streams_count_and_the_newest_is_shown() {
    let all = streams(&[
        &[("1796093990000000003", "bad three"), ("1796093990000000001", "done")],
        &[("1796093990000000002", "bad two"), ("999999999999999999", "bad one")],
    ]);
    let bad = r#""bad" is in 3 lines of the last 600s, last: bad three"#;
    assert_eq!(found(all.clone(), Some("done"), Some("bad")).await, (State::Failing, bad.to_owned()));
    assert_eq!(found(all.clone(), Some("^done$"), None).await, (State::Ok, "as it must be: done".to_owned()));
    assert_eq!(found(all.clone(), None, Some("worse")).await.0, State::Ok);
    let none = r#""worse" is in no line of the last 600s"#;
    assert_eq!(
        found(all, Some("worse"), None).await,
        (State::Failing, none.to_owned()),
        "at once: all lines were asked for"
    );
    // With what else it knows of a line.
    let more = json!({"status": "success", "data": {"resultType": "streams", "encodingFlags": ["categorize-labels"],
        "result": [{"stream": {"app": "shop"}, "values": [["1796093990000000001", "bad", {"structuredMetadata": {"a": "b"}}]]}]}});
    assert_eq!(found(more.to_string(), None, Some("bad")).await.0, State::Failing);
}

#[tokio::test]
async fn the_last_time_is_asked_for() {
    let all = streams(&[&[("1796093990000000001", "done")]]);
    let peer = Peer::new(move |_| at(DATE_NOW, all.clone())).await;
    let password = Some(Secret::new("hush"));
    let settings = LokiSettings {
        filter: "|~ \"done|bad\"".to_owned(),
        limit: Some(7),
        tenant: Some("shop".to_owned()),
        user: Some("weir".to_owned()),
        password,
        ..settings(format!("{}/behind", peer.url()))
    };
    assert_eq!(loki(&settings, Some("done"), None).look(now()).await.state, State::Ok);
    let asked = peer.asked().remove(0);
    assert_eq!((asked.path.as_str(), asked.query.len()), ("/behind/loki/api/v1/query_range", 5));
    for (key, value) in [
        ("query", "{app=\"shop\"} |~ \"done|bad\""),
        ("start", "1796093400000000000"),
        ("end", "1796094000000000000"),
        ("limit", "7"),
        ("direction", "backward"),
    ] {
        assert_eq!(asked.query[key], value, "{key}");
    }
    assert_eq!(asked.header("x-scope-orgid"), Some("shop"));
    assert_eq!(asked.header("authorization"), Some("Basic d2VpcjpodXNo"));
}

#[tokio::test]
async fn without_a_line_it_is_asked_whether_there_are_such_streams() {
    let absent = "Loki has had no line of {app=\"shop\"} for a day: is it written right, and who sends them?";
    for (series, state, says) in [
        (json!({"status": "success", "data": [{"app": "shop", "pod": "shop-0"}]}), State::Ok, "as it must be"),
        (json!({"status": "success", "data": []}), State::Failing, absent),
        (json!({"status": "success"}), State::Failing, absent),
        (json!({"status": "success", "data": null}), State::Failing, absent),
        (json!("no"), State::Failing, "the answer of Loki is no list of streams: "),
    ] {
        let series = series.to_string();
        let peer = Peer::new(move |asked| {
            at(DATE_NOW, if asked.path.ends_with("/series") { series.clone() } else { streams(&[]) })
        });
        let peer = peer.await;
        let found = loki(&settings(peer.url()), None, Some("bad")).look(now()).await;
        assert!(found.state == state && found.message.starts_with(says), "{found:?}");
        let asked = peer.asked().remove(1);
        assert_eq!(asked.path, "/loki/api/v1/series");
        assert_eq!(
            (asked.query["match[]"].as_str(), asked.query["start"].as_str()),
            ("{app=\"shop\"}", "1796007600000000000")
        );
    }
}

#[tokio::test]
async fn lines_that_it_did_not_give_are_missing() {
    let values: Vec<_> =
        (0..5_000).map(|n| (format!("1796093990000{n:06}"), if n == 0 { "done" } else { "fine" })).collect();
    let values: Vec<_> = values.iter().map(|(time, line)| (time.as_str(), *line)).collect();
    let full =
        "Loki gave 5000 lines, which is its limit, of the last 600s: narrow log.loki.filter, or raise log.loki.limit";
    let all = streams(&[&values[..2_500], &values[2_500..]]);
    assert_eq!(found(all.clone(), None, Some("bad")).await, (State::Unknown, full.to_owned()));
    assert_eq!(found(all.clone(), Some("dome"), None).await, (State::Unknown, full.to_owned()));
    assert_eq!(found(all.clone(), Some("done"), None).await.0, State::Ok, "one is enough");
    assert_eq!(found(all, None, Some("done")).await.0, State::Failing);
    assert_eq!(found(streams(&[&values[1..]]), None, Some("bad")).await.0, State::Ok, "one fewer");
    let mut warns: serde_json::Value = serde_json::from_str(&streams(&[&values[..1]])).unwrap();
    warns["warnings"] = json!(["maximum of series reached, returning partial results"]);
    let warns = found(warns.to_string(), None, Some("bad")).await;
    assert_eq!(warns, (State::Unknown, "Loki warns: maximum of series reached, returning partial results".to_owned()));
}

#[tokio::test]
async fn a_clock_aside_is_told() {
    for (date, says) in [
        (DATE_NOW, ""),
        ("Tue, 01 Dec 2026 02:59:51 GMT", ""),
        ("Tue, 01 Dec 2026 02:55:00 GMT", "the clock of Loki is 300s behind that of health-check: set both right"),
        // It may take some time to answer.
        ("Tue, 01 Dec 2026 03:05:00 GMT", "the clock of Loki is 2"),
    ] {
        let all = streams(&[&[("1796093990000000001", "done")]]);
        let peer = Peer::new(move |_| at(date, all.clone())).await;
        let found = loki(&settings(peer.url()), Some("done"), Some("bad")).look(now()).await;
        let state = if says.is_empty() { State::Ok } else { State::Unknown };
        assert!(found.state == state && found.message.contains(says), "{date}: {found:?}");
    }
}

#[tokio::test]
async fn what_it_refuses_is_told() {
    let matrix = json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1_568_404_331, "0.01"]]}]}});
    for (status, body, says) in [
        (
            400,
            "parse error at line 1, col 14: syntax error: unexpected IDENTIFIER\n".to_owned(),
            "Loki answers 400 Bad Request: parse error at line 1, col 14",
        ),
        (
            400,
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (9000 > 5000)".to_owned(),
            "Loki answers 400 Bad Request: max entries limit per query exceeded",
        ),
        (401, "no org id\n".to_owned(), "Loki answers 401 Unauthorized: no org id"),
        (403, String::new(), "Loki answers 403 Forbidden"),
        (
            429,
            "too many outstanding requests".to_owned(),
            "Loki answers 429 Too Many Requests: too many outstanding requests",
        ),
        (200, "<html>log in</html>".to_owned(), "the answer of Loki is not lines: expected value"),
        (200, matrix.to_string(), "the answer of Loki is not lines: unknown variant `matrix`"),
        (200, "x".repeat(MOST_BYTES + 1), "cannot ask Loki: the body of the answer: length limit exceeded"),
    ] {
        let peer = Peer::new(move |_| answer(status, body.clone())).await;
        let found = loki(&settings(peer.url()), None, Some("bad")).look(now()).await;
        assert!(found.state == State::Failing && found.message.starts_with(says), "{says}: {found:?}");
    }
    let nobody =
        LokiSettings { token_file: Some("/nobody/has/it".into()), ..settings("http://127.0.0.1:1".to_owned()) };
    let found = loki(&nobody, None, Some("bad")).look(now()).await;
    assert!(
        found.message.starts_with("cannot ask Loki: the token's file /nobody/has/it cannot be read: "),
        "{found:?}"
    );
}
