use super::*;

#[test]
fn letters_are_counted_by_kind_and_hour() {
    let mut stats = Stats::default();
    let mut add = |reason: &str, endpoint: &str, millis: i64, attempts: u32| {
        stats.add(&DeadLetter {
            stage: "processing".into(),
            source: "meta".into(),
            reason: reason.into(),
            endpoint: endpoint.into(),
            failed_at: Some(from_millis(millis)),
            attempts,
            ..DeadLetter::default()
        });
    };
    add("not_json", "a", HOUR_MS + 1, 1);
    add("empty", "b", HOUR_MS + 2, 1);
    add("empty", "b", 3 * HOUR_MS, 2);
    let answer = stats.done((2, 7));
    assert_eq!((answer.count, answer.replays, answer.replayed), (3, 2, 7));
    let [most, least] = answer.kinds.as_slice() else { panic!("{:?}", answer.kinds) };
    assert_eq!((most.reason.as_str(), most.endpoint.as_str(), most.count, most.refused_again), ("empty", "b", 2, 1));
    assert_eq!((most.first, most.last), (Some(from_millis(HOUR_MS + 2)), Some(from_millis(3 * HOUR_MS))));
    assert_eq!((least.reason.as_str(), least.count, least.refused_again), ("not_json", 1, 0));
    let hours: Vec<_> = answer.hours.iter().map(|hour| (hour.hour.unwrap().seconds, hour.count)).collect();
    assert_eq!(hours, [(3600, 2), (3 * 3600, 1)]);
}
