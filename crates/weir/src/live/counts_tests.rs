use super::*;

#[test]
fn records_are_counted_by_topic() {
    let counts = Counts::default();
    for topic in ["events.a.b", "events.a.b", "events.a.c", "activities", "dead-letters"] {
        counts.came_out(topic, Some(Duration::from_millis(5)));
    }
    let totals = counts.totals();
    assert_eq!((totals.events(), totals.activities, totals.dead_letters), (3, 1, 1));
    assert_eq!(totals.typed["events.a.b"], 2);
    // Of typed events only.
    assert_eq!(totals.end_to_end.count(), 3);
}

#[test]
fn what_is_recent_is_forgotten_after_two_turns() {
    let counts = Counts::default();
    counts.came_out("events.a.b", Some(Duration::from_secs(5)));
    counts.turn();
    counts.came_out("events.a.b", Some(Duration::from_secs(1)));
    assert_eq!(counts.totals().recent().count(), 2);
    counts.turn();
    assert_eq!(counts.totals().recent().count(), 1);
    counts.turn();
    assert_eq!(counts.totals().recent().count(), 0);
    assert_eq!(counts.totals().end_to_end.count(), 2);
}
