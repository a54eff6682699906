use super::*;
use crate::peer::Peer;
use crate::settings::tests::settings;

fn platforms(timeout: &str, at: &str) -> Platforms {
    Platforms::new(&settings(&format!(
        "timeout_ms = \"{timeout}\"\nallow_networks = [\"127.0.0.0/8\"]\nmeta_url = \"http://{at}\"\ngithub_url = \"http://{at}\"\n\
         [[endpoints]]\nname = \"ci\"\ngithub = {{ organization = \"o\", hook = 1, token = \"t\" }}\n\
         [[endpoints]]\nname = \"app\"\nmeta = {{ app_id = \"1\", app_token = \"t\" }}\n"
    )))
}

#[tokio::test]
async fn an_endpoint_without_credentials_is_not_asked_for() {
    let platforms = platforms("1s", "127.0.0.1:9");
    assert_eq!(platforms.endpoints().collect::<Vec<_>>(), ["app", "ci"]);
    assert_eq!(platforms.check("shop").await, PlatformAnswer::NotAsked);
    let none = platforms.subscribe("shop", true).await.unwrap_err();
    assert_eq!(none.to_string(), "platforms.endpoints has no \"shop\": name the endpoint there, with its token");
}

#[tokio::test]
async fn each_platform_has_its_own_remedy() {
    let platforms = platforms("1s", "127.0.0.1:9");
    let order = RedeliveryOrder::since(std::time::UNIX_EPOCH);
    let none = platforms.redeliver("app", &order).await.unwrap_err();
    assert_eq!(none.to_string(), "\"app\" is at Meta, which sends again by itself for 36 hours");
    let none = platforms.subscribe("ci", true).await.unwrap_err();
    assert_eq!(
        none.to_string(),
        "\"ci\" is at GitHub, which has no subscriptions of pages: change the hook on its page"
    );
}

#[tokio::test]
async fn a_look_ends_within_its_limit() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let platforms = platforms("100ms", &silent.local_addr().unwrap().to_string());
    for (endpoint, platform) in [("ci", Platform::GitHub), ("app", Platform::Meta)] {
        let late = PlatformAnswer::Unknown { platform, why: CallFailure::Late { limit_ms: 100 } };
        assert_eq!(platforms.check(endpoint).await, late);
    }
}

#[tokio::test]
async fn results_are_told_as_json_for_the_audit() {
    let peer = Peer::always(200, &[], "[]").await;
    let platforms = platforms("10s", &peer.address.to_string());
    let done = platforms.redeliver("ci", &RedeliveryOrder::since(std::time::UNIX_EPOCH)).await.unwrap();
    let told = r#"{"dry_run":false,"listed":0,"all_listed":true,"attempts":[],"left":0,"stopped":null}"#;
    assert_eq!(serde_json::to_string(&done).unwrap(), told);
    let answer =
        PlatformAnswer::Unknown { platform: Platform::GitHub, why: CallFailure::RateLimited { again_after_s: None } };
    let told = r#"{"unknown":{"platform":"github","why":{"rate_limited":{"again_after_s":null}}}}"#;
    assert_eq!(serde_json::to_string(&answer).unwrap(), told);
}
