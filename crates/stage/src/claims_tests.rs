use tokio_util::sync::CancellationToken;

use super::*;

#[test]
fn only_a_claim_proves_that_claims_are_well_again() {
    let health = Health::new("processing", CancellationToken::new());
    let checks = ClaimChecks::new(&health, "processing_claims", "processing_claims_reach", "the topics come");
    let state = || {
        let digest = health.digest();
        let check = digest.checks.iter().find(|check| check.name == "processing_claims").unwrap();
        (check.state(), check.message.clone())
    };
    assert_eq!(state().0, service::State::Unknown);
    assert!(state().1.starts_with("waiting for the store"), "{}", state().1);
    checks.state(ClaimsState::Ready);
    assert_eq!(state().0, service::State::Ok);
    checks.failed(&Error::Full);
    checks.state(ClaimsState::Ready);
    assert_eq!(state().0, service::State::Failing, "ready, says a store whose claims fail");
    checks.answered();
    checks.state(ClaimsState::Ready);
    assert_eq!(state().0, service::State::Ok);
}

fn reach() -> Reach {
    let day = Duration::from_secs(24 * 3600);
    Reach {
        ttl: 8 * day,
        whole: 8 * day,
        oldest: Some(7 * day),
        evicted: 0,
        evicted_before: None,
        evicts: None,
        fill: None,
    }
}

#[test]
fn claims_that_were_thrown_away_are_told() {
    let lost =
        Reach { whole: Duration::from_secs(6 * 3600), evicted: 3, evicted_before: Some(Duration::ZERO), ..reach() };
    let away = Error::Claims { store: "redis".into(), reason: "refused".into() };
    let table = [
        (Ok(reach()), service::State::Ok, Some(8.0), "the oldest in a sample is 7.0 days old"),
        (
            Ok(Reach { evicts: Some("allkeys-lru".into()), ..reach() }),
            service::State::Warning,
            Some(8.0),
            "allkeys-lru",
        ),
        (Ok(Reach { fill: Some(0.9), ..reach() }), service::State::Warning, Some(8.0), "90% of the store's memory"),
        (Ok(lost), service::State::Failing, Some(0.25), "(3 keys since it was started"),
        (Err(away), service::State::Unknown, None, "refused"),
    ];
    let health = Health::new("processing", CancellationToken::new());
    let checks = ClaimChecks::new(&health, "processing_claims", "processing_claims_reach", "the topics come");
    for (reach, state, value, text) in table {
        checks.reach(&reach);
        let digest = health.digest();
        let check = digest.checks.iter().find(|check| check.name == "processing_claims_reach").unwrap();
        assert_eq!((check.state(), check.value), (state, value), "{check:?}");
        assert!(check.message.contains(text), "{}", check.message);
        assert!(!check.gates_readiness && check.action() == Action::Ticket && check.unit == "days");
    }
}
