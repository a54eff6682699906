use super::*;
use crate::peer::{Peer, answer, with};
use crate::settings::tests::settings;

/// An app with two pages, which are to be subscribed to `feed` and `mention`.
fn meta(peer: &Peer) -> Meta {
    let text = format!(
        "meta_url = \"http://{}/v26.0\"\nallow_networks = [\"127.0.0.0/8\"]\n[[endpoints]]\nname = \"a\"\n\
         callback_url = \"https://weir.example.org/webhooks/a\"\n[endpoints.meta]\napp_id = \"900\"\napp_token = \"900|app-secret\"\n\
         [[endpoints.meta.pages]]\nid = \"1\"\ntoken = \"page-token-1\"\nfields = [\"feed\", \"mention\"]\n\
         [[endpoints.meta.pages]]\nid = \"2\"\ntoken = \"page-token-2\"\nfields = [\"feed\"]\n",
        peer.address
    );
    let all = settings(&text);
    let endpoint = &all.endpoints[0];
    Meta::new(&all, endpoint.meta.as_ref().unwrap(), endpoint.callback_url.as_ref())
}

const APP: &str = r#"{"data":[
  {"object":"user","callback_url":"https://elsewhere.example.org/","active":true,"fields":[]},
  {"object":"page","callback_url":"https://weir.example.org/webhooks/a","active":true,
   "fields":[{"name":"feed","version":"v26.0"},{"name":"mention","version":"v26.0"}]}]}"#;
const PAGE: &str = r#"{"data":[
  {"category":"Business","link":"https://www.facebook.com/games/?app_id=5","name":"Other","id":"5","subscribed_fields":["feed"]},
  {"category":"Business","link":"https://www.facebook.com/games/?app_id=900","name":"Weir","id":"900",
   "subscribed_fields":["feed","mention","ratings"]}],
  "paging":{"cursors":{"before":"b","after":"a"}}}"#;
const NONE: &str = r#"{"data":[]}"#;
const EXPIRED: &str = r#"{"error":{"message":"Error validating access token: Session has expired","type":"OAuthException",
  "code":190,"error_subcode":463,"fbtrace_id":"A"}}"#;

/// What the check says where the app and the pages are answered so.
async fn check(app: &'static str, pages: [(u16, &'static str); 2]) -> PlatformAnswer {
    let peer = Peer::new(move |line| match line {
        "GET /v26.0/900/subscriptions" => answer(200, app),
        "GET /v26.0/1/subscribed_apps" => answer(pages[0].0, pages[0].1),
        "GET /v26.0/2/subscribed_apps" => answer(pages[1].0, pages[1].1),
        other => panic!("{other}"),
    })
    .await;
    let checked = meta(&peer).check().await;
    let tokens: Vec<_> = peer.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(tokens[0], "Bearer 900|app-secret");
    assert!(tokens[1..].iter().all(|token| token.starts_with("Bearer page-token-")), "{tokens:?}");
    checked
}

#[tokio::test]
async fn a_subscription_is_present_if_the_app_and_all_pages_have_it() {
    let active = PlatformAnswer::Active { platform: Platform::Meta, last: None };
    assert_eq!(check(APP, [(200, PAGE), (200, PAGE)]).await, active);
}

#[tokio::test]
async fn what_is_wrong_with_the_app_is_said_before_the_pages() {
    let object = || "page".to_owned();
    for (app, expected) in [
        (NONE, PlatformAnswer::AppUnsubscribed { object: object() }),
        (
            r#"{"data":[{"object":"page","callback_url":"https://weir.example.org/webhooks/a","active":false,"fields":[]}]}"#,
            PlatformAnswer::AppInactive { object: object() },
        ),
        (
            r#"{"data":[{"object":"page","callback_url":"https://old.example.org/hook?key=s","active":true,"fields":[]}]}"#,
            PlatformAnswer::OtherUrl { platform: Platform::Meta, url: "https://old.example.org/hook".to_owned() },
        ),
        (
            r#"{"data":[{"object":"page","active":true,"fields":["feed"]}]}"#,
            PlatformAnswer::FieldsMissing { page: None, fields: vec!["mention".to_owned()] },
        ),
    ] {
        assert_eq!(check(app, [(500, ""), (500, "")]).await, expected);
    }
}

#[tokio::test]
async fn a_page_without_subscription_is_named_also_where_another_is_not_known() {
    let gone = PlatformAnswer::PagesUnsubscribed { pages: vec!["2".to_owned()], asked: 2 };
    assert_eq!(check(APP, [(200, PAGE), (200, NONE)]).await, gone);
    assert_eq!(check(APP, [(400, EXPIRED), (200, NONE)]).await, gone);
    let fewer = r#"{"data":[{"name":"Weir","id":"900","subscribed_fields":["feed"]}]}"#;
    let lacks = PlatformAnswer::FieldsMissing { page: Some("1".to_owned()), fields: vec!["mention".to_owned()] };
    assert_eq!(check(APP, [(200, fewer), (200, fewer)]).await, lacks);
}

