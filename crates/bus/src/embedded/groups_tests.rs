use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::settings::ConsumerSettings;

fn intake() -> Arc<Intake> {
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
    let consumer: ConsumerSettings = settings.consumer;
    Arc::new(Intake::new("group".into(), consumer, Some(Arc::default())))
}

fn names(bits: u8) -> Vec<Arc<str>> {
    (0..3).filter(|bit| bits & (1 << bit) != 0).map(|bit| format!("topic-{bit}").into()).collect()
}

proptest! {
    #[test]
    fn everything_is_shared_out_evenly_and_little_moves(
        alike: bool,
        partitions in prop::collection::vec(0..9i32, 3),
        steps in prop::collection::vec((any::<bool>(), 1..8u8), 1..12),
    ) {
        let intake = intake();
        let topics: HashMap<Arc<str>, i32> =
            partitions.iter().enumerate().map(|(number, count)| (format!("topic-{number}").into(), *count)).collect();
        let mut members: Vec<Member> = Vec::new();
        let mut targets = HashMap::new();
        for (seat, (joins, bits)) in steps.into_iter().enumerate() {
            if joins || members.is_empty() {
                let topics = names(if alike { 3 } else { bits });
                members.push(Member { seat: seat as u64, topics, intake: intake.clone() });
            } else {
                members.remove(usize::from(bits) % members.len());
            }
            let before = targets.clone();
            targets = share(&members, &topics, before.clone());

            let wanted: BTreeSet<TopicPartition> = members
                .iter()
                .flat_map(|member| &member.topics)
                .flat_map(|topic| (0..topics[topic]).map(|partition| (topic.clone(), partition)))
                .collect();
            prop_assert_eq!(targets.keys().cloned().collect::<BTreeSet<_>>(), wanted, "all of it, and nothing else");
            let count = |seat| targets.values().filter(|target| **target == seat).count();
            for (place, seat) in &targets {
                let owner = members.iter().find(|member| member.seat == *seat);
                prop_assert!(owner.is_some_and(|owner| owner.topics.contains(&place.0)));
                for other in members.iter().filter(|other| other.topics.contains(&place.0)) {
                    prop_assert!(count(*seat) <= count(other.seat) + 1, "{place:?} had better go to {}", other.seat);
                }
            }
            // Where all consume the same, nobody has lost one thing in exchange for another.
            for member in members.iter().filter(|_| alike) {
                let had = before.iter().filter(|(place, seat)| **seat == member.seat && targets.contains_key(*place));
                let kept = had.clone().filter(|(place, _)| targets[*place] == member.seat).count();
                prop_assert_eq!(kept, had.count().min(count(member.seat)));
            }
        }
    }
}

#[test]
fn a_partition_has_one_owner_at_any_time() {
    let groups = Groups::default();
    let intake = intake();
    let topic: Arc<str> = "topic-0".into();
    groups.topics([(topic.clone(), 2)]);
    let one = groups.join(&intake, std::slice::from_ref(&topic));
    let (version, target) = groups.target("group", one, u64::MAX).unwrap();
    assert_eq!(target.len(), 2);
    assert!(target.iter().all(|place| groups.take("group", one, place)));
    assert_eq!(groups.target("group", one, version), None, "nothing has changed");

    let two = groups.join(&intake, std::slice::from_ref(&topic));
    let (_, wanted) = groups.target("group", two, u64::MAX).unwrap();
    let place = wanted.first().unwrap().clone();
    assert_eq!(wanted.len(), 1);
    assert!(!groups.take("group", two, &place), "the other has not let go of it");
    let (version, kept) = groups.target("group", one, version).unwrap();
    assert!(!kept.contains(&place) && kept.len() == 1);
    groups.release("group", one, std::slice::from_ref(&place));
    assert!(groups.target("group", one, version).is_some(), "who waits looks again");
    assert!(!groups.take("group", one, &place), "it is not to be its own any more");
    assert!(groups.take("group", two, &place));

    assert!(groups.members("group") > 0);
    groups.leave("group", one);
    assert_eq!(groups.target("group", two, u64::MAX).unwrap().1.len(), 2);
    groups.leave("group", two);
    assert!(groups.members("group") == 0);
}

#[test]
fn who_is_to_have_nothing_is_a_spare_only_where_others_are_to_have_all() {
    let groups = Groups::default();
    let intake = intake();
    let topics: [Arc<str>; 2] = ["topic-0".into(), "topic-1".into()];
    let [one, two] = [(); 2].map(|()| groups.join(&intake, &topics));
    let spares = || [one, two].map(|seat| groups.others_have_all("group", seat));
    assert_eq!(spares(), [false; 2], "there is nothing that anybody could have");
    assert_eq!(groups.missing("group", one), topics);
    groups.topics([(topics[0].clone(), 1)]);
    assert_eq!(spares(), [false; 2], "a topic is not there yet");
    assert_eq!(groups.missing("group", two), topics[1..]);
    groups.topics([(topics[1].clone(), 1)]);
    assert!(groups.missing("group", one).is_empty() && groups.missing("another", one).is_empty());
    assert_eq!(spares(), [false; 2], "each has one");
    let three = groups.join(&intake, &topics);
    assert!(groups.others_have_all("group", three));
    groups.leave("group", one);
    assert!(!groups.others_have_all("group", three), "it takes over");
    assert!(!groups.others_have_all("group", one) && !groups.others_have_all("another", two));
}

/// Asking must not wait for who wakes: that one waits for the intake.
#[test]
fn a_member_that_holds_its_intake_can_ask_for_its_place() {
    type Wakes = fn(&Groups, &Arc<str>, Seat, &AtomicBool);
    let wakes: [Wakes; 3] = [
        |groups, topic, _, _| groups.topics([(topic.clone(), 2)]),
        |groups, _, seat, _| groups.release("group", seat, &[]),
        |groups, _, _, looks| {
            groups.wake(|_| {
                looks.store(true, Ordering::SeqCst);
                true
            });
        },
    ];
    for wakes in wakes {
        let groups = Arc::new(Groups::default());
        let intake = intake();
        let topic: Arc<str> = "topic-0".into();
        let seat = groups.join(&intake, std::slice::from_ref(&topic));
        let (seen, _) = groups.target("group", seat, u64::MAX).unwrap();
        let looks = Arc::new(AtomicBool::new(false));
        let held = intake.lock();
        let other = std::thread::spawn({
            let (groups, looks) = (groups.clone(), looks.clone());
            move || wakes(&groups, &topic, seat, &looks)
        });
        let (answers, answer) = std::sync::mpsc::channel();
        let asks = std::thread::spawn({
            let groups = groups.clone();
            move || {
                // Until what the other one does with the groups locked can be seen: whoever woke under that lock has it still.
                loop {
                    let looked = looks.load(Ordering::SeqCst);
                    if groups.target("group", seat, seen).is_some() || looked {
                        break;
                    }
                    std::thread::yield_now();
                }
                groups.others_have_all("group", seat);
                answers.send(()).unwrap();
            }
        });
        let answered = answer.recv_timeout(std::time::Duration::from_secs(10));
        drop(held);
        other.join().unwrap();
        asks.join().unwrap();
        assert!(answered.is_ok(), "who asks waits for who wakes");
    }
}
