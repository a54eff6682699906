use tokio_util::sync::CancellationToken;

use super::*;

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
