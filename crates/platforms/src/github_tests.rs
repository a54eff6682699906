use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use common::time::from_seconds;
use proptest::prelude::*;

use super::*;
use crate::peer::{Peer, answer, with};
use crate::settings::tests::settings;

fn github_at(peer: &Peer, place: &str) -> GitHub {
    let text = format!(
        "github_url = \"http://{}/api/v3\"\nallow_networks = [\"127.0.0.0/8\"]\n[[endpoints]]\nname = \"ci\"\n\
         callback_url = \"https://weir.example.org/webhooks/ci\"\ngithub = {{ {place}, hook = 7, token = \"ghp_0123456789\" }}\n",
        peer.address
    );
    let all = settings(&text);
    let endpoint = &all.endpoints[0];
    GitHub::new(&all, endpoint.github.as_ref().unwrap(), endpoint.callback_url.as_ref())
}

fn github(peer: &Peer) -> GitHub {
    github_at(peer, "repository = \"octo/hello\"")
}

const HOOK: &str = "/api/v3/repos/octo/hello/hooks/7";

/// As GitHub documents it.
fn hook(active: bool, url: &str, last_response: &str) -> String {
    format!(
        r#"{{"type":"Repository","id":7,"name":"web","active":{active},"events":["push"],"config":{{"content_type":"json",
        "insecure_ssl":"0","url":"{url}","secret":"********"}},"updated_at":"2019-06-03T00:57:16Z","last_response":{last_response}}}"#
    )
}

const OWN: &str = "https://weir.example.org/webhooks/ci";

async fn check(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<String>) -> PlatformAnswer {
    let peer = Peer::always(status, headers, body).await;
    github(&peer).check().await
}

