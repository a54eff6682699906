use super::*;

const REFUSED: &str = "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused";

fn refused(ms: u64) -> String {
    format!("{REFUSED} (after {ms}ms in state CONNECT, 3 identical error(s) suppressed)")
}

fn after(begun: Instant, ms: u64) -> Instant {
    begun + Duration::from_millis(ms)
}

#[test]
fn an_outage_is_told_when_it_begins_each_minute_and_when_it_ends() {
    let begun = Instant::now();
    let mut outage = Outage::new();
    let mut lines = Vec::new();
    // 100 attempts a second for two and a half minutes, by one client and by others that come and go.
    for at in (0..150_000).step_by(10) {
        lines.extend(outage.down(after(begun, at), &refused(at), at == 0));
    }
    outage.not_down();
    lines.extend(outage.up(after(begun, 150_000)));
    lines.extend(outage.up(after(begun, 151_000)));
    let (reason, second) = (REFUSED.to_owned(), Duration::from_secs(1));
    assert_eq!(
        lines,
        [
            Line::Begins { reason: reason.clone() },
            Line::Lasts { reason: reason.clone(), attempts: 6000, lasted: 60 * second },
            Line::Lasts { reason, attempts: 6000, lasted: 120 * second },
            Line::Ended { attempts: 15_000, lasted: 150 * second },
        ]
    );
}

#[test]
fn another_reason_is_told_once() {
    let begun = Instant::now();
    let mut outage = Outage::new();
    assert!(outage.down(begun, "a:1: Connection refused", true).is_some());
    let also = outage.down(after(begun, 5), "b:1: Failed to resolve", true);
    assert_eq!(also, Some(Line::Also { reason: "b:1: Failed to resolve".to_owned() }));
    assert_eq!(outage.down(after(begun, 6), "b:1: Failed to resolve", false), None);
    assert_eq!(outage.down(after(begun, 7), "a:1: Connection refused", false), None);
    let lines = (0..100).filter_map(|n| outage.down(after(begun, 8), &format!("c:{n}: refused"), false)).count();
    assert_eq!(lines, REASONS - 2, "ports and times in a reason do not fill the log");
}

#[test]
fn it_ends_when_no_client_is_left_that_reaches_none() {
    let begun = Instant::now();
    let mut outage = Outage::new();
    assert!(outage.down(begun, REFUSED, true).is_some());
    assert_eq!(outage.down(after(begun, 1), REFUSED, true), None);
    outage.not_down();
    assert_eq!(outage.up(after(begun, 9000)), None, "one is left");
    outage.not_down();
    assert!(matches!(outage.up(after(begun, 9001)), Some(Line::Ended { attempts: 2, .. })));
    assert_eq!(outage.up(after(begun, 9002)), None);
}

#[test]
fn what_a_client_knew_before_ends_nothing() {
    let begun = Instant::now();
    let mut outage = Outage::new();
    assert!(outage.down(begun, REFUSED, true).is_some());
    outage.not_down();
    assert_eq!(outage.up(after(begun, 1000)), None, "statistics of a second ago");
    assert!(outage.up(after(begun, 3000)).is_some());
}

#[test]
fn one_that_comes_and_goes_does_not_fill_the_log() {
    let begun = Instant::now();
    let mut outage = Outage::new();
    let mut lines = 0;
    for at in (0..600_000).step_by(8000) {
        lines += usize::from(outage.down(after(begun, at), REFUSED, true).is_some());
        outage.not_down();
        lines += usize::from(outage.up(after(begun, at + 4000)).is_some());
    }
    assert!((18..=22).contains(&lines), "{lines} lines in ten minutes");
}
