use std::time::Duration;

use super::*;

#[test]
fn counts_are_readable() {
    let counts = [0, 7, 999, 1000, 123_456, 1_234_567].map(count);
    assert_eq!(counts, ["0", "7", "999", "1,000", "123,456", "1,234,567"]);
}

#[test]
fn durations_are_readable() {
    let shown = [Some(150), Some(2_500), Some(250_000), Some(12_340_000), None]
        .map(|micros| duration(micros.map(Duration::from_micros)));
    assert_eq!(shown, ["150 µs", "2.5 ms", "250 ms", "12.3 s", "-"]);
}
