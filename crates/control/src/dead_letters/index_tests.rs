use bus::{Coordinates, Headers};
use common::deadletter::v1::Selection;
use common::identity::Id;
use common::time::from_millis;
use prost::Message as _;

use super::*;

/// The letter at an offset: one in a thousand has another reason, and one is refused each second.
fn written(partition: i32, offset: i64) -> DeadLetter {
    let reason = if offset % 1000 == 7 { "not_utf8" } else { "not_json" };
    DeadLetter {
        id: id(partition, offset),
        stage: "processing".into(),
        source: "meta".into(),
        endpoint: format!("app-{partition}"),
        reason: reason.into(),
        attempts: 1 + u32::from(offset % 10 == 0),
        failed_at: Some(from_millis(offset * 1000)),
        ..DeadLetter::default()
    }
}

fn id(partition: i32, offset: i64) -> String {
    Id::of("test", "", &[&partition.to_be_bytes(), &offset.to_be_bytes()]).to_string()
}

fn stored(partition: i32, offset: i64, letter: &DeadLetter) -> Stored {
    Stored {
        coordinates: Coordinates { log: "log.1".into(), topic: "dead-letters".into(), partition, offset },
        key: None,
        payload: Some(letter.encode_to_vec().into()),
        headers: Headers { r#type: "weir.deadletter.v1.DeadLetter".into(), ..Headers::default() },
        produced_at_ms: 0,
    }
}

fn range(partition: i32, low: i64, end: i64) -> OffsetRange {
    OffsetRange { partition, low, end }
}

/// Reads on, at most so many times; how many letters were read.
fn read_on(index: &mut Index, times: usize) -> i64 {
    let mut read = 0;
    for _ in 0..times {
        let Some(piece) = index.todo() else { break };
        let next = piece.until.min(piece.from + 1000);
        let records: Vec<_> = (piece.from..next)
            .map(|offset| stored(piece.partition, offset, &written(piece.partition, offset)))
            .collect();
        read += records.len() as i64;
        index.add(piece, next, &records);
    }
    read
}

fn filter(selection: Selection) -> Filter {
    Filter::new(&selection).unwrap()
}

fn counted(index: &Index, selection: Selection) -> (u64, Vec<Piece>) {
    let mut stats = Stats::default();
    let to_read = index.count(&filter(selection), &mut stats);
    (stats.done((0, 0)).count, to_read)
}

fn whole(ranges: &[OffsetRange]) -> Index {
    let mut index = Index::default();
    index.adjust(ranges);
    read_on(&mut index, usize::MAX);
    index
}

#[test]
fn everything_is_read_once_and_the_newest_first() {
    let mut index = Index::default();
    index.adjust(&[range(0, 0, 20_000), range(1, 0, 0), range(2, 5000, 9000)]);
    assert_eq!(index.todo(), Some(Piece { partition: 0, from: 16_384, until: 20_000 }));
    assert_eq!(read_on(&mut index, usize::MAX), 24_000);
    assert_eq!(index.progress(), Progress { done: 24_000, all: 24_000 });
    // What comes then is all that is read.
    index.adjust(&[range(0, 0, 20_010), range(1, 0, 3), range(2, 5000, 9000)]);
    assert!(!index.progress().is_done());
    assert_eq!(read_on(&mut index, usize::MAX), 13);
    assert_eq!(counted(&index, Selection::default()), (24_013, vec![]));
}

#[test]
fn counts_are_those_of_the_letters() {
    let index = whole(&[range(0, 0, 20_000), range(2, 5000, 9000)]);
    let mut stats = Stats::default();
    assert_eq!(index.count(&Filter::default(), &mut stats), []);
    let mut letters = Stats::default();
    let offsets = (0..20_000).map(|offset| (0, offset)).chain((5000..9000).map(|offset| (2, offset)));
    offsets.for_each(|(partition, offset)| letters.add(&written(partition, offset)));
    assert_eq!(stats.done((1, 2)), letters.done((1, 2)));
    let of = |selection| counted(&index, selection);
    assert_eq!(of(Selection { reason: "not_utf8".into(), ..Selection::default() }), (24, vec![]));
    assert_eq!(of(Selection { endpoint: "app-2".into(), ..Selection::default() }), (4000, vec![]));
    assert_eq!(of(Selection { stage: "loader".into(), ..Selection::default() }), (0, vec![]));
}

#[test]
fn only_the_edges_of_a_time_are_read() {
    let index = whole(&[range(0, 0, 1_000_000)]);
    let since = |offset: i64| Selection { from: Some(from_millis(offset * 1000)), ..Selection::default() };
    let (count, to_read) = counted(&index, since(990_500));
    let [edge] = to_read.as_slice() else { panic!("{to_read:?}") };
    assert!(edge.from <= 990_500 && edge.until > 990_500 && edge.until - edge.from == BLOCK);
    assert_eq!(count, (1_000_000 - edge.until) as u64);
    assert_eq!(counted(&index, since(2_000_000)), (0, vec![]));
    let pieces = index.pieces(&filter(since(990_500)), index.ranges());
    assert_eq!(pieces.first(), to_read.first());
    assert_eq!(pieces.iter().map(|piece| piece.until - piece.from).sum::<i64>(), 1_000_000 - edge.from);
}

#[test]
fn few_pieces_may_have_an_id() {
    let index = whole(&[range(0, 0, 400_000)]);
    let one = Selection { ids: vec![id(0, 123_456)], ..Selection::default() };
    let pieces = index.pieces(&filter(one.clone()), index.ranges());
    let there = |piece: &Piece| (piece.from..piece.until).contains(&123_456);
    assert!(pieces.iter().any(there) && pieces.len() <= 3, "{pieces:?}");
    assert_eq!(counted(&index, one.clone()), (0, pieces), "they are read for it");
    let other = Selection { ids: vec![id(1, 123_456)], ..Selection::default() };
    assert!(index.pieces(&filter(other), index.ranges()).len() <= 2);
    let of_none = Selection { endpoint: "other".into(), ..one };
    assert_eq!(index.pieces(&filter(of_none), index.ranges()), []);
}

#[test]
fn what_has_had_its_time_is_forgotten() {
    let mut index = whole(&[range(0, 0, 20_000)]);
    index.adjust(&[range(0, 10_000, 20_000)]);
    assert_eq!(read_on(&mut index, usize::MAX), 12_288 - 10_000, "the block whose first letters are gone");
    assert_eq!(counted(&index, Selection::default()), (10_000, vec![]));
    index.adjust(&[range(0, 20_000, 20_000)]);
    assert_eq!((counted(&index, Selection::default()).0, index.progress().is_done()), (0, true));
    // A topic that was made again.
    let mut index = whole(&[range(0, 0, 20_000)]);
    index.adjust(&[range(0, 0, 50)]);
    assert_eq!(read_on(&mut index, usize::MAX), 50);
    assert_eq!(counted(&index, Selection::default()).0, 50);
}

#[test]
fn what_is_not_counted_yet_may_have_anything() {
    let mut index = Index::default();
    index.adjust(&[range(0, 0, 20_000)]);
    assert_eq!(read_on(&mut index, 2), 2000);
    let none = filter(Selection { stage: "loader".into(), ..Selection::default() });
    let open: i64 = index.pieces(&none, index.ranges()).iter().map(|piece| piece.until - piece.from).sum();
    assert_eq!(open, 20_000, "no block is complete");
    assert_eq!(read_on(&mut index, 2), 1616);
    let open: i64 = index.pieces(&none, index.ranges()).iter().map(|piece| piece.until - piece.from).sum();
    assert_eq!(open, 16_384);
    assert_eq!(counted(&index, Selection::default()).0, 3616);
    assert_eq!(index.progress(), Progress { done: 3616, all: 20_000 });
}

#[test]
fn a_letter_that_was_written_twice_is_counted_once() {
    let mut index = Index::default();
    index.adjust(&[range(0, 0, BLOCK + 10)]);
    // What stands at the end of a block was written again in the next.
    let at = |offset: i64| if offset >= BLOCK { written(0, offset - 10) } else { written(0, offset) };
    while let Some(piece) = index.todo() {
        let records: Vec<_> = (piece.from..piece.until).map(|offset| stored(0, offset, &at(offset))).collect();
        index.add(piece, piece.until, &records);
    }
    assert_eq!(counted(&index, Selection::default()).0, BLOCK as u64);
    assert!(index.progress().is_done());
}
