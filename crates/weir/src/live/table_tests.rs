use super::*;

fn totals() -> Totals {
    let counts = super::super::counts::Counts::default();
    for millis in 1..=100 {
        counts.came_out("events.facebook.link", Some(Duration::from_millis(millis)));
    }
    let mut totals = counts.totals();
    (totals.activities, totals.dead_letters) = (4_321, 3);
    (totals.enriched, totals.files, totals.rows) = (4_300, 12, 4_250);
    totals.sent.acknowledged = 1_230;
    totals.sent.refused = 4;
    for (topic, count) in [
        ("events.facebook.comment", 1_204),
        ("events.facebook.reaction", 988),
        ("events.github.push", 77),
        ("events.instagram.comment", 310),
        ("events.standard_webhooks.message", 12),
    ] {
        totals.typed.insert(topic.into(), count);
    }
    for millis in 1..=100 {
        totals.sent.latencies.record(Duration::from_millis(millis / 10));
    }
    totals
}

/// As many topics as a simulation fills.
fn many() -> Totals {
    let mut totals = totals();
    for n in 0..62 {
        totals.typed.insert(format!("events.github.a_kind_of_{n:02}"), n + 1);
    }
    totals
}

fn shown(totals: &Totals, running: Duration, how: &str, width: usize) -> String {
    let all = Size { width, height: usize::MAX };
    let counts = counts(totals, &totals.end_to_end, running, false);
    format!("{}\n{counts}{}", state(running, how), topics(totals, all))
}

#[test]
fn the_table_is_readable() {
    insta::assert_snapshot!("wide", shown(&totals(), Duration::from_secs(3_723), "ready", 120));
    insta::assert_snapshot!("narrow", shown(&totals(), Duration::from_secs(62), "ready", 60));
    insta::assert_snapshot!("empty", shown(&Totals::default(), Duration::ZERO, "waiting for a broker", 80));
}

#[test]
fn what_does_not_fit_is_counted() {
    let totals = many();
    let all: u64 = totals.events();
    for (width, height) in [(80, 1), (80, 8), (80, 12), (60, 10), (200, 5), (40, 3)] {
        let text = topics(&totals, Size { width, height });
        assert_eq!(text.lines().count(), height, "{width}x{height}:\n{text}");
        let numbers = text.split_whitespace().filter_map(|word| word.replace(',', "").parse::<u64>().ok());
        let (topics, events) = text.lines().last().unwrap().split_once(" more topics with ").unwrap();
        let others: u64 = topics.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(events.ends_with(" events"), "{text}");
        assert_eq!(numbers.sum::<u64>() - others, all, "every event is in it:\n{text}");
    }
    let text = topics(&totals, Size { width: 80, height: 10 });
    assert!(text.starts_with("  facebook.comment"), "the busiest first:\n{text}");
    assert_eq!(topics(&totals, Size { width: 80, height: 0 }), "");
    assert!(!topics(&totals, Size { width: 80, height: 40 }).contains("more topics"));
}

#[test]
fn rows_that_are_still_on_the_log_at_the_end_are_told() {
    let mut totals = totals();
    let ended = |totals: &Totals, ended| counts(totals, &totals.end_to_end, Duration::from_secs(62), ended);
    assert!(ended(&totals, true).contains("not loaded yet            50   on the log: the next start loads them"));
    assert!(!ended(&totals, false).contains("not loaded yet"), "they are on their way");
    totals.rows = totals.enriched;
    assert!(!ended(&totals, true).contains("not loaded yet"));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [80, 100, 150, 200] {
        for line in shown(&many(), Duration::from_secs(62), "ready", width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    assert_eq!(clipped("abcdef\nabc\n", 4), "abc…\nabc\n");
}

#[test]
fn a_line_says_the_same() {
    insta::assert_snapshot!(line(&totals()));
}
