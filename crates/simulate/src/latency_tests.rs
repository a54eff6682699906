use super::*;

#[test]
fn every_value_is_within_three_percent() {
    let mut micros = 0_u64;
    while micros < 1 << 62 {
        let found = upper(bucket(micros));
        assert!(found >= micros && found - micros <= micros / 32, "{micros}: {found}");
        micros += 1 + micros / 7;
    }
    assert!(bucket(u64::MAX) < BUCKETS);
}

#[test]
fn quantiles_are_ranks() {
    let mut latencies = Latencies::default();
    assert_eq!(latencies.quantile(0.5), None);
    for millis in 1..=100 {
        latencies.record(Duration::from_millis(millis));
    }
    let near = |share: f64, millis: u64| {
        let found = latencies.quantile(share).unwrap();
        let sought = Duration::from_millis(millis);
        assert!(found >= sought && found <= sought + sought / 30, "{share}: {found:?}");
    };
    near(0.5, 50);
    near(0.99, 99);
    near(1.0, 100);
    near(0.0, 1);
}

#[test]
fn the_longest_time_is_counted() {
    let mut latencies = Latencies::default();
    latencies.record(Duration::MAX);
    assert!(latencies.quantile(1.0) > Some(Duration::from_secs(1 << 40)));
    latencies.clear();
    assert_eq!(latencies.count(), 0);
}

#[test]
fn two_become_one() {
    let mut one = Latencies::default();
    let mut other = Latencies::default();
    one.record(Duration::from_millis(1));
    other.record(Duration::from_secs(1));
    one.merge(&other);
    assert_eq!(one.count(), 2);
    assert!(one.quantile(1.0) >= Some(Duration::from_secs(1)));
}
