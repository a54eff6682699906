use proptest::prelude::*;

use super::*;

fn spec(name: &'static str, gates_readiness: bool) -> CheckSpec {
    CheckSpec { name, action: Action::Page, gates_readiness, unit: "seconds", threshold: Some(5.0) }
}

fn health() -> Health {
    Health::new("test", CancellationToken::new())
}

#[test]
fn without_checks_it_is_ready() {
    assert!(health().is_ready());
    assert!(health().not_ready_because().is_empty());
}

#[test]
fn readiness_follows_the_checks_that_gate_it() {
    let health = health();
    let bus = health.check(spec("bus", true));
    assert!(!health.is_ready(), "unknown at first");
    assert_eq!(health.not_ready_because(), ["bus: unknown: not checked yet"]);
    bus.ok("connected");
    assert!(health.is_ready());
    bus.warn("slow");
    assert!(health.is_ready(), "a warning does not gate");
    bus.fail("no broker answers");
    assert_eq!(health.not_ready_because(), ["bus: failing: no broker answers"]);
    bus.unknown("asking");
    assert_eq!(health.not_ready_because(), ["bus: unknown: asking"]);
    bus.ok("connected");

    let lag = health.check(spec("lag", false));
    lag.fail("an hour behind");
    assert!(health.is_ready(), "this one does not gate");
}

#[test]
fn a_shutdown_ends_readiness() {
    let shutdown = CancellationToken::new();
    let health = Health::new("test", shutdown.clone());
    shutdown.cancel();
    assert!(!health.is_ready());
    assert_eq!(health.not_ready_because(), ["shutting down"]);
    assert!(!health.digest().ready);
}

#[test]
fn since_is_the_change_of_the_state_and_not_the_last_check() {
    let health = health();
    let bus = health.check(spec("bus", true));
    let since = |health: &Health| health.digest().checks[0].since.unwrap();
    bus.ok("1");
    let first = since(&health);
    bus.ok("2");
    assert_eq!(since(&health), first);
    assert_eq!(health.digest().checks[0].message, "2");
    bus.fail("3");
    assert!((since(&health).seconds, since(&health).nanos) > (first.seconds, first.nanos));
}

#[test]
fn what_was_found_long_ago_says_nothing_of_now() {
    let health = health();
    let bus = health.check(spec("bus", true));
    let told = |seconds| {
        let checks = health.lock();
        checks["bus"].check(checks["bus"].told + Duration::from_secs(seconds))
    };
    bus.value(1.5);
    bus.ok("answers");
    assert_eq!((told(86400).state(), told(86400).value), (State::Ok, Some(1.5)), "nobody looks again and again");
    for (every, fresh, old) in [(2, 29, 30), (60, 239, 240)] {
        bus.every(Duration::from_secs(every));
        assert_eq!(told(fresh).state(), State::Ok);
        let told = told(old);
        assert_eq!((told.state(), told.value, told.since), (State::Unknown, None, told.checked_at));
        assert_eq!(told.message, format!("not looked at for {old} s; before that: ok: answers"));
    }
    assert!(health.is_ready(), "it goes on with its work");
    bus.fail("no broker answers");
    assert_eq!(told(86400).state(), State::Failing, "that is not forgotten");
    bus.ok("answers");
    assert_eq!(told(239).state(), State::Ok, "it was looked at again");
    let later = |seconds| health.checks_at(Instant::now() + Duration::from_secs(seconds)).remove(0).state();
    assert_eq!((later(200), later(300)), (State::Ok, State::Unknown));
    let was = health.lock()["bus"].told;
    bus.stays();
    assert!(health.lock()["bus"].told > was, "it was looked at without an answer");
}

#[test]
fn without_an_answer_what_was_found_stays_for_a_while() {
    let health = health();
    let topics = health.check(spec("topics", true));
    topics.every(Duration::from_secs(60));
    topics.ok("all topics exist");
    // It is looked at each second, and nobody answers.
    let at = |seconds| {
        let mut checks = health.lock();
        let entry = checks.get_mut("topics").unwrap();
        let now = entry.found + Duration::from_secs(seconds);
        entry.stays(now);
        entry.check(now).state()
    };
    let states: Vec<State> = (0..900).map(at).collect();
    // The last that counts, and four looks after it.
    let lasts = states.iter().take_while(|state| **state == State::Ok).count();
    assert_eq!(lasts, 599 + 240, "{:?}", &states[590..]);
    assert!(states[lasts..].iter().all(|state| *state == State::Unknown));
    assert!(health.is_ready(), "it goes on with its work");
    topics.ok("all topics exist");
    assert_eq!(at(1), State::Ok);
}

