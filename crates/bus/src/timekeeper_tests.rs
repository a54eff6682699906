use proptest::prelude::*;

use super::*;

const START: i64 = 1_700_000_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A process over some time: the wall clock may be set, the other one not.
struct World {
    state: State,
    wall: i64,
    monotonic: i64,
}

fn at(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap())
}

impl World {
    fn new() -> Self {
        Self { state: State::open(START, at(7), None).0, wall: START, monotonic: 7 }
    }

    fn set(&mut self, by: i64) -> Option<Found> {
        self.wall += by;
        self.look()
    }

    fn run(&mut self, millis: i64) -> Option<Found> {
        self.wall += millis;
        self.monotonic += millis;
        self.look()
    }

    fn look(&mut self) -> Option<Found> {
        self.state.look(self.wall, at(self.monotonic))
    }

    /// Ends, is away for so long, and is there again.
    fn restart(&mut self, away: i64, set: i64) -> Option<Found> {
        let State { time, ahead, .. } = self.state;
        self.wall += away + set;
        self.monotonic = 3;
        let (state, found) = State::open(self.wall, at(3), read(&stored(time, time + ahead)));
        self.state = state;
        found
    }

    fn sure(&self) -> i64 {
        self.state.now().sure - START
    }

    fn latest(&self) -> i64 {
        self.state.now().latest - START
    }
}

#[test]
fn a_clock_that_is_wrong_for_a_minute_changes_nothing() {
    for wrong in [40 * DAY, 8 * DAY, 2 * HOUR, -2 * HOUR, -40 * DAY] {
        let mut world = World::new();
        assert_eq!(world.run(MINUTE), None);
        assert_eq!(world.set(wrong), Some(Found::Jumped(wrong)));
        assert_eq!((world.sure(), world.latest()), (MINUTE, MINUTE + wrong.max(0)));
        assert_eq!((world.run(MINUTE), world.run(15_000)), (None, None), "told once");
        assert_eq!(world.sure(), 2 * MINUTE + 15_000);
        assert_eq!(world.set(-wrong), Some(Found::Right));
        assert_eq!((world.sure(), world.latest()), (2 * MINUTE + 15_000, 2 * MINUTE + 15_000));
        assert_eq!(world.run(HOUR), None);
    }
}

#[test]
fn who_really_stood_still_goes_on_after_an_hour() {
    let mut world = World::new();
    assert_eq!(world.set(21 * DAY), Some(Found::Jumped(21 * DAY)));
    assert_eq!(world.run(HOUR - 1), None);
    assert_eq!(world.sure(), HOUR - 1);
    assert_eq!(world.run(1), Some(Found::Followed(21 * DAY)));
    assert_eq!((world.sure(), world.latest()), (HOUR + 21 * DAY, HOUR + 21 * DAY));
    assert_eq!(world.run(MINUTE), None);
}

#[test]
fn what_was_confirmed_was_one_and_the_same() {
    let mut world = World::new();
    world.set(DAY);
    world.run(40 * MINUTE);
    assert_eq!(world.set(DAY), Some(Found::Jumped(2 * DAY)), "it begins again");
    assert_eq!(world.run(40 * MINUTE), None);
    assert_eq!(world.run(20 * MINUTE), Some(Found::Followed(2 * DAY)));
}

#[test]
fn it_never_goes_back() {
    let mut world = World::new();
    assert_eq!(world.set(-5 * DAY), Some(Found::Jumped(-5 * DAY)));
    assert_eq!(world.run(HOUR), Some(Found::Followed(-5 * DAY)));
    assert_eq!((world.sure(), world.latest()), (HOUR, HOUR));
    // From there on that is the right time.
    assert_eq!(world.run(DAY), None);
    assert_eq!(world.set(5 * DAY), Some(Found::Jumped(5 * DAY)));
    assert_eq!(world.sure(), HOUR + DAY);
}

