use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn waits_since_the_last_success_while_something_is_in_flight() {
    let (progress, start) = (Progress::default(), Instant::now());
    let at = |seconds: u32| start + SECOND * seconds;
    assert_eq!(progress.waiting_for(at(0)), None);
    progress.sent(at(1));
    progress.sent(at(3));
    assert_eq!(progress.waiting_for(at(4)), Some(SECOND * 3), "since the first, not the last");
    progress.landed(false, at(5));
    assert_eq!(progress.waiting_for(at(6)), Some(SECOND * 5), "a failure is no progress");
    progress.sent(at(6));
    progress.landed(true, at(7));
    assert_eq!(progress.waiting_for(at(8)), Some(SECOND));
    progress.landed(true, at(9));
    assert_eq!(progress.waiting_for(at(10)), None);
}

/// An outage in which all has failed says nothing of a record that is sent long after it.
#[test]
fn what_failed_does_not_make_the_next_record_look_old() {
    let (progress, start) = (Progress::default(), Instant::now());
    progress.sent(start);
    progress.sent(start + SECOND);
    progress.landed(false, start + SECOND * 2);
    progress.landed(false, start + SECOND * 3);
    let later = start + SECOND * 600;
    assert_eq!(progress.waiting_for(later), None);
    progress.sent(later);
    assert_eq!(progress.waiting_for(later + SECOND), Some(SECOND));

    // The same where an idle client was built anew, which begins the wait too.
    progress.landed(true, later);
    *lock(&progress.waiting_since) = Some(start);
    assert_eq!(progress.waiting_for(later), None);
    progress.sent(later);
    assert_eq!(progress.waiting_for(later), Some(Duration::ZERO));
}

#[test]
fn why_it_was_built_anew_is_told_until_a_success() {
    let (progress, now) = (Progress::default(), Instant::now());
    *lock(&progress.fatal) = Some("fenced".into());
    progress.sent(now);
    progress.landed(false, now);
    assert!(lock(&progress.fatal).is_some());
    progress.sent(now);
    progress.landed(true, now);
    assert!(lock(&progress.fatal).is_none());
}
