use super::*;

#[test]
fn a_summary_says_what_happened() {
    let mut summary = Summary {
        acknowledged: 12_345,
        refused: 10,
        indeterminate: 2,
        retries: 7,
        events: 40_000,
        elapsed: Duration::from_secs(100),
        ..Summary::default()
    };
    summary.statuses.extend([(200, 12_345), (401, 10), (503, 1)]);
    for millis in 1..=100 {
        summary.latencies.record(Duration::from_millis(millis));
    }
    insta::assert_snapshot!(long(&summary));
}

#[test]
fn nothing_acknowledged_comes_with_advice() {
    let advice = |status: Option<u16>| {
        let mut summary = Summary::default();
        summary.statuses.extend(status.map(|status| (status, 1)));
        advice(&summary, "http://127.0.0.1:1")
    };
    assert!(advice(None).contains("weir up"));
    assert!(advice(Some(401)).contains("--register"));
    assert!(advice(Some(404)).contains("--register"));
    assert!(advice(Some(503)).contains("weir health"));
}
