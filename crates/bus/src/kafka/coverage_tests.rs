use proptest::prelude::*;

use super::*;

fn written(topics: &[(&str, &[i32])]) -> Vec<u8> {
    let mut bytes = vec![0, 3];
    bytes.extend(i32::try_from(topics.len()).unwrap().to_be_bytes());
    for (name, partitions) in topics {
        bytes.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(i32::try_from(partitions.len()).unwrap().to_be_bytes());
        partitions.iter().for_each(|partition| bytes.extend(partition.to_be_bytes()));
    }
    // User data, of no length.
    bytes.extend([0xff; 4]);
    bytes
}

#[test]
fn assignments_are_read() {
    assert_eq!(assigned(&[]), Some(vec![]), "it has just joined");
    assert_eq!(assigned(&written(&[])), Some(vec![]));
    let bytes = written(&[("loads", &[0]), ("raw.meta", &[2, 7])]);
    let wanted = [("loads", 0), ("raw.meta", 2), ("raw.meta", 7)];
    assert_eq!(assigned(&bytes), Some(wanted.map(|(topic, partition)| (topic.to_owned(), partition)).into()));
    for end in 1..bytes.len() - 4 {
        assert_eq!(assigned(&bytes[..end]), None, "{end} bytes of it");
    }
    // As a member of a group with one topic of one partition writes it.
    let golden = b"\0\x03\0\0\0\x01\0\x05loads\0\0\0\x01\0\0\0\0\xff\xff\xff\xff";
    assert_eq!(assigned(golden), Some(vec![("loads".to_owned(), 0)]));
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = assigned(&bytes);
    }
}

#[test]
fn subscriptions_are_read() {
    // As members of several versions write them: with what they have, and without.
    let golden = b"\0\x03\0\0\0\x02\0\x05loads\0\x03raw\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff";
    assert_eq!(subscribed(golden), Some(vec!["loads".to_owned(), "raw".to_owned()]));
    assert_eq!(subscribed(&golden[..18]), Some(vec!["loads".to_owned(), "raw".to_owned()]));
    for end in 0..18 {
        assert_eq!(subscribed(&golden[..end]), None, "{end} bytes of it");
    }
}

#[test]
fn members_of_other_programs_are_known() {
    let (loads, other) = (b"\0\x01\0\0\0\x01\0\x05loads", b"\0\x01\0\0\0\x01\0\x05other");
    let named = "0123456789abcdef0123456789abcdef-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed";
    let table: [(&str, &str, Option<&[u8]>, bool); 8] = [
        ("weir", named, Some(loads), true),
        // Of a version that gave its members no names.
        ("weir", "weir-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", Some(loads), true),
        // In one of them the settings name the client.
        ("ours", named, Some(loads), true),
        ("console-consumer", "console-consumer-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", Some(loads), false),
        ("", "", Some(loads), false),
        ("weir", named, Some(other), false),
        ("weir", named, Some(b"what connect writes"), false),
        ("weir", named, None, false),
    ];
    for (client, member, subscription, wanted) in table {
        let is = is_weirs("weir", &["loads".into(), "more".into()], client, member, subscription);
        assert_eq!(is, wanted, "{client} {member} {subscription:?}");
    }
    assert!(joining::is_instance(&joining::instance().unwrap()));
}

fn seen(uncovered: &[(&str, i32)], others: &[Other]) -> Option<Seen> {
    let uncovered = uncovered.iter().map(|(topic, partition)| ((*topic).to_owned(), *partition)).collect();
    Some(Seen { uncovered, others: others.to_vec() })
}

#[test]
fn what_cannot_be_read_may_have_all_that_nobody_has() {
    let topics: [Arc<str>; 1] = ["loads".into()];
    let subscription: &[u8] = b"\0\x01\0\0\0\x01\0\x05loads";
    let look = |members: &[(&str, &[u8])]| {
        let uncovered = [0, 1].map(|partition| ("loads".to_owned(), partition)).into();
        let members = members.iter().map(|(client, assignment)| InGroup {
            client,
            host: "/10.0.0.7",
            id: "member",
            subscription: Some(subscription),
            assignment: Some(assignment),
        });
        super::seen("weir", &topics, uncovered, members)
    };
    let first = written(&[("loads", &[0])]);
    assert_eq!(look(&[("weir", &first)]), seen(&[("loads", 1)], &[]));
    let other = |has_some| Other { client: "connect at 10.0.0.7".to_owned(), has_some };
    let unreadable: &[u8] = b"what connect writes";
    for members in [[("weir", &*first), ("connect", unreadable)], [("connect", unreadable), ("weir", &first)]] {
        assert_eq!(look(&members), seen(&[], &[other(true)]), "nobody makes the group decide again for it");
    }
    assert_eq!(look(&[("weir", &first), ("connect", &[])]), seen(&[("loads", 1)], &[other(false)]));
    assert_eq!(look(&[("weir", unreadable)]), None, "its version may be another");
}

