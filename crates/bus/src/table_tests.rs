//! What stays of a table whose topic is read anew. That it follows a topic stands in the tests of both logs.

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use common::registration::v1::Registration;

use super::*;
use crate::{Coordinates, Headers};

fn written(key: &'static str) -> Stored {
    let coordinates = Coordinates { log: "log".into(), topic: "table".into(), partition: 0, offset: 0 };
    let (key, payload) = (Some(Bytes::from_static(key.as_bytes())), Some(Bytes::new()));
    Stored { coordinates, key, payload, headers: Headers::default(), produced_at_ms: 0 }
}

fn removed(key: &'static str) -> Stored {
    Stored { payload: None, ..written(key) }
}

/// What the table says after each look at the end, where `records` came before it, and whether it was settled.
#[track_caller]
fn says(rows: &mut Rows<'_, Registration>, known: &Mutex<BTreeSet<String>>, records: Vec<Stored>) -> (String, bool) {
    records.into_iter().for_each(|record| rows.take(record));
    let settled = rows.settle();
    (known.lock().unwrap().iter().cloned().collect::<Vec<_>>().join(" "), settled)
}

fn apply(known: &Mutex<BTreeSet<String>>) -> impl FnMut(&str, Option<Registration>) + Send + '_ {
    |key, row| {
        let mut known = known.lock().unwrap();
        match row {
            Some(_) => known.insert(key.to_owned()),
            None => known.remove(key),
        };
    }
}

#[test]
fn what_was_removed_while_nobody_read_goes() {
    let known = Mutex::default();
    let mut apply = apply(&known);
    let mut rows = Rows::new(&mut apply);
    assert_eq!(says(&mut rows, &known, vec![written("a"), written("b")]), ("a b".into(), true));
    rows.again(false);
    // The attempt fails half-way, and the next one has to know of `b` too.
    rows.take(written("a"));
    rows.again(false);
    assert_eq!(says(&mut rows, &known, vec![written("a")]), ("a".into(), true));
    rows.again(false);
    assert_eq!(says(&mut rows, &known, vec![]), (String::new(), true));
}

#[test]
fn what_a_topic_that_was_made_again_does_not_hold_stays_until_somebody_has_written_it() {
    let known = Mutex::default();
    let mut apply = apply(&known);
    let mut rows = Rows::new(&mut apply);
    assert_eq!(says(&mut rows, &known, vec![written("a"), written("b")]), ("a b".into(), true));
    rows.again(true);
    assert_eq!(says(&mut rows, &known, vec![]), ("a b".into(), false), "an empty topic says nothing");
    assert_eq!(says(&mut rows, &known, vec![written("a")]), ("a b".into(), false), "it is being written");
    assert_eq!(says(&mut rows, &known, vec![written("c")]), ("a b c".into(), false));
    assert_eq!(says(&mut rows, &known, vec![]), ("a c".into(), true));
    assert_eq!(says(&mut rows, &known, vec![removed("a")]), ("c".into(), true));
}

#[test]
fn made_again_twice_it_still_knows_what_was_in_the_first() {
    let known = Mutex::default();
    let mut apply = apply(&known);
    let mut rows = Rows::new(&mut apply);
    says(&mut rows, &known, vec![written("a"), written("b")]);
    rows.again(true);
    assert_eq!(says(&mut rows, &known, vec![written("b")]), ("a b".into(), false));
    rows.again(true);
    assert_eq!(says(&mut rows, &known, vec![written("c")]), ("a b c".into(), false));
    assert_eq!(says(&mut rows, &known, vec![]), ("c".into(), true));
}

#[test]
fn a_table_that_knew_nothing_has_nothing_to_keep() {
    let known = Mutex::default();
    let mut apply = apply(&known);
    let mut rows = Rows::new(&mut apply);
    assert_eq!(says(&mut rows, &known, vec![]), (String::new(), true));
    rows.again(true);
    assert_eq!(says(&mut rows, &known, vec![]), (String::new(), true));
}
