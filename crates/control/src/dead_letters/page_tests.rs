use common::deadletter::v1::{Coordinates, DeadLetter};
use common::time::from_millis;
use proptest::prelude::*;

use super::*;

fn found(millis: i64, partition: i32, offset: i64) -> Found {
    Found {
        dead_letter: Some(DeadLetter {
            id: format!("{partition}/{offset}"),
            failed_at: Some(from_millis(millis)),
            ..DeadLetter::default()
        }),
        at: Some(Coordinates { partition, offset, ..Coordinates::default() }),
        ..Found::default()
    }
}

/// Each partition: when its letters were refused, from offset 0 on; none: it is not meant.
type Topic = Vec<Vec<Option<i64>>>;

fn ranges(topic: &Topic) -> Vec<OffsetRange> {
    let range =
        |(partition, letters): (i32, &Vec<Option<i64>>)| OffsetRange { partition, low: 0, end: letters.len() as i64 };
    (0..).zip(topic).map(range).collect()
}

/// A page, as partitions and offsets, its token, and how many letters were read.
fn page(topic: &Topic, size: usize, token: &str) -> (Vec<(i32, i64)>, String, i64) {
    let mut page = Page::new(size, &ranges(topic), Cursor::of_token(token).unwrap().as_ref());
    let mut read = 0;
    while let Some(piece) = page.wants(|_| true) {
        read += piece.until - piece.from;
        let letters = (piece.from..piece.until).filter_map(|offset| {
            let millis = topic[piece.partition as usize][offset as usize]?;
            Some((offset, found(millis, piece.partition, offset)))
        });
        page.add(piece, letters.collect());
    }
    let (found, token) = page.done();
    (found.into_iter().map(|found| found.at.map(|at| (at.partition, at.offset)).unwrap()).collect(), token, read)
}

#[test]
fn pages_go_from_the_newest_to_the_oldest_and_have_each_letter_once() {
    // Two at the same time have an order too.
    let mut topic: Topic = vec![vec![Some(10), Some(30)], vec![Some(20), Some(20), Some(40)]];
    let (first, token, _) = page(&topic, 2, "");
    assert_eq!((first, token.as_str()), (vec![(1, 2), (0, 1)], "0:1,1:2"));
    // What is refused meanwhile belongs to no later page, nor does a partition that was not there.
    topic[0].push(Some(50));
    topic.push(vec![Some(60)]);
    let (second, token, _) = page(&topic, 2, &token);
    assert_eq!((second, token.as_str()), (vec![(1, 1), (1, 0)], "0:1,1:0,2:0"));
    let (third, token, _) = page(&topic, 2, &token);
    assert_eq!((third, token.as_str()), (vec![(0, 0)], ""));
    assert_eq!(page(&topic, 7, "").1, "", "all of them: there is no other page");
    assert_eq!(page(&vec![vec![], vec![]], 2, ""), (vec![], String::new(), 0));
}

#[test]
fn a_page_reads_little_of_a_long_topic() {
    let topic: Topic = vec![(0..100_000).map(Some).collect(), vec![]];
    let (newest, token, read) = page(&topic, 5, "");
    assert_eq!(newest, (99_995..100_000).rev().map(|offset| (0, offset)).collect::<Vec<_>>());
    assert!(read <= 64, "{read}");
    let (next, _, read) = page(&topic, 5, &token);
    assert!(next[0] == (0, 99_994) && read <= 64, "{read}");
}

#[test]
fn what_has_nothing_is_passed_over() {
    let range = OffsetRange { partition: 0, low: 0, end: 40_960 };
    let mut page = Page::new(5, &[range], None);
    let wanted = page.wants(|piece| piece.from == 8192).unwrap();
    assert_eq!(wanted, Piece { partition: 0, from: 12_288 - 64, until: 12_288 });
    page.add(wanted, vec![(12_287, found(1, 0, 12_287))]);
    assert_eq!(page.wants(|_| false), None);
    let (found, token) = page.done();
    assert_eq!((found.len(), token.as_str()), (1, ""));
}

#[test]
fn a_letter_that_was_written_twice_is_one() {
    let twice = |offset| {
        Found { at: None, ..found(5, 0, 1) }
            .dead_letter
            .map(|letter| (offset, Found { dead_letter: Some(letter), ..Found::default() }))
            .unwrap()
    };
    let mut page = Page::new(5, &[OffsetRange { partition: 0, low: 0, end: 2 }], None);
    let piece = page.wants(|_| true).unwrap();
    page.add(piece, vec![twice(0), twice(1)]);
    assert_eq!(page.wants(|_| true), None);
    assert_eq!(page.done().0.len(), 1);
}

#[test]
fn a_token_is_what_a_page_said() {
    for wrong in ["x", "1", "1:2,", "1:2,3", "1:x", ":1"] {
        let invalid = Cursor::of_token(wrong).unwrap_err();
        assert_eq!(invalid.field, "page_token");
        assert!(invalid.problem.contains(wrong));
    }
    let cursor = Cursor::of_token("0:17,3:42").unwrap().unwrap();
    assert_eq!(cursor.to_string(), "0:17,3:42");
    assert_eq!(Cursor::of_token("").unwrap(), None);
}

#[test]
fn a_page_has_its_limits() {
    assert_eq!((size(0).unwrap(), size(1).unwrap(), size(1000).unwrap()), (50, 1, 1000));
    assert_eq!(size(1001).unwrap_err().field, "page_size");
}

proptest! {
    /// Whatever was refused when: pages of any size have each letter once, those of a partition from its end on, and a
    /// letter never stands behind an older one of another partition that is the newest of what is left there.
    #[test]
    fn all_pages_together_are_all_letters(
        topic in prop::collection::vec(prop::collection::vec(prop::option::of(0_i64..50), 0..300), 1..4),
        size in 1_usize..40,
    ) {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let (found, next, _) = page(&topic, size, &token);
            prop_assert!(found.len() <= size);
            prop_assert!(next.is_empty() || found.len() == size);
            all.extend(found);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        let mut sorted = all.clone();
        sorted.sort_unstable();
        let meant = (0..).zip(&topic).flat_map(|(partition, letters)| {
            let meant = |(offset, letter): (i64, &Option<i64>)| letter.map(|_| (partition, offset));
            (0..).zip(letters).filter_map(meant).collect::<Vec<_>>()
        });
        prop_assert_eq!(sorted, meant.collect::<Vec<(i32, i64)>>());
        for partition in 0..topic.len() as i32 {
            let offsets: Vec<_> = all.iter().filter(|at| at.0 == partition).map(|at| at.1).collect();
            prop_assert!(offsets.is_sorted_by(|newer, older| newer > older));
        }
    }
}