#[test]
fn what_nobody_has_for_long_is_told() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let (all, lacks) = (|| seen(&[], &[]), || seen(&[("loads", 0)], &[]));
    let coverage = Coverage::default();
    let told = || lock(&coverage.0).told.take();
    let nobody = "partition 0 of loads is assigned to no member of the group";
    assert_eq!(coverage.take_due(at(0)), None, "before it begins there is nothing to look at");
    coverage.rebalanced(at(0));
    assert_eq!((coverage.take_due(at(2)), coverage.take_due(at(3)), coverage.take_due(at(3))), (None, Some(1), None));
    coverage.saw(1, lacks(), at(3));
    assert_eq!((told(), coverage.take_due(at(6))), (None, Some(1)));
    coverage.saw(1, lacks(), at(22));
    assert_eq!((told(), coverage.covered()), (None, Covered::Unknown), "it may be moving");
    coverage.saw(1, lacks(), at(23));
    assert_eq!((told().unwrap(), coverage.covered()), (nobody.to_owned(), Covered::Lacks(nobody.to_owned())));
    coverage.saw(1, None, at(24));
    assert_eq!(coverage.covered(), Covered::Lacks(nobody.to_owned()), "no answer is no other answer");

    coverage.rebalanced(at(30));
    coverage.saw(1, lacks(), at(60));
    assert_eq!((told(), coverage.covered()), (None, Covered::Unknown), "an answer from before the rebalance");
    coverage.saw(2, lacks(), at(33));
    assert_eq!((told(), coverage.take_due(at(36)), coverage.covered()), (None, Some(2), Covered::Unknown));
    coverage.saw(2, all(), at(36));
    assert_eq!((coverage.take_due(at(1000)), coverage.covered()), (None, Covered::Whole));
    coverage.rebalanced(at(1001));
    assert_eq!(coverage.covered(), Covered::Unknown, "it is shared out anew");
}

#[test]
fn who_asks_may_come_to_an_end_without_an_answer() {
    let (start, coverage) = (Instant::now(), Coverage::default());
    coverage.rebalanced(start);
    assert_eq!(coverage.take_due(start + SETTLES), Some(1));
    assert_eq!(coverage.take_due(start + SETTLES + SELDOM), Some(1));
}

#[test]
fn another_client_is_named() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let other = |has_some| Other { client: "kafkacat at 10.0.0.7".to_owned(), has_some };
    let named = "there is a client of another program (kafkacat at 10.0.0.7)";
    let has = || Covered::Another(format!("in the group {named}, and has partitions of it"));
    let coverage = Coverage::default();
    coverage.rebalanced(at(0));
    coverage.saw(1, seen(&[], &[other(false)]), at(3));
    assert_eq!(coverage.covered(), Covered::Whole, "it takes nothing away");
    coverage.saw(1, seen(&[], &[other(true)]), at(3));
    assert_eq!((coverage.covered(), coverage.take_due(at(63))), (has(), Some(1)));
    // Then what nobody has may well be its doing.
    coverage.saw(1, seen(&[("loads", 0)], &[other(false)]), at(70));
    coverage.saw(1, seen(&[("loads", 0)], &[other(false)]), at(90));
    let text = format!("partition 0 of loads is assigned to no member of the group, in which {named}");
    assert_eq!(coverage.covered(), Covered::Lacks(text.clone()));
    assert_eq!(lock(&coverage.0).told.take(), Some(text));
    coverage.saw(1, seen(&[("loads", 0)], &[other(true)]), at(93));
    assert_eq!(coverage.covered(), has(), "so it is with others too");
}

#[test]
fn who_is_not_in_yet_asks_who_keeps_it_out() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let other = Other { client: "connect at 10.0.0.7".to_owned(), has_some: true };
    let coverage = Coverage::default();
    coverage.begins(at(0));
    assert_eq!(coverage.take_due(at(3)), Some(0));
    for seconds in [3, 60] {
        coverage.saw(0, seen(&[("loads", 0)], std::slice::from_ref(&other)), at(seconds));
        assert!(matches!(coverage.covered(), Covered::Another(_)));
        assert_eq!(lock(&coverage.0).told, None, "who is not in cannot make the group decide");
    }
    coverage.rebalanced(at(61));
    coverage.begins(at(62));
    assert_eq!((coverage.covered(), coverage.take_due(at(64))), (Covered::Unknown, Some(1)));
}

#[test]
fn without_an_answer_it_is_asked_more_and_more_seldom() {
    let start = Instant::now();
    let coverage = Coverage::default();
    coverage.rebalanced(start);
    let (mut now, mut waits) = (start + SETTLES, Vec::new());
    for _ in 0..7 {
        assert_eq!(coverage.take_due(now), Some(1));
        coverage.saw(1, None, now);
        let due = lock(&coverage.0).due.unwrap();
        waits.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(waits, [3, 6, 12, 24, 48, 60, 60]);
}
