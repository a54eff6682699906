use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use service::State;

use super::*;

#[tokio::test]
async fn a_lake_that_does_not_answer_fails() {
    let health = Health::new("enricher", CancellationToken::new());
    let checks = Checks::new(&health, Duration::from_secs(1));
    let told = || {
        let digest = health.digest();
        let check = digest.checks.into_iter().find(|check| check.name == "enricher_lake").unwrap();
        (check.state(), check.message)
    };
    let answers_after = |wait| {
        let config = ThrottleConfig { wait_list_with_delimiter_per_call: wait, ..ThrottleConfig::default() };
        Lake::with_store(Arc::new(ThrottledStore::new(InMemory::new(), config)), "s3://bucket")
    };
    let limit = Duration::from_millis(20);
    checks.look_at_lake(&answers_after(Duration::ZERO), limit).await;
    assert_eq!(told(), (State::Ok, "answers".to_owned()));

    checks.look_at_lake(&answers_after(Duration::from_secs(3600)), limit).await;
    let message = "the lake at s3://bucket did not answer within 20ms; the input of the enricher waits";
    assert_eq!(told(), (State::Failing, message.to_owned()));

    // A store that answers questions may refuse files all the same.
    checks.lake_failed("access denied");
    checks.look_at_lake(&answers_after(Duration::ZERO), limit).await;
    assert_eq!(told().0, State::Failing);
    checks.lake_ok();
    assert_eq!(told().0, State::Ok);
}

#[tokio::test]
async fn a_lake_that_nobody_looks_at_any_more_is_not_known() {
    let health = Health::new("enricher", CancellationToken::new());
    let checks = Checks::new(&health, Duration::from_secs(1));
    let lake = Lake::with_store(Arc::new(InMemory::new()), "memory");
    let state = |after| {
        let checks = health.checks_at(std::time::Instant::now() + after);
        checks.into_iter().find(|check| check.name == "enricher_lake").unwrap().state()
    };
    let until = CancellationToken::new();
    let looked = async {
        while state(Duration::ZERO) != State::Ok {
            tokio::task::yield_now().await;
        }
        until.cancel();
    };
    tokio::join!(checks.watch_lake(&lake, Duration::from_secs(1), until.clone()), looked);
    assert_eq!(state(Duration::from_secs(3600)), State::Unknown);
}
