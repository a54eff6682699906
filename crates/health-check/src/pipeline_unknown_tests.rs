//! What is not known.

use common::health::v1::{Consumer, Membership, Queue};
use proptest::prelude::*;

use super::*;
use crate::samples::{LIMITS, at, check, consumer, digest, hop, queue, refused, tell, told, watched};

#[test]
fn before_anybody_was_asked_nothing_is_known() {
    let view = Model::new(watched(&[("streaming", 1)]), LIMITS).view(at(0));
    assert_eq!(view.pipeline.state(), State::Unknown);
    assert_eq!((hop(&view, "streaming").expected, hop(&view, "streaming").instances), (1, 0));
    assert!(view.problems.is_empty());
    let view = Model::new(Vec::new(), LIMITS).view(at(0));
    assert_eq!(view.pipeline.state(), State::Unknown);
}

#[test]
fn how_much_waits_is_known_only_where_everybody_says_it() {
    type Change = fn(&mut Digest);
    let table: &[(&str, Change, Option<i64>)] = &[
        ("nobody consumes", |_| (), None),
        ("one that tells of no consumer", |d| d.queues.push(queue("processing", 9)), Some(9)),
        ("a member without work", |d| d.consumers.push(consumer("processing", Membership::Member, 3)), Some(0)),
        ("a spare", |d| d.consumers.push(consumer("processing", Membership::Spare, 0)), Some(0)),
        ("one that joins", |d| d.consumers.push(consumer("processing", Membership::Joining, 0)), None),
        ("one that goes on while it joins", |d| d.consumers.push(consumer("processing", Membership::Joining, 1)), None),
        ("one that starts", |d| d.consumers.push(consumer("processing", Membership::Starting, 0)), None),
        ("one without a broker", |d| d.consumers.push(consumer("processing", Membership::Away, 3)), None),
        ("another's", |d| d.consumers.push(consumer("loader", Membership::Away, 3)), None),
        (
            "a partition of which it is not known",
            |d| {
                d.queues.push(queue("processing", 9));
                d.queues.push(Queue { lag_unknown: true, ..queue("processing", 0) });
            },
            None,
        ),
    ];
    for (what, change, lag) in table {
        let mut digest = digest("processing", "work:1", &[("pages", 10, 10)]);
        change(&mut digest);
        let view =
            told(&[("streaming", 0), ("processing", 1)], vec![("processing", "a", Ok(digest.clone()))]).view(at(0));
        let hop = hop(&view, "processing");
        assert_eq!((!hop.lag_unknown).then_some(hop.lag), *lag, "{what}");
        // Another one that should be there does not answer: what it has is not known.
        let answers = vec![("processing", "a", Ok(digest)), ("processing", "b", refused())];
        let view = told(&[("streaming", 0), ("processing", 2)], answers).view(at(0));
        assert!(self::hop(&view, "processing").lag_unknown, "{what}");
    }
}

#[test]
fn what_nobody_asked_for_long_is_not_known() {
    let services = [("streaming", 1), ("processing", 1)];
    let mut model = Model::new(watched(&services), LIMITS).stale_after(Duration::from_secs(25));
    let answers = ["streaming", "processing"].map(|service| (service, service, Ok(digest(service, service, &[]))));
    tell(&mut model, answers.into(), 0);
    assert_eq!(model.view(at(25)).pipeline.state(), State::Ok);
    let view = model.view(at(26));
    assert_eq!((view.pipeline.state(), &*view.pipeline.headline), (State::Unknown, "One thing is not known"));
    let [round] = view.problems.as_slice() else { panic!("{:?}", view.problems) };
    let told = (round.state, round.check.as_str(), round.found.as_str());
    assert_eq!(told, (State::Unknown, "round", "health-check has asked nobody for 26 s"));
    assert!(view.pipeline.hops.iter().all(|hop| hop.state() == State::Unknown), "{:?}", view.pipeline.hops);
}

