use proptest::prelude::*;

use super::*;

fn turn(epoch: u64, start: i64) -> Assignment {
    Assignment { epoch, start }
}

#[test]
fn ranges_cover_gaps_and_begin_where_the_turn_began() {
    let mut ranges = Ranges::begin(turn(1, 10));
    assert!(!ranges.is_open() && ranges.is_idle());
    assert_eq!(ranges.seal("nothing"), Err("nothing"));
    ranges.take(14);
    ranges.take(17);
    assert_eq!(ranges.seal("a"), Ok(TurnRange { epoch: 1, from: 10, to: 18 }));
    ranges.take(30);
    assert_eq!(ranges.seal("b"), Ok(TurnRange { epoch: 1, from: 18, to: 31 }));
    let (first, content) = ranges.hand_on().unwrap();
    assert_eq!((first.from, content), (10, "a"));
    assert!(ranges.hand_on().is_none(), "one at a time");
    assert!(!ranges.done(TurnRange { epoch: 0, ..first }));
    assert!(ranges.done(first));
    let (second, _) = ranges.hand_on().unwrap();
    assert!(!ranges.is_idle());
    assert!(ranges.done(second));
    assert!(ranges.is_idle());
}

/// What can happen to a partition.
#[derive(Debug, Clone)]
enum Step {
    /// A record, so many offsets after the one before.
    Record(i64),
    Seal,
    Send,
    /// The request that is out is acknowledged.
    Done,
    /// The partition goes back, or is given away and comes again.
    NewTurn,
    /// The process ends and another begins: nothing is known any more.
    Restart,
    /// Something of an older turn arrives after all.
    LateRecord,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..5i64).prop_map(Step::Record),
        3 => Just(Step::Seal),
        3 => Just(Step::Send),
        3 => Just(Step::Done),
        1 => Just(Step::NewTurn),
        1 => Just(Step::Restart),
        1 => Just(Step::LateRecord),
    ];
    proptest::collection::vec(step, 1..200)
}

/// The log and the group as they really are, beside the partition that is tried.
struct World {
    /// The records that are on the log, by offset; more are appended as they are asked for.
    log: Vec<i64>,
    /// What the group has committed: the end of the last range that was acknowledged.
    committed: i64,
    next: usize,
    epoch: u64,
    /// All requests that went out: range, and the offsets of their rows.
    requests: Vec<(TurnRange, Vec<i64>)>,
}

impl World {
    /// Gathers the next record, in a new turn at first where that is so.
    fn record(&mut self, ranges: &mut Ranges<Vec<i64>>, open: &mut Vec<i64>, gap: i64) {
        if self.next == self.log.len() {
            let last = self.log.last().copied().unwrap_or(-1);
            self.log.push(last + gap);
        }
        let offset = self.log[self.next];
        self.next += 1;
        let now = turn(self.epoch, self.committed);
        if ranges.look(now) == Taken::Anew {
            *ranges = Ranges::begin(now);
            open.clear();
        }
        assert_eq!(ranges.look(now), Taken::Same);
        ranges.take(offset);
        open.push(offset);
    }

    fn turn_begins(&mut self) {
        self.epoch += 1;
        self.next = self.log.partition_point(|offset| *offset < self.committed);
    }
}

proptest! {
    /// Whatever happens: the requests of a turn are contiguous and begin where it began, none overlaps another but after
    /// a new turn, each holds exactly its rows, and in the end every record's row is in a request that covers it.
    #[test]
    fn every_record_is_in_a_request_that_covers_it(steps in steps()) {
        let mut world = World { log: Vec::new(), committed: 0, next: 0, epoch: 1, requests: Vec::new() };
        let mut ranges = Ranges::begin(turn(1, 0));
        let mut open: Vec<i64> = Vec::new();
        // The request that is out, of whatever turn: an answer may come after the turn is over.
        let mut out: Option<TurnRange> = None;
        let finish = [Step::Seal, Step::Done, Step::Send, Step::Done, Step::Send, Step::Done];
        let all = steps.into_iter().chain(std::iter::repeat_n(finish, 80).flatten());
        for step in all {
            match step {
                Step::Record(gap) => world.record(&mut ranges, &mut open, gap),
                Step::Seal => match ranges.seal(std::mem::take(&mut open)) {
                    Ok(range) => prop_assert!(range.from < range.to),
                    Err(rows) => prop_assert!(rows.is_empty()),
                },
                Step::Send => {
                    if ranges.turn().epoch == world.epoch && let Some((range, rows)) = ranges.hand_on() {
                        world.requests.push((range, rows));
                        out = Some(range);
                    }
                }
                Step::Done => {
                    if let Some(range) = out.take() && ranges.done(range) && range.epoch == world.epoch {
                        world.committed = range.to;
                    }
                }
                Step::NewTurn => world.turn_begins(),
                Step::Restart => {
                    world.turn_begins();
                    (ranges, out) = (Ranges::begin(turn(world.epoch, world.committed)), None);
                    open.clear();
                }
                Step::LateRecord => {
                    if ranges.turn().epoch > 1 {
                        prop_assert_eq!(ranges.look(turn(ranges.turn().epoch - 1, 0)), Taken::Late);
                    }
                }
            }
        }
        // What a last turn left undone comes again, and is finished.
        while world.next < world.log.len() {
            world.record(&mut ranges, &mut open, 1);
        }
        let _ = ranges.seal(std::mem::take(&mut open));
        if let Some(range) = out { ranges.done(range); }
        while let Some((range, rows)) = ranges.hand_on() {
            ranges.done(range);
            world.requests.push((range, rows));
        }
        for pair in world.requests.windows(2) {
            let (before, after) = (pair[0].0, pair[1].0);
            if before.epoch == after.epoch {
                prop_assert_eq!(before.to, after.from);
            } else {
                prop_assert!(before.epoch < after.epoch);
                prop_assert!(after.from <= before.to, "a hole between turns: {:?} and {:?}", before, after);
            }
        }
        for (range, rows) in &world.requests {
            let of_log: Vec<i64> =
                world.log.iter().copied().filter(|offset| (range.from..range.to).contains(offset)).collect();
            prop_assert_eq!(rows, &of_log, "{:?}", range);
        }
        for offset in &world.log {
            prop_assert!(world.requests.iter().any(|(_, rows)| rows.contains(offset)), "{} is in none", offset);
        }
    }
}
