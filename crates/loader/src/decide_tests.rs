use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn candidate(from: i64, to: i64) -> Candidate {
    Candidate { range: RequestRange { from, to }, unusable: false, accepted: false }
}

fn decided(version: Option<i64>, ranges: &[(i64, i64)]) -> (Vec<Decision>, Option<i64>) {
    let queue: Vec<Candidate> = ranges.iter().map(|(from, to)| candidate(*from, *to)).collect();
    decide(version, None, &queue)
}

#[test]
fn the_table_of_rules() {
    use Decision::{Commit, Gap, Skip, Trim};
    type Case = (&'static str, Option<i64>, &'static [(i64, i64)], &'static [Decision], Option<i64>);
    let cases: &[Case] = &[
        ("nothing to decide", Some(5), &[], &[], Some(5)),
        ("the first one may begin anywhere", None, &[(100, 110)], &[Commit], Some(110)),
        ("it goes on where it ended", Some(10), &[(10, 20)], &[Commit], Some(20)),
        ("several in one commit", Some(10), &[(10, 20), (20, 25)], &[Commit, Commit], Some(25)),
        ("all of it is there", Some(20), &[(10, 20)], &[Skip], Some(20)),
        ("more than that is there", Some(21), &[(10, 20)], &[Skip], Some(21)),
        ("the beginning is there", Some(15), &[(10, 20)], &[Trim { below: 15 }], Some(20)),
        ("one offset is missing", Some(10), &[(11, 20)], &[Gap { version: 10 }], Some(10)),
        ("twice", Some(10), &[(10, 20), (10, 20)], &[Commit, Skip], Some(20)),
        ("the longer one first", Some(10), &[(10, 20), (10, 15)], &[Trim { below: 15 }, Commit], Some(20)),
        ("early, and what it waits for", Some(10), &[(20, 30), (10, 20)], &[Commit, Commit], Some(30)),
        (
            "behind a gap",
            Some(0),
            &[(0, 5), (7, 9), (9, 12)],
            &[Commit, Gap { version: 5 }, Gap { version: 5 }],
            Some(5),
        ),
        ("a gap that another closes", Some(0), &[(7, 9), (0, 8)], &[Trim { below: 8 }, Commit], Some(9)),
    ];
    for (what, version, ranges, decisions, after) in cases {
        assert_eq!(decided(*version, ranges), (decisions.to_vec(), *after), "{what}");
    }
}

#[test]
fn what_cannot_be_used_waits_and_so_does_what_follows() {
    let bad = Candidate { unusable: true, ..candidate(10, 20) };
    let queue = [bad, candidate(20, 30)];
    assert_eq!(decide(Some(10), None, &queue), (vec![Decision::Unusable, Decision::Gap { version: 10 }], Some(10)));
    // Its rows may come by another request, as after a change of owner.
    let queue = [bad, candidate(10, 25)];
    assert_eq!(decide(Some(10), None, &queue), (vec![Decision::Unusable, Decision::Commit], Some(25)));
    assert_eq!(decide(Some(25), None, &[bad]).0, [Decision::Skip]);
}

#[test]
fn the_first_one_cannot_be_used_and_what_follows_is_not_taken_for_the_first() {
    let bad = Candidate { unusable: true, ..candidate(10, 20) };
    let queue = [bad, candidate(20, 30)];
    assert_eq!(decide(None, None, &queue), (vec![Decision::Unusable, Decision::Gap { version: 10 }], None));
    let queue = [bad, candidate(10, 15), candidate(15, 25)];
    assert_eq!(decide(None, None, &queue), (vec![Decision::Unusable, Decision::Commit, Decision::Commit], Some(25)));
}

#[test]
fn an_operator_can_accept_a_gap() {
    let queue = [Candidate { accepted: true, ..candidate(15, 20) }, candidate(20, 30)];
    assert_eq!(decide(Some(10), None, &queue), (vec![Decision::Commit, Decision::Commit], Some(30)));
}

#[test]
fn what_the_log_cannot_have_given_is_not_believed() {
    use Decision::{Beyond, Commit, Gap, Skip, Trim};
    type Case = (&'static str, Option<i64>, Option<i64>, &'static [(i64, i64)], &'static [Decision], Option<i64>);
    let cases: &[Case] = &[
        ("the version is where the log ends", Some(20), Some(20), &[(10, 20)], &[Skip], Some(20)),
        ("the version is beyond the end", Some(26), Some(20), &[(16, 20)], &[Beyond { at: 26 }], Some(26)),
        ("all of it waits", Some(26), Some(29), &[(16, 29), (29, 40)], &[Beyond { at: 40 }; 2], Some(26)),
        ("nor is it trimmed", Some(26), Some(25), &[(16, 27)], &[Beyond { at: 27 }], Some(26)),
        ("marked, and the log has come by", Some(marked(26)), Some(99), &[(16, 20)], &[Beyond { at: 26 }], Some(-26)),
        ("marked, and the log is not asked", Some(marked(26)), None, &[(30, 40)], &[Beyond { at: 26 }], Some(-26)),
        ("a request is beyond the end", Some(10), Some(15), &[(10, 16)], &[Beyond { at: 16 }], Some(10)),
        ("and there is no version", None, Some(15), &[(10, 16)], &[Beyond { at: 16 }], None),
        ("another log", Some(26), None, &[(16, 20), (20, 30)], &[Skip, Trim { below: 26 }], Some(30)),
        ("no version", None, Some(20), &[(16, 20)], &[Commit], Some(20)),
        ("a gap", Some(10), Some(20), &[(16, 20)], &[Gap { version: 10 }], Some(10)),
    ];
    for (what, version, end, ranges, decisions, after) in cases {
        let queue: Vec<Candidate> = ranges.iter().map(|(from, to)| candidate(*from, *to)).collect();
        assert_eq!(decide(*version, *end, &queue), (decisions.to_vec(), *after), "{what}");
    }
}

#[test]
fn an_operator_says_which_is_the_first_that_is_not_in_the_table() {
    use Decision::{Beyond, Commit, Skip};
    let queue =
        [candidate(12, 16), candidate(16, 23), Candidate { accepted: true, ..candidate(16, 20) }, candidate(20, 24)];
    for version in [26, marked(26)] {
        let (decisions, after) = decide(Some(version), Some(24), &queue);
        // What came before it counts as loaded: it is of the life of the log that is gone.
        assert_eq!((decisions, after), (vec![Skip, Skip, Commit, Commit], Some(24)));
        // It comes again, and is not loaded twice.
        assert_eq!(decide(after, Some(24), &queue[2..]), (vec![Skip; 2], Some(24)));
    }
    let (decisions, after) = decide(Some(26), Some(22), &queue);
    assert_eq!((decisions, after), (vec![Skip, Skip, Commit, Beyond { at: 24 }], Some(20)));
}

/// What loaders do to one application, and how often each offset is in the table.
#[derive(Default)]
struct Lake {
    version: Option<i64>,
    times: BTreeMap<i64, u32>,
}

impl Lake {
    fn commit(&mut self, queue: &[Candidate]) -> Vec<Decision> {
        let (decisions, version) = decide(self.version, None, queue);
        for (candidate, decision) in queue.iter().zip(&decisions) {
            let from = match decision {
                Decision::Commit => candidate.range.from,
                Decision::Trim { below } => *below,
                _ => continue,
            };
            (from..candidate.range.to).for_each(|offset| *self.times.entry(offset).or_default() += 1);
        }
        self.version = version;
        decisions
    }
}

/// What is asked for: enrichers that begin somewhere, cut as they like, and are followed by others that begin where the
/// group had committed.
fn requests() -> impl Strategy<Value = Vec<Candidate>> {
    let turn = (0..1000_i64, prop::collection::vec(1..20_i64, 1..6));
    prop::collection::vec(turn, 1..6).prop_map(|turns| {
        let (mut requests, mut end) = (Vec::new(), 100);
        for (n, (back, lengths)) in turns.into_iter().enumerate() {
            // Each turn begins at or before the end of what was asked for, never beyond.
            let mut from = if n == 0 { 100 } else { end - back % (end - 99) };
            for length in lengths {
                requests.push(candidate(from, from + length));
                from += length;
            }
            end = end.max(from);
        }
        requests
    })
}

proptest! {
    /// Whatever order they come in, however they are spread over commits, and however often they come again after a
    /// crash: each offset is in the table once, those up to the version and no other.
    #[test]
    fn each_offset_is_in_the_table_once(
        requests in requests(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        sizes in prop::collection::vec(1..5_usize, 1..40),
    ) {
        let end = requests.iter().map(|candidate| candidate.range.to).max().unwrap();
        let mut lake = Lake::default();
        // The first of a partition comes first: that holds for a topic whose key is the table.
        lake.commit(&requests[..1]);
        let mut arriving: Vec<Candidate> = order.iter().map(|index| requests[index.index(requests.len())]).collect();
        arriving.extend(&requests);
        let mut waiting: Vec<Candidate> = Vec::new();
        let mut sizes = sizes.into_iter().cycle();
        let mut arriving = arriving.into_iter().peekable();
        while arriving.peek().is_some() {
            waiting.extend(arriving.by_ref().take(sizes.next().unwrap()));
            let before = lake.version;
            let decisions = lake.commit(&waiting);
            prop_assert!(lake.version >= before);
            let mut decisions = decisions.into_iter();
            waiting.retain(|_| decisions.next().unwrap().holds());
            let loaded: Vec<i64> = lake.times.keys().copied().collect();
            prop_assert_eq!(loaded, (100..lake.version.unwrap()).collect::<Vec<_>>());
            prop_assert!(lake.times.values().all(|times| *times == 1));
        }
        prop_assert_eq!(lake.version, Some(end));
        prop_assert!(waiting.is_empty());
    }

    /// Files that cannot be used for a time hold requests up, and lose nothing.
    #[test]
    fn what_cannot_be_used_yet_is_loaded_later(
        lengths in prop::collection::vec((1..20_i64, any::<bool>()), 1..10),
        known in any::<bool>(),
    ) {
        let mut lake = Lake { version: known.then_some(100), ..Lake::default() };
        let mut from = 100;
        let mut queue = Vec::new();
        for (length, unusable) in lengths {
            queue.push(Candidate { unusable, ..candidate(from, from + length) });
            from += length;
        }
        let usable = queue.iter().position(|candidate| candidate.unusable).map_or(from, |n| queue[n].range.from);
        lake.commit(&queue);
        prop_assert_eq!(lake.times.keys().copied().collect::<Vec<_>>(), (100..usable).collect::<Vec<_>>());
        queue.iter_mut().for_each(|candidate| candidate.unusable = false);
        lake.commit(&queue);
        prop_assert_eq!(lake.times.keys().copied().collect::<Vec<_>>(), (100..from).collect::<Vec<_>>());
        prop_assert!(lake.times.values().all(|times| *times == 1));
    }

    /// Whatever a table says that the log cannot have given: nothing is taken for loaded, and nothing is loaded, until
    /// somebody says so. Once it is marked, also when the log has come to the same offsets.
    #[test]
    fn a_version_beyond_the_log_skips_nothing(
        version in 1..60_i64,
        back in 1..60_i64,
        later in 0..100_i64,
        ranges in prop::collection::vec((0..60_i64, 1..20_i64), 1..10),
    ) {
        let queue: Vec<Candidate> = ranges.iter().map(|(from, length)| candidate(*from, from + length)).collect();
        let (decisions, after) = decide(Some(version), Some(version - back), &queue);
        let beyond = |decisions: &[Decision]| decisions.iter().all(|decision| matches!(decision, Decision::Beyond { .. }));
        prop_assert!(beyond(&decisions), "not all are held");
        prop_assert_eq!(after, Some(version));
        let (decisions, _) = decide(Some(marked(version)), Some(version + later), &queue);
        prop_assert!(beyond(&decisions), "not all are held once it is marked");
    }

    /// A request is never lost without a word: it is loaded, was loaded, or waits.
    #[test]
    fn what_is_missing_is_never_passed_over(
        version in prop::option::of(0..50_i64),
        ranges in prop::collection::vec((0..60_i64, 1..20_i64), 0..10),
    ) {
        let queue: Vec<Candidate> = ranges.iter().map(|(from, length)| candidate(*from, from + length)).collect();
        let (decisions, after) = decide(version, None, &queue);
        for (candidate, decision) in queue.iter().zip(decisions) {
            match decision {
                Decision::Gap { version } => prop_assert!(candidate.range.from > version && after.is_some()),
                _ => prop_assert!(after.is_some_and(|after| candidate.range.to <= after)),
            }
        }
    }
}
