use service::State;
use tokio_util::sync::CancellationToken;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn unread(group: &str, days: u32) -> Unread {
    let (group, topic) = (group.into(), "raw.github".into());
    Unread { group, topic, partition: 3, records: 12, age: DAY * days, retention: DAY * 7 }
}

#[test]
fn what_is_not_read_is_told_before_and_after_its_time() {
    let health = Health::new("weir", CancellationToken::new());
    let checks = Checks::new(&health);
    let old = |group| unread(group, 9);
    let table = [
        (vec![], State::Ok, "half of its retention"),
        (vec![unread("a", 4)], State::Warning, "a has not read 12 records of raw.github/3: the oldest is 4.0 days old"),
        (vec![unread("a", 4), old("b")], State::Failing, "b has not read 12 records"),
        (vec![old("a"), old("b"), old("c"), old("d")], State::Failing, "; and 1 more; the log keeps unread records"),
    ];
    for (unread, state, text) in table {
        checks.look(&Keeping { clock_jumped_by: None, unread });
        let digest = health.digest();
        let check = digest.checks.iter().find(|check| check.name == "embedded_unread").unwrap();
        assert_eq!(check.state(), state, "{check:?}");
        assert!(check.message.contains(text), "{check:?}");
    }
}

#[test]
fn a_clock_that_jumped_is_told() {
    let health = Health::new("weir", CancellationToken::new());
    let checks = Checks::new(&health);
    for (jump, state, text) in [(None, State::Ok, "is right"), (Some("+40 days 0 h"), State::Warning, "+40 days 0 h")] {
        checks.look(&Keeping { clock_jumped_by: jump.map(ToOwned::to_owned), unread: Vec::new() });
        let digest = health.digest();
        let check = digest.checks.iter().find(|check| check.name == "embedded_clock").unwrap();
        assert_eq!(check.state(), state, "{check:?}");
        assert!(check.message.contains(text), "{check:?}");
    }
}
