use proptest::prelude::*;

use super::*;

const ME: u64 = 7;
const OTHER: u64 = 8;

fn mark(ended: u32, run: Option<u64>, record: Option<Charge>) -> Option<Mark> {
    Some(Mark { ended, run, record })
}

fn trial(offset: i64, times: u32) -> Charge {
    Charge::Trial(Suspect { offset, times })
}

/// A partition that begins at 10 of 20, with at most 5 records out.
fn begin(found: Option<Mark>) -> Watch {
    Watch::begin(found, ME, 10, 20, 5)
}

#[test]
fn what_a_beginning_makes_of_the_mark() {
    use Charge::{Culprit, Suspected, Trial};
    let suspect = |offset, times| Suspect { offset, times };
    for (name, found, ended, single_file, culprit) in [
        ("nothing is known", None, 0, false, false),
        ("one ended", mark(0, Some(OTHER), None), 1, false, false),
        ("two ended", mark(1, Some(OTHER), None), 2, true, false),
        ("many ended", mark(u32::MAX, Some(OTHER), None), u32::MAX, true, false),
        ("one ended on a trial", mark(2, Some(OTHER), Some(Trial(suspect(10, 0)))), 3, true, false),
        ("two ended on a trial", mark(3, Some(OTHER), Some(Trial(suspect(10, 1)))), 4, true, false),
        ("three ended on a trial", mark(4, Some(OTHER), Some(Trial(suspect(10, 2)))), 5, true, true),
        ("a trial of a later record, behind a gap", mark(4, Some(OTHER), Some(Trial(suspect(13, 2)))), 5, true, false),
        ("one ended before the trial", mark(4, Some(OTHER), Some(Suspected(suspect(10, 2)))), 5, true, false),
        ("it was found before", mark(3, Some(OTHER), Some(Culprit(10))), 4, true, true),
        ("one ended, then one in good order", mark(1, None, None), 1, false, false),
        ("two ended, then one in good order", mark(2, None, None), 2, true, false),
        ("found, then one in good order", mark(3, None, Some(Culprit(10))), 3, true, true),
        ("this run lost it and has it again", mark(1, Some(ME), None), 1, false, false),
        ("this run lost it during a trial", mark(4, Some(ME), Some(Trial(suspect(10, 2)))), 4, true, false),
        ("this run lost it after it was found", mark(3, Some(ME), Some(Culprit(10))), 3, true, true),
    ] {
        let watch = begin(found);
        let seen = (watch.ended(), watch.is_single_file(), watch.is_culprit(10));
        assert_eq!(seen, (ended, single_file, culprit), "{name}");
    }
}

#[test]
fn where_nothing_waits_nothing_is_suspected() {
    let found = mark(5, Some(OTHER), Some(trial(20, 2)));
    let watch = Watch::begin(found, ME, 20, 20, 5);
    assert!(!watch.is_single_file() && !watch.has_culprit());
    assert_eq!((watch.settled(), watch.on_log()), (None, found), "an end in good order takes it away");
}

#[test]
fn a_run_that_ends_in_good_order_counts_for_nothing() {
    assert_eq!(begin(None).settled(), None);
    for ended in 0..5 {
        let watch = begin(mark(ended, Some(OTHER), None));
        assert_eq!(begin(watch.settled()).ended(), watch.ended());
        assert_eq!(begin(Some(watch.running())).ended(), watch.ended(), "its own mark");
        let next = Watch::begin(Some(watch.running()), OTHER, 10, 20, 5);
        assert_eq!(next.ended(), watch.ended() + 1, "another finds it");
    }
    let found = begin(mark(4, Some(OTHER), Some(trial(10, 2))));
    assert!(begin(found.settled()).is_culprit(10), "what was found stands");
}