#[tokio::test]
async fn what_is_not_known_says_why() {
    let unknown = |why| PlatformAnswer::Unknown { platform: Platform::Meta, why };
    let said = "Error validating access token: Session has expired (code 190)".to_owned();
    let expired = unknown(CallFailure::TokenRefused { status: 400, said });
    assert_eq!(check(APP, [(400, EXPIRED), (200, PAGE)]).await, expired);
    let limited = r#"{"error":{"message":"(#32) Page request limit reached","type":"OAuthException","code":32}}"#;
    assert_eq!(
        check(APP, [(400, limited), (200, PAGE)]).await,
        unknown(CallFailure::RateLimited { again_after_s: None })
    );
    let away = r#"{"error":{"message":"Unsupported get request.","type":"GraphMethodException","code":100,"error_subcode":33}}"#;
    let said = "Unsupported get request. (code 100)".to_owned();
    assert_eq!(check(APP, [(400, away), (200, PAGE)]).await, unknown(CallFailure::NotFound { said }));
    assert_eq!(
        check(APP, [(502, "<html>"), (200, PAGE)]).await,
        unknown(CallFailure::Refused { status: 502, said: String::new() })
    );
    let broken = check(APP, [(200, "{\"data\":"), (200, PAGE)]).await;
    assert!(matches!(broken, PlatformAnswer::Unknown { why: CallFailure::Unreadable { .. }, .. }), "{broken}");
}

#[tokio::test]
async fn a_list_of_apps_is_read_to_its_end_and_no_further() {
    let first =
        r#"{"data":[{"id":"5"}],"paging":{"cursors":{"after":"c/1"},"next":"https://elsewhere.example.org/?after=x"}}"#;
    let peer = Peer::new(move |line| match line {
        "GET /v26.0/1/subscribed_apps" => answer(200, first),
        "GET /v26.0/1/subscribed_apps?after=c%2F1" => answer(200, PAGE),
        other => panic!("{other}"),
    })
    .await;
    let asking = meta(&peer);
    let found = asking.fields_of(&asking.settings.pages[0]).await.unwrap().unwrap();
    assert!(found.contains("ratings"));
    let endless = Peer::always(200, &[], first).await;
    let asking = meta(&endless);
    asking.fields_of(&asking.settings.pages[0]).await.unwrap_err();
    assert_eq!(endless.asked().len(), MOST_LISTS);
}

/// The pages have these apps; Meta answers a subscription so.
async fn subscribe(
    pages: [&'static str; 2],
    done: (u16, &'static str),
    dry_run: bool,
) -> (Resubscription, Vec<String>) {
    let peer = Peer::new(move |line| match line {
        "GET /v26.0/1/subscribed_apps" => answer(200, pages[0]),
        "GET /v26.0/2/subscribed_apps" => answer(200, pages[1]),
        _ => answer(done.0, done.1),
    })
    .await;
    let done = meta(&peer).subscribe(dry_run).await;
    let lines = peer.lines().into_iter().filter(|line| line.starts_with("POST")).collect();
    (done, lines)
}

fn outcomes(done: &Resubscription) -> Vec<&PageOutcome> {
    done.pages.iter().map(|page| &page.outcome).collect()
}

#[tokio::test]
async fn only_what_is_not_subscribed_is_subscribed_again() {
    let (done, posts) = subscribe([PAGE, NONE], (200, r#"{"success":true}"#), false).await;
    assert_eq!(outcomes(&done), [&PageOutcome::AlreadySubscribed, &PageOutcome::Subscribed]);
    assert_eq!(done.pages[1].fields, ["feed"]);
    assert_eq!(posts, ["POST /v26.0/2/subscribed_apps?subscribed_fields=feed"]);
    let (done, posts) = subscribe([PAGE, PAGE], (500, ""), false).await;
    assert_eq!((outcomes(&done), posts.len()), (vec![&PageOutcome::AlreadySubscribed; 2], 0));
}

#[tokio::test]
async fn a_page_keeps_the_fields_that_it_has_beside_those() {
    let other = r#"{"data":[{"id":"900","subscribed_fields":["ratings","feed"]}]}"#;
    // Documented as a text.
    let (done, posts) = subscribe([other, PAGE], (200, r#"{"success":"true"}"#), false).await;
    assert_eq!(done.pages[0].outcome, PageOutcome::Subscribed);
    assert_eq!(posts, ["POST /v26.0/1/subscribed_apps?subscribed_fields=feed%2Cmention%2Cratings"]);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (done, posts) = subscribe([NONE, NONE], (200, r#"{"success":true}"#), true).await;
    assert_eq!((outcomes(&done), posts.len()), (vec![&PageOutcome::WouldSubscribe; 2], 0));
}

#[tokio::test]
async fn what_meta_does_not_do_is_told_and_a_rate_limit_ends_it() {
    let (done, _) = subscribe([NONE, PAGE], (200, r#"{"success":false}"#), false).await;
    assert!(matches!(done.pages[0].outcome, PageOutcome::Failed(CallFailure::Unreadable { .. })), "{done:?}");
    let limited = r#"{"error":{"message":"(#4) Application request limit reached","code":4}}"#;
    let (done, posts) = subscribe([NONE, NONE], (400, limited), false).await;
    let failed = PageOutcome::Failed(CallFailure::RateLimited { again_after_s: None });
    assert_eq!((outcomes(&done), posts.len()), (vec![&failed, &PageOutcome::NotTried], 1));
    // Another page has another token.
    let (done, posts) = subscribe([NONE, NONE], (400, EXPIRED), false).await;
    assert_eq!(posts.len(), 2);
    assert!(outcomes(&done).iter().all(|one| matches!(one, PageOutcome::Failed(CallFailure::TokenRefused { .. }))));
}

#[tokio::test]
async fn a_wait_that_meta_asks_for_is_told() {
    let limited = r#"{"error":{"message":"limit","code":613}}"#;
    let peer = Peer::new(move |_| with(400, &[("retry-after", "90")], limited)).await;
    let PlatformAnswer::Unknown { why, .. } = meta(&peer).check().await else { panic!() };
    assert_eq!(why, CallFailure::RateLimited { again_after_s: Some(90) });
}