fn any_consumer() -> impl Strategy<Value = Consumer> {
    (0..6i32, 0..3u32).prop_map(|(membership, partitions)| {
        consumer("processing", Membership::try_from(membership).unwrap(), partitions)
    })
}

proptest! {
    /// A stage that does nothing, and of which nobody says that it need not, is never called well.
    #[test]
    fn nothing_is_well_by_accident(
        consumers in prop::collection::vec(any_consumer(), 1..5),
        state in 0..5i32,
        late in 0..60u64,
    ) {
        let mut one = digest("processing", "work:1", &[("pages", 10, 10)]);
        one.checks.push(check("processing_progress", State::try_from(state).unwrap(), ""));
        one.consumers.clone_from(&consumers);
        let mut model = Model::new(watched(&[("streaming", 0), ("processing", 1)]), LIMITS);
        model = model.stale_after(Duration::from_secs(25));
        tell(&mut model, vec![("processing", "a", Ok(one))], 0);
        let view = model.view(at(late));
        let is_in = |one: &Consumer| matches!(one.membership(), Membership::Member | Membership::Spare);
        let hop = hop(&view, "processing");
        if consumers.iter().any(|one| !is_in(one) && one.partitions == 0) || late > 25 {
            prop_assert_ne!(hop.state(), State::Ok);
            prop_assert_ne!(view.pipeline.state(), State::Ok);
            prop_assert_ne!(&*view.pipeline.headline, "All is well");
        }
        prop_assert_eq!(hop.lag_unknown, !consumers.iter().all(is_in));
    }
}

/// A member that has these partitions, with ten records waiting in each.
fn member(name: &str, partitions: &[i32]) -> Result<Digest, String> {
    let mut digest = digest("processing", name, &[("pages", 10, 10)]);
    digest.queues = partitions.iter().map(|&partition| Queue { partition, ..queue("processing", 10) }).collect();
    digest.consumers.push(consumer("processing", Membership::Member, partitions.len() as u32));
    Ok(digest)
}

#[test]
fn what_a_silent_instance_had_waits_until_others_have_it() {
    // One is enough; there are three.
    let mut model = Model::new(watched(&[("streaming", 0), ("processing", 1)]), LIMITS);
    let mut lag = |seconds, answers: [Option<Result<Digest, String>>; 3]| {
        let answers = ["a", "b", "c"].into_iter().zip(answers);
        let told = answers.filter_map(|(address, answer)| Some(("processing", address, answer?)));
        tell(&mut model, told.collect(), seconds);
        let view = model.view(at(seconds));
        let hop = hop(&view, "processing").clone();
        (!hop.lag_unknown).then_some(hop.lag)
    };
    let [a, b, c] = [member("work:1", &[0, 1]), member("work:2", &[2]), member("work:3", &[3])];
    assert_eq!(lag(0, [Some(a.clone()), Some(b.clone()), Some(c.clone())]), Some(40));
    // One does not answer, and has what it has.
    assert_eq!(lag(5, [Some(a.clone()), Some(b.clone()), Some(refused())]), None);
    assert_eq!(lag(300, [Some(a.clone()), Some(b.clone()), Some(refused())]), None, "it may be there all the same");
    // It was taken for gone, and another has its partition.
    let more = member("work:2", &[2, 3]);
    assert_eq!(lag(305, [Some(a.clone()), Some(more.clone()), Some(refused())]), Some(40));
    // The orchestrator has removed one, and its group waits for it as long as a session.
    assert_eq!(lag(310, [Some(a.clone()), None, None]), None);
    assert_eq!(lag(364, [Some(a.clone()), None, None]), None);
    assert_eq!(lag(369, [Some(a), None, None]), Some(20), "nobody has it: the topic may be gone");
    // One begins anew at the same address, and has nothing yet.
    let again = member("work:9", &[]);
    assert_eq!(lag(375, [Some(again), Some(more), None]), None);
    assert_eq!(lag(380, [Some(member("work:9", &[0, 1])), Some(member("work:2", &[2, 3])), None]), Some(40));
}
