use common::deadletter::v1::{Coordinates, DeadLetter};
use common::time::from_millis;

use super::*;

fn found(millis: i64, partition: i32, offset: i64) -> Found {
    Found {
        dead_letter: Some(DeadLetter { failed_at: Some(from_millis(millis)), ..DeadLetter::default() }),
        at: Some(Coordinates { partition, offset, ..Coordinates::default() }),
        ..Found::default()
    }
}

fn page(letters: &[Found], size: usize, token: &str) -> (Vec<(i32, i64)>, String) {
    let mut page = Page::new(size, Place::of_token(token).unwrap());
    letters.iter().cloned().for_each(|found| page.add(found));
    let (found, token) = page.done();
    (found.into_iter().map(|found| found.at.map(|at| (at.partition, at.offset)).unwrap()).collect(), token)
}

#[test]
fn pages_go_from_the_newest_to_the_oldest_and_have_each_letter_once() {
    // As they come from the topic: in the order of each partition. Two at the same time have an order too.
    let mut letters = vec![found(10, 0, 0), found(30, 0, 1), found(20, 1, 0), found(20, 1, 1), found(40, 1, 2)];
    let (first, token) = page(&letters, 2, "");
    assert_eq!((first, token.as_str()), (vec![(1, 2), (0, 1)], "30/0/1"));
    // What is refused meanwhile belongs to no later page.
    letters.push(found(50, 0, 2));
    let (second, token) = page(&letters, 2, &token);
    assert_eq!((second, token.as_str()), (vec![(1, 1), (1, 0)], "20/1/0"));
    let (third, token) = page(&letters, 2, &token);
    assert_eq!((third, token.as_str()), (vec![(0, 0)], ""));
    assert_eq!(page(&letters, 6, "").1, "", "all of them: there is no other page");
    assert_eq!(page(&[], 2, ""), (vec![], String::new()));
}

#[test]
fn a_token_is_what_a_page_said() {
    for wrong in ["x", "1/2", "1/2/3/4", "1/2/x", "1//3"] {
        let invalid = Place::of_token(wrong).unwrap_err();
        assert_eq!(invalid.field, "page_token");
        assert!(invalid.problem.contains(wrong));
    }
    let place = Place::of_token("1700000000000/3/42").unwrap().unwrap();
    assert_eq!(place.to_string(), "1700000000000/3/42");
    assert_eq!(Place::of_token("").unwrap(), None);
}

#[test]
fn a_page_has_its_limits() {
    assert_eq!((size(0).unwrap(), size(1).unwrap(), size(1000).unwrap()), (50, 1, 1000));
    assert_eq!(size(1001).unwrap_err().field, "page_size");
}