#[tokio::test]
async fn a_hook_is_asked_for_as_github_documents_it() {
    let body = hook(true, OWN, r#"{"code":null,"status":"unused","message":null}"#);
    let peer = Peer::always(200, &[], body.clone()).await;
    let active = PlatformAnswer::Active { platform: Platform::GitHub, last: None };
    assert_eq!(github(&peer).check().await, active);
    let asked = peer.asked();
    assert_eq!(peer.lines(), [format!("GET {HOOK}")]);
    assert_eq!(asked[0].header("authorization"), "Bearer ghp_0123456789");
    assert_eq!(asked[0].header("accept"), "application/vnd.github+json");
    assert_eq!(asked[0].header("x-github-api-version"), "2022-11-28");
    assert!(asked[0].header("user-agent").starts_with("weir/"), "GitHub refuses who has none");
    assert_eq!(github_at(&peer, "organization = \"octo\"").check().await, active);
    assert_eq!(peer.lines()[1], "GET /api/v3/orgs/octo/hooks/7");
}

#[tokio::test]
async fn what_github_says_of_a_hook_has_a_type() {
    let last = |code, message: &str| Some(LastResponse { code, message: message.to_owned() });
    let bad = r#"{"code":502,"status":"missing","message":"Invalid HTTP Response: 502"}"#;
    let bad_last = last(Some(502), "Invalid HTTP Response: 502");
    for (body, expected) in [
        (hook(true, OWN, "null"), PlatformAnswer::Active { platform: Platform::GitHub, last: None }),
        (hook(true, OWN, bad), PlatformAnswer::Active { platform: Platform::GitHub, last: bad_last.clone() }),
        (hook(false, OWN, bad), PlatformAnswer::HookInactive { last: bad_last }),
        (
            hook(false, OWN, r#"{"code":null,"status":"timed out","message":null}"#),
            PlatformAnswer::HookInactive { last: last(None, "timed out") },
        ),
        (
            hook(true, "https://old.example.org/x?secret=1", "null"),
            PlatformAnswer::OtherUrl { platform: Platform::GitHub, url: "https://old.example.org/x".to_owned() },
        ),
    ] {
        assert_eq!(check(200, &[], body).await, expected);
    }
}

#[tokio::test]
async fn a_hook_is_gone_only_if_the_token_sees_the_others() {
    let list = "GET /api/v3/repos/octo/hello/hooks?per_page=1";
    let none = r#"{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}"#;
    let sees = Peer::new(move |line| if line == list { answer(200, "[]") } else { answer(404, none) }).await;
    assert_eq!(github(&sees).check().await, PlatformAnswer::HookGone);
    let why = CallFailure::NotFound { said: "Not Found".to_owned() };
    assert_eq!(check(404, &[], none).await, PlatformAnswer::Unknown { platform: Platform::GitHub, why });
}

#[tokio::test]
async fn what_is_not_known_says_why() {
    let unknown = |why| PlatformAnswer::Unknown { platform: Platform::GitHub, why };
    let said = |said: &str| said.to_owned();
    let bad = r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}"#;
    let expired = unknown(CallFailure::TokenRefused { status: 401, said: said("Bad credentials") });
    assert_eq!(check(401, &[], bad).await, expired);
    let may_not = r#"{"message":"Resource not accessible by personal access token"}"#;
    let refused =
        CallFailure::TokenRefused { status: 403, said: said("Resource not accessible by personal access token") };
    assert_eq!(check(403, &[("x-ratelimit-remaining", "4999")], may_not).await, unknown(refused));
    let limit = r#"{"message":"API rate limit exceeded for user ID 1."}"#;
    let reset = [
        ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1700000900"),
    ];
    let limited = |seconds| unknown(CallFailure::RateLimited { again_after_s: Some(seconds) });
    assert_eq!(check(403, &reset, limit).await, limited(900));
    assert_eq!(check(403, &[("retry-after", "60")], limit).await, limited(60));
    assert_eq!(check(429, &[("retry-after", "60")], limit).await, limited(60));
    // A repository that was renamed.
    let moved = check(301, &[("location", "/api/v3/repositories/1/hooks/7")], "{}").await;
    assert_eq!(moved, unknown(CallFailure::Moved { status: 301 }));
    let unreadable = check(200, &[], "[]").await;
    assert!(matches!(unreadable, PlatformAnswer::Unknown { why: CallFailure::Unreadable { .. }, .. }), "{unreadable}");
}

/// What GitHub keeps of a hook: attempts, the oldest first, and what comes of those that are asked for.
struct Kept {
    attempts: Vec<(String, i64, u16)>,
    per_list: usize,
    /// By GUID: the status of a redelivery.
    then: BTreeMap<String, u16>,
    posted: Vec<String>,
}

impl Kept {
    fn answers(&mut self, line: &str) -> Response<String> {
        let path = format!("{HOOK}/deliveries");
        let (method, path_of_it) = line.split_once(' ').unwrap();
        let rest = path_of_it.strip_prefix(&path).unwrap();
        if method == "POST" {
            let id: usize =
                rest.strip_prefix('/').and_then(|rest| rest.strip_suffix("/attempts")).unwrap().parse().unwrap();
            let (guid, at, _) = self.attempts[id].clone();
            self.posted.push(guid.clone());
            let status = self.then.get(&guid).copied().unwrap_or(200);
            self.attempts.push((guid, at.max(NOW), status));
            return answer(202, "{}");
        }
        assert!(rest.starts_with("?per_page=100"), "{line}");
        let skip: usize = rest.split_once("cursor=").map_or(0, |(_, at)| at.parse().unwrap());
        let newest: Vec<_> = self.attempts.iter().enumerate().rev().skip(skip).take(self.per_list).collect();
        let list: Vec<_> = newest
            .iter()
            .map(|(id, (guid, at, status))| {
                let time = from_seconds(*at);
                format!(
                    r#"{{"id":{id},"guid":"{guid}","delivered_at":"{time}","status_code":{status},"event":"push"}}"#
                )
            })
            .collect();
        let mut told = answer(200, format!("[{}]", list.join(",")));
        let next = skip + self.per_list;
        if next < self.attempts.len() {
            // Leads elsewhere, where nobody may follow.
            let link = format!(
                "<http://127.0.0.1:9/x?per_page=9&cursor={next}>; rel=\"next\", <http://127.0.0.1:9/x>; rel=\"prev\""
            );
            told.headers_mut().insert("link", link.parse().unwrap());
        }
        told
    }
}

const NOW: i64 = 1_700_000_000;

async fn keeps(kept: Kept) -> (Peer, Arc<Mutex<Kept>>) {
    let kept = Arc::new(Mutex::new(kept));
    let of_peer = Arc::clone(&kept);
    (Peer::new(move |line| of_peer.lock().unwrap().answers(line)).await, kept)
}

fn kept(attempts: &[(&str, i64, u16)], per_list: usize) -> Kept {
    let mut attempts: Vec<_> =
        attempts.iter().map(|(guid, ago, code)| ((*guid).to_owned(), NOW - ago, *code)).collect();
    attempts.sort_by_key(|(_, at, _)| *at);
    Kept { attempts, per_list, then: BTreeMap::new(), posted: Vec::new() }
}

/// What failed in the last hours.
fn order(hours: u64) -> RedeliveryOrder {
    let since = UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs() - hours * 3600);
    RedeliveryOrder { pause: Duration::ZERO, ..RedeliveryOrder::since(since) }
}

