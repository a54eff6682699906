use common::deadletter::v1::RawCounts;

use super::*;

fn whole() -> Report {
    Report {
        time: (1_772_000_000_000, 1_772_003_600_000),
        raw: RawCounts { deliveries: 1_200, unchanged: 2_500, refused: 3, ..RawCounts::default() },
        raw_examples: Vec::new(),
        enrichment: Hop { taken: 2_000, there: 1_999, refused: 1, ..Hop::default() },
        lake: Hop { taken: 1_999, there: 1_999, ..Hop::default() },
    }
}

#[test]
fn what_came_through_takes_few_words() {
    insta::assert_snapshot!(show::words(&whole()));
    insta::assert_snapshot!(show::json(&whole()));
}

#[test]
fn what_is_missing_is_named_at_its_step() {
    let mut report = whole();
    report.raw.missing = 2;
    report.raw.waiting = 1;
    report.raw_examples = vec!["delivery-1".into()];
    report.enrichment.missing = 1;
    report.enrichment.examples = vec!["activity-1".into()];
    report.lake =
        Hop { missing: 2, repeated: 1, examples: vec!["activity-2".into(), "activity-3".into()], ..report.lake };
    insta::assert_snapshot!(show::words(&report));
}

#[test]
fn each_thing_that_is_missing_or_doubled_fails_it() {
    assert!(whole().is_whole());
    let broken: [fn(&mut Report); 5] = [
        |report| report.raw.missing = 1,
        |report| report.raw.waiting = 1,
        |report| report.enrichment.missing = 1,
        |report| report.lake.missing = 1,
        |report| report.lake.repeated = 1,
    ];
    for breaks in broken {
        let mut report = whole();
        breaks(&mut report);
        assert!(!report.is_whole(), "{report:?}");
    }
}
