use super::*;

#[test]
fn what_the_topic_of_dead_letters_refused_is_known_for_a_while() {
    let (letters, now) = (Letters::default(), Instant::now());
    let fits = |bytes, after| letters.check(bytes, now + after).is_ok();
    assert!(fits(usize::MAX, Duration::ZERO), "nothing is known yet");
    letters.note(5000, now);
    letters.note(9000, now);
    assert!(fits(4999, Duration::ZERO) && !fits(5000, Duration::ZERO) && !fits(9000, LETTERS_AGAIN));
    assert!(fits(9000, LETTERS_AGAIN + Duration::from_secs(1)), "the topic may take more by now");
    assert!(fits(5000, Duration::ZERO), "until it refuses one again");
    letters.note(0, now);
    assert!(fits(5000, Duration::ZERO), "one without its bytes says nothing of others");
}