#[test]
fn the_digest_has_everything() {
    let health = health();
    let lag = health.check(spec("lag", false));
    health.check(spec("bus", true)).ok("connected");
    lag.value(7.5);
    assert_eq!(health.digest().checks[1].value, None, "shown with the next state");
    lag.warn("7.5 s behind");
    let digest = health.digest();
    assert_eq!((digest.service.as_str(), digest.ready), ("test", true));
    assert_eq!(digest.version, env!("CARGO_PKG_VERSION"));
    assert!(digest.instance.ends_with(&format!(":{}", std::process::id())), "{}", digest.instance);
    let names: Vec<&str> = digest.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["bus", "lag"], "by name");
    let check = &digest.checks[1];
    assert_eq!((check.state(), check.action(), check.value), (State::Warning, Action::Page, Some(7.5)));
    assert_eq!((check.threshold, check.unit.as_str(), check.gates_readiness), (Some(5.0), "seconds", false));
    lag.ok("caught up");
    assert_eq!(health.digest().checks[1].value, None, "a value belongs to one state");
}

#[test]
fn a_message_is_never_longer_than_a_phone_shows() {
    let health = health();
    let bus = health.check(spec("bus", true));
    let message = |health: &Health| health.digest().checks[0].message.clone();
    let fits = "x".repeat(1024);
    bus.fail(&fits);
    assert_eq!(message(&health), fits);
    for long in ["x".repeat(24 * 1024), "ü".repeat(1000), format!("x{}", "€".repeat(500))] {
        bus.fail(&long);
        let told = message(&health);
        assert!(told.len() <= 1024 && told.len() > 1000, "{}", told.len());
        let start = told.strip_suffix(" … (cut; see the log)").unwrap();
        assert!(long.starts_with(start));
    }
}

#[test]
fn what_is_behind_a_check_is_told_with_the_next_state_only() {
    let health = health();
    let bus = health.check(spec("bus", true));
    let failure = || health.digest().checks[0].failure();
    bus.because(FailureKind::Credentials);
    assert_eq!(failure(), FailureKind::Unspecified, "it has not failed yet");
    bus.fail("wrong password");
    assert_eq!(failure(), FailureKind::Credentials);
    bus.fail("away");
    assert_eq!(failure(), FailureKind::Unspecified);
    let failing = health.digest().checks.remove(0);
    let json = |failure: FailureKind| {
        let check = Check { failure: failure.into(), ..failing.clone() };
        serde_json::to_value(crate::digest_json::CheckJson::from(check)).unwrap()
    };
    assert_eq!(json(FailureKind::NotAcknowledged)["failure"], "not_acknowledged");
    assert!(json(FailureKind::Unspecified).get("failure").is_none());
}

#[test]
fn a_name_is_one_check() {
    let health = health();
    let first = health.check(spec("bus", true));
    first.ok("connected");
    let second = health.check(spec("bus", true));
    assert!(health.is_ready(), "what is known is kept");
    second.fail("gone");
    assert_eq!(health.digest().checks.len(), 1);
    first.ok("back");
    assert!(health.is_ready());
}

proptest! {
    #[test]
    fn ready_is_no_gating_check_that_is_failing_or_unknown(
        states in prop::collection::vec((0usize..4, 0usize..4, any::<bool>()), 0..30),
    ) {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        let health = health();
        let subscribed = health.subscribe();
        let mut model = BTreeMap::new();
        for (name, state, gates) in states {
            let check = health.check(spec(NAMES[name], gates));
            match state {
                0 => check.ok(""),
                1 => check.warn(""),
                2 => check.fail(""),
                _ => check.unknown(""),
            }
            model.insert(name, gates && state >= 2);
            let ready = !model.values().any(|blocks| *blocks);
            prop_assert_eq!(health.is_ready(), ready);
            prop_assert_eq!(*subscribed.borrow(), ready);
            prop_assert_eq!(health.not_ready_because().is_empty(), ready);
        }
    }
}
