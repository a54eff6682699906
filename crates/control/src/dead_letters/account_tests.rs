use super::*;

fn letter(id: &str, reason: &str) -> DeadLetter {
    DeadLetter { id: id.into(), stage: "processing".into(), reason: reason.into(), ..DeadLetter::default() }
}

#[test]
fn every_letter_that_was_selected_is_sent_or_not_with_a_reason() {
    let mut account = Account::default();
    for _ in 0..10 {
        account.select();
    }
    account.sent(Letters::one(&letter("a", "not_json")));
    let mut two = Letters::one(&letter("b", "too_large"));
    two.add(&letter("c", "unknown_topic"));
    account.sent(two);
    for id in ["d", "e", "f", "g", "h", "i"] {
        account.refused(Letters::one(&letter(id, "empty")), &ReplayRefusal::OriginalGone);
    }
    account.refused(Letters::one(&letter("j", "empty")), &ReplayRefusal::TooOld { days: 9, lasts: 8 });

    let answer = account.answer("r", true);
    assert_eq!((answer.selected, answer.sent, answer.records), (10, 3, 2));
    let to_send: Vec<_> = answer.to_send.iter().map(|kind| (kind.reason.as_str(), kind.count)).collect();
    assert_eq!(to_send, [("not_json", 1), ("too_large", 1), ("unknown_topic", 1)]);
    let [gone, old] = answer.not_sent.as_slice() else { panic!("{:?}", answer.not_sent) };
    assert_eq!((gone.reason.as_str(), gone.count, gone.ids.len()), ("original_gone", 6, 5));
    assert_eq!((old.reason.as_str(), old.count), ("too_old", 1));
    assert!(old.message.contains("ttl_days"), "{}", old.message);
    assert_eq!(answer.selected, answer.sent + answer.not_sent.iter().map(|kind| kind.count).sum::<u64>());
}

#[test]
fn only_the_last_answer_has_examples() {
    let mut account = Account::default();
    while account.wants_examples() {
        account.example(Found::default());
    }
    assert_eq!(account.answer("", false).examples.len(), 0);
    assert_eq!(account.answer("", true).examples.len(), 5);
}
