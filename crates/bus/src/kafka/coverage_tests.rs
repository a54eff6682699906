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
fn what_nobody_has_for_long_is_told() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let (all, lacks) = (BTreeSet::new(), BTreeSet::from([("loads".to_owned(), 0)]));
    let coverage = Coverage::default();
    let told = || lock(&coverage.0).told.take();
    assert_eq!(coverage.take_due(at(0)), None, "before the first rebalance there is nothing to look at");
    coverage.rebalanced(at(0));
    assert_eq!((coverage.take_due(at(2)), coverage.take_due(at(3)), coverage.take_due(at(3))), (None, Some(1), None));
    coverage.saw(1, Some(&lacks), at(3));
    assert_eq!((told(), coverage.take_due(at(6))), (None, Some(1)));
    coverage.saw(1, Some(&lacks), at(22));
    assert_eq!(told(), None, "it may be moving");
    coverage.saw(1, Some(&lacks), at(23));
    assert_eq!(told().unwrap(), "partition 0 of loads is assigned to no member of the group");

    coverage.rebalanced(at(30));
    coverage.saw(1, Some(&lacks), at(60));
    assert_eq!(told(), None, "an answer from before the rebalance");
    coverage.saw(2, Some(&lacks), at(33));
    assert_eq!((told(), coverage.take_due(at(36)), coverage.is_whole()), (None, Some(2), false));
    coverage.saw(2, Some(&all), at(36));
    assert_eq!((coverage.take_due(at(1000)), coverage.is_whole()), (None, true));
    coverage.rebalanced(at(1001));
    assert!(!coverage.is_whole(), "it is shared out anew");
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
