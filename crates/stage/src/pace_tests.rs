use super::*;

fn sizes(events: u32, burst: u32) -> Vec<u32> {
    parts(events, NonZeroU32::new(burst).unwrap()).map(NonZeroU32::get).collect()
}

#[test]
fn a_delivery_larger_than_a_second_passes_in_parts() {
    assert!(sizes(0, 10).is_empty());
    assert_eq!(sizes(10, 10), [10]);
    assert_eq!(sizes(25, 10), [10, 10, 5]);
    assert_eq!(sizes(3, 1), [1, 1, 1]);
}

#[test]
fn the_slow_lane_rests_in_proportion() {
    let worked = Duration::from_millis(100);
    assert_eq!(rest(worked, 1.0), Duration::ZERO);
    assert_eq!(rest(worked, 0.5), Duration::from_millis(100));
    assert_eq!(rest(worked, 0.2), Duration::from_millis(400));
    assert_eq!(rest(Duration::from_secs(3600), 0.2), Duration::from_secs(5));
}

#[tokio::test]
async fn without_limits_nothing_waits() {
    assert_eq!(Pace::new(0, 0).admit("a", usize::MAX).await, Duration::ZERO);
}

#[tokio::test]
async fn waits_for_the_rate_in_all_and_of_the_endpoint() {
    let pace = Pace::new(0, 100);
    let start = std::time::Instant::now();
    assert_eq!(pace.admit("a", 100).await, Duration::ZERO);
    // Another endpoint has its own.
    assert_eq!(pace.admit("b", 100).await, Duration::ZERO);
    assert!(pace.admit("a", 20).await > Duration::ZERO);
    // 20 events at 100 per second.
    assert!(start.elapsed() >= Duration::from_millis(190));

    let pace = Pace::new(100, 0);
    assert_eq!(pace.admit("a", 60).await, Duration::ZERO);
    assert!(pace.admit("b", 60).await > Duration::ZERO);
}
