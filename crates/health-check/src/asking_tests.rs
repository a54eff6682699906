use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::settings::{DEFAULTS, Settings};
use crate::volume::door::tests::silent_shop;

/// `shop` is a hook of GitHub, which is at this address.
fn platforms(github: SocketAddr) -> Platforms {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let text = format!(
        "[[health_check.services]]\nname = \"streaming\"\naddresses = [\"http://door:9090\"]\nexpected = 1\n\
         [platforms]\ntimeout_ms = \"100ms\"\ngithub_url = \"http://{github}\"\nallow_networks = [\"127.0.0.0/8\"]\n\
         [[platforms.endpoints]]\nname = \"shop\"\ngithub = {{ repository = \"octo/shop\", hook = 7, token = \"t\" }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let settings: Settings = service::load(DEFAULTS, Some(&file), []).unwrap();
    Platforms::new(&settings.platforms)
}

/// What is found of the volume after GitHub was asked.
async fn found(github: SocketAddr) -> Vec<String> {
    let known = Known::new(silent_shop().0);
    let asking = Asking::new(platforms(github), known.clone()).unwrap();
    asking.look().await;
    let view = known.view();
    let of_it = view.problems.iter().filter(|problem| problem.check == "volume");
    of_it.map(|problem| problem.found.split_once("; ").unwrap().1.to_owned()).collect()
}

#[tokio::test]
async fn the_platform_of_a_silent_endpoint_is_asked_and_its_answer_is_in_the_page() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let github = listener.local_addr().unwrap();
    let hook = r#"{"active":false,"config":{},"last_response":{"code":502,"status":"missing","message":"no"}}"#;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, Router::new().fallback(async move || hook)).await.unwrap() });
    assert_eq!(found(github).await, ["GitHub's hook is inactive, its last response was 502)"]);
}

#[tokio::test]
async fn a_platform_that_does_not_answer_in_time_is_told_as_that() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let said = found(silent.local_addr().unwrap()).await;
    assert_eq!(said, ["GitHub was asked, without result: no answer within 0.1 s)"]);
}