#[test]
fn ends_on_a_trial_are_counted_for_one_record_until_it_is_done() {
    let mut watch = begin(mark(3, Some(OTHER), Some(trial(10, 1))));
    assert_eq!(watch.charge(10).record, Some(trial(10, 2)));
    assert_eq!(watch.charge(12).record, Some(trial(12, 0)));
    let kept = Some(Charge::Suspected(Suspect { offset: 10, times: 2 }));
    assert_eq!(watch.settled().and_then(|mark| mark.record), kept, "an end in good order keeps the count");
    assert_eq!(begin(watch.settled()).charge(10).record, Some(trial(10, 2)));
    watch.passed(10);
    assert_eq!(watch.settled().and_then(|mark| mark.record), None);
}

#[test]
fn who_gathers_records_suspects_none() {
    for found in [mark(9, Some(OTHER), None), mark(9, Some(OTHER), Some(trial(10, 9)))] {
        let watch = Watch::begin(found, ME, 10, 20, 0);
        assert_eq!((watch.ended(), watch.is_single_file(), watch.has_culprit()), (10, false, false));
    }
}

#[test]
fn a_window_ends_with_its_records_its_end_or_the_culprit() {
    let mut watch = begin(mark(1, Some(OTHER), None));
    for offset in 10..15 {
        assert!(watch.tries(offset) && !watch.is_over(offset), "{offset}");
        watch.passed(offset);
    }
    assert!(!watch.tries(15) && watch.is_over(15), "no more were ever out");

    let watch = begin(mark(1, Some(OTHER), None));
    assert!(watch.tries(19) && !watch.tries(20) && watch.is_over(20), "what came later was never out");

    let mut watch = begin(mark(4, Some(OTHER), Some(trial(10, 2))));
    assert_eq!(watch.charge(10).record, Some(Charge::Culprit(10)));
    watch.passed(10);
    assert!(watch.is_over(11) && !watch.tries(11) && watch.settled().is_none());
}

#[test]
fn progress_takes_the_mark_away_once() {
    let mut watch = begin(mark(0, Some(OTHER), None));
    watch.written(Some(watch.running()));
    assert!(watch.progress());
    assert_eq!((watch.on_log(), watch.settled(), watch.ended()), (None, None, 0));
    assert!(!watch.progress());
}

#[test]
fn metadata_of_others_is_no_mark() {
    for text in [
        "",
        "weir",
        "weir:",
        "weir:ended",
        "weir:ended=",
        "weir:ended=-1",
        "weir:run=7",
        "weir:ended=1,run=x",
        "weir:ended=1,trial=",
        "weir:ended=1,trial=1,times=x",
        "weir:ended=1,culprit=1.5",
        "other:ended=3,run=8,trial=1",
        "offset committed by hand",
    ] {
        assert_eq!(Mark::read(text), None, "{text:?}");
    }
    assert_eq!(Mark::read("weir:ended=1,run=8,since=now"), mark(1, Some(8), None), "of a later version");
    let written = Mark { ended: 2, run: Some(255), record: Some(trial(41, 1)) }.to_string();
    assert_eq!(written, "weir:ended=2,run=00000000000000ff,trial=41,times=1");
    assert_eq!(Mark::read("weir:ended=2,trial=41"), mark(2, None, Some(trial(41, 0))), "of an earlier version");
}

proptest! {
    #[test]
    fn marks_come_back_as_they_were(
        ended: u32,
        run: Option<u64>,
        record in prop::option::of((0..3, any::<i64>(), any::<u32>())),
    ) {
        let record = record.map(|(kind, offset, times)| match kind {
            0 => Charge::Trial(Suspect { offset, times }),
            1 => Charge::Suspected(Suspect { offset, times }),
            _ => Charge::Culprit(offset),
        });
        let mark = Mark { ended, run, record };
        prop_assert_eq!(Mark::read(&mark.to_string()), Some(mark));
    }

    #[test]
    fn reading_never_panics(text in "(weir:)?[a-z=,0-9 -]{0,40}") {
        let _ = Mark::read(&text);
    }
}
