use tokio_util::sync::CancellationToken;

use super::*;

#[test]
fn an_idle_time_is_no_stall() {
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    let mut waiting = Waiting::default();
    assert_eq!(waiting.stalled(0, 3600 * second, start), Duration::ZERO);
    assert_eq!(waiting.stalled(5, 3601 * second, start + second), Duration::ZERO, "the work has just come");
    assert_eq!(waiting.stalled(5, 3604 * second, start + 4 * second), 3 * second);
    assert_eq!(waiting.stalled(5, second, start + 5 * second), second, "something was done");
    assert_eq!(waiting.stalled(0, second, start + 6 * second), Duration::ZERO);
    assert_eq!(waiting.stalled(1, 60 * second, start + 66 * second), Duration::ZERO);
}

#[test]
fn only_a_claim_proves_that_claims_are_well_again() {
    let health = Health::new("processing", CancellationToken::new());
    let checks = Checks::new(&health, Duration::from_secs(60));
    let state = || {
        let digest = health.digest();
        let check = digest.checks.iter().find(|check| check.name == "processing_claims").unwrap();
        (check.state(), check.message.clone())
    };
    assert_eq!(state().0, service::State::Unknown);
    assert!(state().1.starts_with("waiting for the store"), "{}", state().1);
    checks.claims_state(ClaimsState::Ready);
    assert_eq!(state().0, service::State::Ok);
    checks.claims_failed(&Error::Full);
    checks.claims_state(ClaimsState::Ready);
    assert_eq!(state().0, service::State::Failing, "ready, says a store whose claims fail");
    checks.claims_ok();
    checks.claims_state(ClaimsState::Ready);
    assert_eq!(state().0, service::State::Ok);
}