const SOME: &[(&str, i64, u16)] = &[
    ("a", 60, 502),
    ("b", 120, 500),
    ("b", 30, 200),
    ("c", 180, 504),
    ("c", 90, 502),
    ("d", 9000, 502),
    ("e", 9100, 200),
];

#[tokio::test]
async fn what_failed_is_asked_for_once_and_the_oldest_first() {
    for per_list in [1, 2, 100] {
        let (peer, kept) = keeps(kept(SOME, per_list)).await;
        let done = github(&peer).redeliver(&order(1)).await;
        assert_eq!(kept.lock().unwrap().posted, ["c", "a"]);
        let told: Vec<_> = done.attempts.iter().map(|one| (&*one.guid, one.status_code, &one.outcome)).collect();
        assert_eq!(told, [("c", 502, &RedeliveryOutcome::Asked), ("a", 502, &RedeliveryOutcome::Asked)]);
        assert_eq!((done.asked(), done.left, done.all_listed, done.stopped.is_none()), (2, 0, true, true));
        // Once they have come, there is nothing to do.
        assert_eq!(github(&peer).redeliver(&order(1)).await.attempts, []);
    }
}

#[tokio::test]
async fn a_dry_run_asks_for_nothing_and_says_what_it_would() {
    let (peer, kept) = keeps(kept(SOME, 100)).await;
    let done = github(&peer).redeliver(&RedeliveryOrder { dry_run: true, most: 1, ..order(3) }).await;
    assert_eq!((kept.lock().unwrap().posted.len(), done.listed, done.left), (0, 7, 2));
    let told: Vec<_> = done.attempts.iter().map(|one| (&*one.guid, &one.outcome)).collect();
    assert_eq!(told, [("d", &RedeliveryOutcome::WouldAsk)]);
}

#[tokio::test]
async fn an_order_has_a_most_and_the_next_run_goes_on() {
    let (peer, kept) = keeps(kept(SOME, 100)).await;
    let one = RedeliveryOrder { most: 1, ..order(3) };
    for (guid, left) in [("d", 2), ("c", 1), ("a", 0)] {
        let done = github(&peer).redeliver(&one).await;
        assert_eq!((&*done.attempts[0].guid, done.left), (guid, left));
    }
    assert_eq!(kept.lock().unwrap().posted, ["d", "c", "a"]);
}

#[tokio::test]
async fn lists_without_end_are_not_read_to_it() {
    let many: Vec<_> = (0..30).map(|n| ("a", 30 - n, 502)).collect();
    let (peer, _) = keeps(kept(&many, 1)).await;
    let done = github(&peer).redeliver(&order(1)).await;
    assert_eq!((done.listed, done.all_listed, done.asked()), (MOST_LISTS, false, 1));
}

/// One failed delivery in the list, and what GitHub says to the call for it.
async fn posts(guids: &[&str], status: u16, headers: &'static [(&'static str, &'static str)]) -> (Redelivery, usize) {
    let failed: Vec<_> = guids.iter().map(|guid| (*guid, 60, 502)).collect();
    let mut kept = kept(&failed, 100);
    let said = r#"{"message":"no"}"#;
    let peer =
        Peer::new(move |line| if line.starts_with("POST") { with(status, headers, said) } else { kept.answers(line) })
            .await;
    let done = github(&peer).redeliver(&order(1)).await;
    (done, peer.lines().iter().filter(|line| line.starts_with("POST")).count())
}

