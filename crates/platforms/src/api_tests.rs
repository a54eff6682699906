use super::*;
use crate::peer::Peer;
use crate::settings::tests::settings;

const TOKEN: &str = "1234567890|abcdefghijkl";

fn api(url: &str, timeout: &str) -> Api {
    let all = settings(&format!("timeout_ms = \"{timeout}\"\nallow_networks = [\"127.0.0.0/8\"]"));
    let judge = |answer: &Response<Bytes>| {
        let said = String::from_utf8_lossy(answer.body()).into_owned();
        Judged { kind: JudgedKind::ByStatus, said }
    };
    Api::new(&all, url, &[], judge)
}

async fn failure(peer: &Peer) -> CallFailure {
    let api = api(&format!("http://{}/base/", peer.address), "10s");
    api.get(&["a b", "c/d"], &[("e", "f&g")], &Secret::new(TOKEN)).await.unwrap_err()
}

#[tokio::test]
async fn a_call_has_the_token_in_a_header_and_in_no_url() {
    let peer = Peer::always(200, &[], "{}").await;
    let api = api(&format!("http://{}/base/", peer.address), "10s");
    api.post(&["a b", "c/d"], &[("e", "f&g")], &Secret::new(format!("{TOKEN}\n"))).await.unwrap();
    let asked = peer.asked();
    assert_eq!(peer.lines(), ["POST /base/a%20b/c%2Fd?e=f%26g"]);
    assert_eq!(asked[0].header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(asked[0].header("content-length"), "0");
}

#[tokio::test]
async fn each_status_is_a_kind_of_failure() {
    for (status, headers, expected) in [
        (401, vec![], CallFailure::TokenRefused { status: 401, said: "no".to_owned() }),
        (403, vec![], CallFailure::TokenRefused { status: 403, said: "no".to_owned() }),
        (404, vec![], CallFailure::NotFound { said: "no".to_owned() }),
        (429, vec![("retry-after", "30")], CallFailure::RateLimited { again_after_s: Some(30) }),
        (500, vec![], CallFailure::Refused { status: 500, said: "no".to_owned() }),
        (503, vec![("retry-after", "30")], CallFailure::Refused { status: 503, said: "no".to_owned() }),
    ] {
        let peer = Peer::always(status, &headers, "no").await;
        assert_eq!(failure(&peer).await, expected);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let peer = Peer::always(301, &[("location", "/elsewhere")], "").await;
    assert_eq!(failure(&peer).await, CallFailure::Moved { status: 301 });
    assert_eq!(peer.asked().len(), 1);
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_late() {
    // It takes the connection, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = api(&format!("http://{}", silent.local_addr().unwrap()), "100ms");
    let failed = api.get(&["a"], &[], &Secret::new(TOKEN)).await.unwrap_err();
    assert_eq!(failed, CallFailure::Late { limit_ms: 100 });
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let peer = Peer::always(200, &[], "x".repeat(LARGEST_ANSWER + 1)).await;
    let CallFailure::Unreachable { problem } = failure(&peer).await else { panic!() };
    assert!(problem.contains("body"), "{problem}");
}

#[tokio::test]
async fn only_public_addresses_are_asked() {
    let peer = Peer::always(200, &[], "{}").await;
    let all = settings("");
    let judge = |_: &Response<Bytes>| Judged { kind: JudgedKind::ByStatus, said: String::new() };
    let api = Api::new(&all, &format!("http://{}", peer.address), &[], judge);
    let failed = api.get(&["a"], &[], &Secret::new(TOKEN)).await.unwrap_err();
    assert!(matches!(failed, CallFailure::Unreachable { .. }), "{failed}");
    assert_eq!(peer.lines(), [""; 0]);
}

#[tokio::test]
async fn what_a_platform_says_never_has_the_token_in_it() {
    // As Meta does with one that is not well formed; the other is cut where it is shown.
    let long = "x".repeat(SHOWN - 5);
    for said in [format!("Malformed access token {TOKEN}"), format!("{long}{TOKEN}"), "secret abcdefghijkl".to_owned()]
    {
        let peer = Peer::always(400, &[], said).await;
        let failed = failure(&peer).await;
        let (shown, kept) = (failed.to_string(), serde_json::to_string(&failed).unwrap());
        for part in ["abcde", "1234567890"] {
            assert!(!shown.contains(part) && !kept.contains(part), "{shown}");
        }
    }
    let peer = Peer::always(400, &[], "two\nlines\u{1b}[2J").await;
    assert_eq!(failure(&peer).await.to_string(), "the answer was 400: two\\u000alines\\u001b[2J");
}

#[test]
fn when_to_come_again_is_told_by_the_platforms_clock() {
    let headers = |list: &[(&'static str, &'static str)]| {
        list.iter()
            .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_static(value)))
            .collect()
    };
    let date = ("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    for (list, expected) in [
        (vec![], None),
        (vec![("retry-after", "60")], Some(60)),
        (vec![date, ("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT")], Some(60)),
        (vec![date, ("x-ratelimit-reset", "1700000100")], Some(100)),
        (vec![date, ("x-ratelimit-reset", "1600000000")], Some(0)),
        (vec![("x-ratelimit-reset", "1700000100")], None),
        (vec![date, ("retry-after", "soon")], None),
    ] {
        assert_eq!(again_after_s(&headers(&list)), expected, "{list:?}");
    }
}

#[test]
fn a_url_is_shown_without_what_may_be_secret_in_it() {
    let token = Secret::new(TOKEN);
    for (url, expected) in [
        ("https://a.org/x?token=s#y", "https://a.org/x"),
        ("https://user:s@a.org/x", "https://a.org/x"),
        ("https://a.org/abcdefghijkl", "https://a.org/<hidden>"),
    ] {
        assert_eq!(shown(url, &token), expected);
    }
    assert!(leads_elsewhere(Some(&"https://a/b".to_owned()), "https://a/c"));
    assert!(!leads_elsewhere(Some(&"https://a/b".to_owned()), "https://a/b/"));
    assert!(!leads_elsewhere(None, "https://a/c"));
}
