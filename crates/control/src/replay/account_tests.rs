use common::time::from_seconds;

use super::*;

fn event(n: u8) -> ReplayedEvent {
    ReplayedEvent { ce_type: "weir.github.v1.Push".into(), id: Id([n; 16]), index: u32::from(n) }
}

fn delivery(number: i64, events: &[u8], refused: u64) -> ReadDelivery {
    ReadDelivery {
        delivery_id: format!("d{number}"),
        endpoint: "app".into(),
        received_at: from_seconds(number),
        events: events.iter().map(|n| event(*n)).collect(),
        refused,
    }
}

/// Looks, and lets go what is to go.
fn look(account: &mut RawAccount, delivery: ReadDelivery, claimed: &[bool], is_done: bool) -> Vec<u32> {
    let Some(what) = account.look(delivery, claimed, is_done) else { return Vec::new() };
    account.goes(&what, true);
    account.sent();
    what.events.iter().map(|event| event.index).collect()
}

#[test]
fn only_what_lacks_something_goes_and_everything_is_counted() {
    let mut account = RawAccount::default();
    assert_eq!(look(&mut account, delivery(5, &[1, 2], 1), &[true, true], true), [0u32; 0], "all came out");
    assert_eq!(look(&mut account, delivery(3, &[3, 4, 5], 0), &[true, false, false], true), [4, 5]);
    // A redelivery of what goes already, with one event more.
    assert_eq!(look(&mut account, delivery(4, &[4, 6], 0), &[false, false], true), [6]);
    assert_eq!(look(&mut account, delivery(6, &[4, 5], 0), &[false, false], true), [0u32; 0]);
    // Processing has not got there: what is missing comes by itself.
    assert_eq!(look(&mut account, delivery(7, &[7, 1], 0), &[false, true], false), [0u32; 0]);
    assert_eq!(look(&mut account, delivery(8, &[], 2), &[], false), [0u32; 0], "nothing of it is missing");
    account.refuse(&delivery(1, &[], 0), &ReplayRefusal::TooOld { days: 9, lasts: 8 });
    account.refuse(&delivery(2, &[], 0), &ReplayRefusal::Crashed);

    let answer = account.answer("r", true);
    let expected = RawCounts {
        deliveries: 8,
        unchanged: 2 + 1 + 1 + 2 + 1,
        missing: 3,
        refused: 3,
        waiting: 1,
        first: Some(from_seconds(1)),
        last: Some(from_seconds(8)),
        looked_for: 0,
        came_out: 0,
    };
    assert_eq!(answer.counts, Some(expected));
    assert_eq!((answer.selected, answer.sent), (4, 2));
    let not_sent: Vec<_> = answer.not_sent.iter().map(|kind| (kind.reason.as_str(), kind.count)).collect();
    assert_eq!(not_sent, [("crashed", 1), ("too_old", 1)]);
    assert_eq!(answer.not_sent[0].ids, ["d2"]);
    let [missing] = answer.missing.as_slice() else { panic!("{:?}", answer.missing) };
    assert_eq!((missing.endpoint.as_str(), missing.r#type.as_str(), missing.count), ("app", "weir.github.v1.Push", 3));
    let examples: Vec<_> = answer.examples.iter().map(|one| (one.delivery_id.as_str(), one.missing)).collect();
    assert_eq!(examples, [("d3", 2), ("d4", 1)]);
    let mut remembered: Vec<_> = account.remembered().into_iter().map(|(_, id)| id.0[0]).collect();
    remembered.sort_unstable();
    assert_eq!(remembered, [4, 5, 6]);

    account.came_out(3, 2);
    let mut kept = Replay::default();
    account.keep(&mut kept);
    assert_eq!((kept.selected, kept.sent, kept.not_sent.len()), (4, 2, 2));
    assert_eq!(kept.raw_counts, Some(RawCounts { looked_for: 3, came_out: 2, ..expected }));
}

#[test]
fn what_is_refused_on_its_way_is_not_counted_as_missing() {
    let mut account = RawAccount::default();
    let what = account.look(delivery(1, &[1], 0), &[false], true).unwrap();
    account.refused(&what, &ReplayRefusal::TooLarge("too many bytes".into()));
    // Another delivery of the same may still bring it.
    assert_eq!(look(&mut account, delivery(2, &[1], 0), &[false], true), [1]);
    let answer = account.answer("", false);
    assert_eq!((answer.selected, answer.sent, answer.counts.unwrap().missing), (2, 1, 1));
    assert_eq!(answer.examples, [], "only the last answer has them");
}
