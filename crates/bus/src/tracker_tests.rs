use proptest::prelude::*;

use super::*;

#[test]
fn stores_only_the_contiguous_prefix_in_the_order_received() {
    let mut tracker = Tracker::new(1, 10);
    for offset in [10, 11, 15, 20] {
        assert!(tracker.hand_out(offset));
    }
    assert!(tracker.complete(1, 11));
    assert_eq!(tracker.position(), 10);
    assert!(tracker.complete(1, 10));
    assert_eq!(tracker.position(), 12, "not 15: nothing says yet that 15 is done");
    assert!(tracker.complete(1, 20));
    assert_eq!(tracker.position(), 12);
    assert!(tracker.complete(1, 15));
    assert_eq!(tracker.position(), 21);
    assert_eq!(tracker.awaited(), 0);
}

#[test]
fn completions_of_an_older_epoch_are_ignored() {
    let mut tracker = Tracker::new(1, 0);
    assert!(tracker.hand_out(0) && tracker.hand_out(1));
    assert!(tracker.complete(1, 0));
    tracker.restart(2);
    assert_eq!((tracker.position(), tracker.awaited()), (1, 0));
    assert!(tracker.hand_out(1));
    assert!(!tracker.complete(1, 1));
    assert_eq!(tracker.position(), 1);
    assert!(tracker.complete(2, 1));
    assert_eq!(tracker.position(), 2);
}

#[test]
fn nothing_goes_out_or_counts_twice() {
    let mut tracker = Tracker::new(1, 5);
    assert!(!tracker.hand_out(4), "done before");
    assert!(tracker.hand_out(7));
    assert!(!tracker.hand_out(7) && !tracker.hand_out(6));
    assert!(tracker.complete(1, 7));
    assert!(!tracker.complete(1, 7) && !tracker.complete(1, 8));
    assert_eq!((tracker.position(), tracker.awaited()), (8, 0));
}

/// The same, slowly and obviously: a list of everything handed out in this epoch.
#[derive(Default)]
struct Oracle {
    epoch: u64,
    start: i64,
    out: Vec<(i64, bool)>,
    left: Vec<i64>,
}

impl Oracle {
    fn position(&self) -> i64 {
        let done = self.out.iter().take_while(|(_, done)| *done).count();
        if done == 0 { self.start } else { self.out[done - 1].0 + 1 }
    }

    fn awaited(&self) -> usize {
        self.out.iter().filter(|(offset, done)| !done && !self.left.contains(offset)).count()
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Hand out the record so many offsets after the last.
    HandOut(i64),
    /// End one of all that ever went out, of whatever epoch.
    Complete(prop::sample::Index),
    /// Leave one of all that ever went out, which was not left before.
    Leave(prop::sample::Index),
    Restart,
}

proptest! {
    #[test]
    fn agrees_with_a_naive_oracle(
        steps in prop::collection::vec(
            prop_oneof![
                5 => (0..4i64).prop_map(Step::HandOut),
                5 => any::<prop::sample::Index>().prop_map(Step::Complete),
                1 => any::<prop::sample::Index>().prop_map(Step::Leave),
                1 => Just(Step::Restart),
            ],
            0..200,
        ),
    ) {
        let mut tracker = Tracker::new(0, 0);
        let mut oracle = Oracle::default();
        let mut ever: Vec<(u64, i64)> = Vec::new();
        for step in steps {
            match step {
                Step::HandOut(gap) => {
                    let offset = oracle.out.last().map_or(oracle.start, |(last, _)| last + 1) + gap;
                    prop_assert!(tracker.hand_out(offset));
                    oracle.out.push((offset, false));
                    ever.push((oracle.epoch, offset));
                }
                Step::Complete(index) if !ever.is_empty() => {
                    let (epoch, offset) = *index.get(&ever);
                    let ours = oracle.out.iter_mut().find(|(at, done)| *at == offset && !done && epoch == oracle.epoch);
                    let expected = ours.map(|entry| entry.1 = true).is_some();
                    prop_assert_eq!(tracker.complete(epoch, offset), expected);
                }
                Step::Leave(index) if !ever.is_empty() => {
                    // Nobody ends it after that.
                    let (epoch, offset) = ever.swap_remove(index.index(ever.len()));
                    tracker.leave(epoch, offset);
                    if epoch == oracle.epoch {
                        oracle.left.push(offset);
                    }
                }
                Step::Complete(_) | Step::Leave(_) => {}
                Step::Restart => {
                    oracle = Oracle { epoch: oracle.epoch + 1, start: oracle.position(), ..Oracle::default() };
                    tracker.restart(oracle.epoch);
                }
            }
            prop_assert_eq!(tracker.position(), oracle.position());
            prop_assert_eq!(tracker.awaited(), oracle.awaited());
            let unfinished = oracle.out.iter().filter(|(_, done)| !done).count();
            prop_assert_eq!(tracker.unfinished(), unfinished);
        }
    }
}
