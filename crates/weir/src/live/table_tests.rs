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

fn shown(totals: &Totals, running: Duration, state: &str, width: usize) -> String {
    table(totals, &totals.end_to_end, running, state, width)
}

#[test]
fn the_table_is_readable() {
    insta::assert_snapshot!("wide", shown(&totals(), Duration::from_secs(3_723), "ready", 120));
    insta::assert_snapshot!("narrow", shown(&totals(), Duration::from_secs(62), "ready", 60));
    insta::assert_snapshot!("empty", shown(&Totals::default(), Duration::ZERO, "waiting for a broker", 80));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [80, 100, 150, 200] {
        for line in shown(&totals(), Duration::from_secs(62), "ready", width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_line_says_the_same() {
    insta::assert_snapshot!(line(&totals()));
}
