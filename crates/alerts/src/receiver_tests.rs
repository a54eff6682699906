use async_trait::async_trait;

use super::*;
use crate::alert::Alert;

struct Nobody;

#[async_trait]
impl Sink for Nobody {
    async fn send(&self, _: &Message) -> Result<(), NotTaken> {
        Err("nobody".to_owned().into())
    }
}

fn message(group: &str, class: Class, at_ms: i64, after_ms: Option<i64>) -> Message {
    let alert = Alert {
        stage: "loader".to_owned(),
        check: group.to_owned(),
        class,
        instances: Vec::new(),
        subjects: Vec::new(),
        text: "found".to_owned(),
        advice: "do".to_owned(),
        runbook: String::new(),
        since_ms: 0,
    };
    Message {
        id: String::new(),
        installation: String::new(),
        receiver: "chat".to_owned(),
        group: group.to_owned(),
        cause: group.to_owned(),
        firing: vec![alert],
        resolved: Vec::new(),
        muted: Vec::new(),
        acknowledged_by: None,
        after_ms,
        at_ms,
    }
}

/// Tells until `rounds` are over; which groups, in their order. Those of `refused` are never taken. `is_again`: they are told
/// again in each round.
fn told(groups: &[(&str, Class)], refused: &[&str], is_again: bool, rounds: i64) -> Vec<String> {
    let mut receiver = Receiver::new(Arc::new(Nobody), "setting".to_owned(), Duration::from_secs(60));
    let (begun, mut said) = (Instant::now(), Vec::<String>::new());
    let mut after: BTreeMap<&str, i64> = BTreeMap::new();
    for round in 0..rounds {
        let now = begun + Duration::from_secs(10 * round as u64);
        let is_due = |(group, _): &&(&str, Class)| is_again || !after.contains_key(group);
        let due: Vec<_> = groups
            .iter()
            .filter(is_due)
            .map(|(group, class)| message(group, *class, round, after.get(group).copied()))
            .collect();
        receiver.keep(|group| due.iter().any(|message| message.group == group));
        let Some(next) = receiver.next(due.iter(), now) else { continue };
        said.push(next.group.clone());
        if refused.contains(&next.group.as_str()) {
            receiver.refused(next, "400".to_owned(), now);
        } else {
            receiver.took(next, now);
            after.insert(groups.iter().find(|(group, _)| *group == next.group).unwrap().0, round);
        }
    }
    said
}

#[tokio::test]
async fn a_message_that_is_always_refused_holds_up_no_other() {
    let said = told(&[("a", Class::Page), ("b", Class::Page), ("c", Class::Ticket)], &["a"], false, 40);
    for group in ["b", "c"] {
        assert!(said.iter().any(|one| one == group), "{group} was never told: {said:?}");
    }
    // And it is tried again.
    assert!(said.iter().filter(|one| *one == "a").count() > 2, "{said:?}");
}

#[tokio::test]
async fn whoever_cannot_be_told_all_in_time_is_told_of_each_in_turn() {
    let said = told(&[("a", Class::Page), ("b", Class::Page), ("c", Class::Page)], &[], true, 9);
    assert_eq!(said.concat(), "abcabcabc");
}

#[tokio::test]
async fn a_page_goes_before_a_ticket() {
    let said = told(&[("a", Class::Ticket), ("b", Class::Page)], &[], false, 1);
    assert_eq!(said, ["b"]);
}