#[tokio::test]
async fn it_ends_at_the_first_sign_of_a_rate_limit() {
    let near = |remaining| Some(RedeliveryStop::NearRateLimit { remaining, again_after_s: None });
    let (done, asked) = posts(&["a", "b", "c"], 202, &[("x-ratelimit-remaining", "50")]).await;
    assert_eq!((asked, done.asked(), done.left, done.stopped), (1, 1, 2, near(50)));
    let (done, asked) = posts(&["a", "b", "c"], 403, &[("retry-after", "60")]).await;
    let limited = Some(RedeliveryStop::Failed(CallFailure::RateLimited { again_after_s: Some(60) }));
    assert_eq!((asked, done.asked(), done.left, done.stopped), (1, 0, 2, limited));
    let peer = Peer::always(200, &[("x-ratelimit-remaining", "3")], "[]").await;
    assert_eq!(github(&peer).redeliver(&order(1)).await.stopped, near(3));
    let peer = Peer::always(429, &[("retry-after", "9")], "{}").await;
    let done = github(&peer).redeliver(&order(1)).await;
    let limited = RedeliveryStop::Failed(CallFailure::RateLimited { again_after_s: Some(9) });
    assert_eq!((done.stopped, done.listed), (Some(limited), 0));
}

#[tokio::test]
async fn one_that_cannot_be_sent_again_holds_up_no_other() {
    for status in [404, 422] {
        let (done, asked) = posts(&["a", "b"], status, &[]).await;
        assert_eq!((asked, done.asked(), done.left, done.stopped), (2, 0, 0, None));
    }
    for status in [401, 500, 502] {
        let (done, asked) = posts(&["a", "b"], status, &[]).await;
        assert!(matches!(done.stopped, Some(RedeliveryStop::Failed(_))), "{status}");
        assert_eq!((asked, done.left), (1, 1));
    }
}

#[test]
fn the_next_list_is_found_among_links() {
    for (link, expected) in [
        ("<https://a/x?cursor=v1_1&per_page=9>; rel=\"next\"", Some("v1_1")),
        (
            "<https://a/x?cursor=v1_0>; rel=\"prev\", <https://a/x?per_page=9&cursor=v1_2%3D>; rel=\"next\"",
            Some("v1_2="),
        ),
        ("<https://a/x?cursor=v1_0>; rel=\"prev\"", None),
        ("<https://a/x?page=2>; rel=\"next\"", None),
        ("<no url>; rel=\"next\"", None),
        ("nonsense, <", None),
    ] {
        let headers = HeaderMap::from_iter([(LINK, link.parse().unwrap())]);
        assert_eq!(next_cursor(&headers).as_deref(), expected, "{link}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever GitHub keeps and whatever comes of it, in several runs.
    #[test]
    fn no_delivery_is_asked_for_twice_in_a_run_or_after_it_has_succeeded(
        attempts in prop::collection::vec((0..6_u8, 0..7200_i64, prop::sample::select(vec![200_u16, 202, 301, 404, 502])), 0..25),
        then in prop::collection::vec(prop::sample::select(vec![200_u16, 502]), 6),
        per_list in 3..9_usize,
        most in 1..8_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let attempts: Vec<_> = attempts.iter().map(|(guid, ago, code)| (format!("g{guid}"), *ago, *code)).collect();
            let attempts: Vec<_> = attempts.iter().map(|(guid, ago, code)| (guid.as_str(), *ago, *code)).collect();
            let mut all = kept(&attempts, per_list);
            all.then = (0..).zip(then).map(|(guid, code)| (format!("g{guid}"), code)).collect();
            let (peer, kept) = keeps(all).await;
            for _ in 0..3 {
                let succeeded: BTreeSet<_> = {
                    let mut kept = kept.lock().unwrap();
                    kept.posted.clear();
                    // What succeeded before the time that is looked at is not known, and a failure after it is asked for.
                    let known = kept.attempts.iter().filter(|(_, at, code)| *code < 300 && *at >= NOW - 3600);
                    known.map(|(guid, ..)| guid.clone()).collect()
                };
                let done = github(&peer).redeliver(&RedeliveryOrder { most, ..order(1) }).await;
                let kept = kept.lock().unwrap();
                let posted: BTreeSet<_> = kept.posted.iter().cloned().collect();
                prop_assert_eq!(posted.len(), kept.posted.len(), "twice: {:?}", &kept.posted);
                prop_assert!(posted.is_disjoint(&succeeded), "{:?} had succeeded: {:?}", &kept.posted, succeeded);
                prop_assert!(kept.posted.len() <= most);
                let told: Vec<_> = done.attempts.iter().map(|one| one.guid.clone()).collect();
                prop_assert_eq!(&told, &kept.posted);
            }
            Ok(())
        })?;
    }
}
