use super::*;

#[test]
fn who_is_loud_for_a_week_is_found_among_many_that_come_once() {
    let mut candidates = Candidates::default();
    let mut ripe = Vec::new();
    for hour in 0..=WEEK {
        let strangers: Vec<String> = (0..30).map(|n| format!("{hour}-{n}")).collect();
        let nightly = if hour % 24 == 0 { 40 } else { 0 };
        let counts = strangers.iter().map(|name| (&**name, 1)).chain([("loud", 9), ("nightly", nightly)]);
        ripe.extend(candidates.count(counts.filter(|(_, count)| *count > 0), hour, 10));
        assert!(candidates.all.len() <= 10);
    }
    let found: Vec<_> = ripe.iter().map(|one| (&*one.endpoint, one.weekly, one.hourly)).collect();
    assert_eq!(found, [("loud", 169 * 9, 9), ("nightly", 8 * 40, 40)]);
    // It has had its chance.
    assert_eq!(candidates.count([("loud", 9)], WEEK + 1, 10), []);
}

#[test]
fn a_burst_is_no_claim_for_ever() {
    let mut candidates = Candidates::default();
    candidates.count([("burst", 1_000_000)], 5, 10);
    assert_eq!(candidates.count([("burst", 1)], 5 + 2 * WEEK + 1, 10), []);
    candidates.count([("ahead", 7)], 9_000_000, 10);
    candidates.count([("now", 7)], 6, 10);
    assert_eq!(candidates.all.keys().collect::<Vec<_>>(), ["now"]);
}