#[test]
fn it_goes_on_after_a_restart() {
    let mut world = World::new();
    world.run(DAY);
    assert_eq!(world.restart(10 * MINUTE, 0), None);
    assert_eq!(world.sure(), DAY + 10 * MINUTE, "a restart is no question");
    assert_eq!(world.restart(0, 40 * DAY), Some(Found::Jumped(40 * DAY)));
    assert_eq!(world.restart(MINUTE, -40 * DAY), None, "back again");
    assert_eq!(world.sure(), DAY + 11 * MINUTE);
    assert_eq!(world.restart(3 * DAY, 0), Some(Found::Jumped(3 * DAY)));
    // Ends before it was confirmed: nothing of it was believed.
    assert_eq!(world.restart(0, 0), Some(Found::Jumped(3 * DAY)));
    assert_eq!(world.run(HOUR), Some(Found::Followed(3 * DAY)));
    assert_eq!(world.restart(0, -2 * DAY), Some(Found::Jumped(-2 * DAY)));
    assert_eq!(world.sure(), 4 * DAY + HOUR + 11 * MINUTE);
}

#[test]
fn small_steps_are_no_jumps_and_add_up_to_nothing() {
    let mut world = World::new();
    for _ in 0..1000 {
        assert_eq!(world.set(TOLERANCE), None);
        assert_eq!(world.run(1), None);
    }
    assert_eq!(world.sure(), 1000);
}

#[test]
fn parts_of_a_millisecond_are_not_lost() {
    let (mut state, _) = State::open(START, Duration::ZERO, None);
    for look in 1..=10_000_u64 {
        state.look(START, Duration::from_micros(look * 300));
    }
    assert_eq!(state.time - START, 3000);
}

#[test]
fn the_clock_of_somebody_else_is_watched() {
    let watch = Watch::default();
    let table = [
        (0, 0, None),
        (15_000, 15_000, None),
        (HOUR, 30_000, None),
        (40 * DAY, 45_000, Some(40 * DAY - 45_000)),
        (40 * DAY + 15_000, 60_000, None),
        (75_000, 75_000, None),
        (-DAY, 90_000, None),
    ];
    for (wall, monotonic, forwards) in table {
        assert_eq!(watch.forwards(START + wall, at(monotonic)), forwards, "{wall}");
    }
}

#[test]
fn for_people() {
    for (jump, text) in [
        (75_000, "+1 min 15 s"),
        (75_400, "+1 min 15 s"),
        (HOUR - 100, "+1 h 0 min"),
        (-2 * HOUR, "-2 h 0 min"),
        (2 * HOUR - 3, "+2 h 0 min"),
        (DAY - 1, "+1 days 0 h"),
        (40 * DAY - 3, "+40 days 0 h"),
        (40 * DAY + HOUR, "+40 days 1 h"),
    ] {
        assert_eq!(shown(jump), text);
    }
}

proptest! {
    /// Whatever the wall clock says: as long as nobody was away, and it never said the same for an hour, the time is that
    /// of the monotonic clock.
    #[test]
    fn only_running_counts(steps in prop::collection::vec((0..1_i64 << 61, 1..30_i64), 1..50)) {
        let mut world = World::new();
        let mut ran = 0;
        for (wall, minutes) in steps {
            world.wall = wall;
            world.monotonic += minutes * MINUTE;
            ran += minutes * MINUTE;
            // An hour of the same is made impossible: it is said only once.
            world.look();
            world.wall = wall + (1 << 61);
            world.look();
            prop_assert_eq!(world.sure(), ran);
            prop_assert!(world.state.now().latest >= world.state.now().sure);
        }
    }

    #[test]
    fn what_was_kept_may_be_anything(value in prop::collection::vec(any::<u8>(), 0..20), wall in any::<i64>()) {
        let (mut state, _) = State::open(wall, Duration::ZERO, read(&value));
        let before = state.time;
        state.look(wall, Duration::from_secs(7200));
        prop_assert!(state.time >= before);
    }
}
