use super::*;

#[test]
fn a_clock_that_was_set_back_is_found_and_nothing_else() {
    let (wall, monotonic, second) = (SystemTime::UNIX_EPOCH, Instant::now(), Duration::from_secs(1));
    let day = 24 * 3600 * second;
    let mut clock = SetBack::new(wall + 100 * day, monotonic);
    // The time of the clock, that of the other one, and by how much the first was set back meanwhile.
    let looks = [
        (100 * day + second, second, Duration::ZERO),
        (140 * day, 2 * second, Duration::ZERO),
        (140 * day + second, 3 * second, Duration::ZERO),
        (100 * day + 4 * second, 4 * second, 40 * day - 2 * second),
        (100 * day + 5 * second, 5 * second, Duration::ZERO),
        // Nobody looked for an hour, and the clock was slowed down for a part of it.
        (100 * day + 3600 * second, 3605 * second, 5 * second),
        (100 * day + 3601 * second, 3606 * second, Duration::ZERO),
    ];
    for (at, passed, expected) in looks {
        assert_eq!(clock.look(wall + at, monotonic + passed), expected, "{at:?}");
    }
}
