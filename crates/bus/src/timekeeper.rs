//! The time by which things are removed: records, claims.
//!
//! What the wall clock says is written down, and is otherwise believed by nobody: it may be wrong for a minute, and what
//! was removed in that minute is gone. So there is a time for removing. It goes on with the monotonic clock, which
//! nobody can set, and never goes back. Where the wall clock says something else, it may be that it was set, or that
//! the machine slept, or that the process was not running: the wall clock is followed, forwards only, once it has said
//! the same for an hour of running.
//!
//! ```text
//! wall clock       ────────┐+40 days┌───────────      nothing happens
//!                          └ 75 s ──┘
//! wall clock       ────────┐+40 days──── 1 h ────▶    followed: the process, or the machine, stood still
//! time to remove   ─────────────────────────────▶
//! ```
//!
//! As long as a step forwards is in doubt there are two times: the one that has surely passed, by which is removed, and
//! the latest that it may be, which is noted with what is kept. So nothing ever seems older than it is, whether the step
//! is followed in the end or not.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Clock;
use crate::threads::lock;

/// What the clocks may differ by: time is set right by small steps all the time.
const TOLERANCE: i64 = 60_000;
/// How long the process may not have been running without a question.
const AWAY: i64 = 3600 * 1000;
/// How long the wall clock has to say the same, while the process runs.
const CONFIRM: Duration = Duration::from_secs(3600);

/// Milliseconds since 1970, more or less: where the wall clock went back it is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// So late it is at least: what has had its time by this may go.
    pub(crate) sure: i64,
    /// So late it is at most: what is kept is noted with this.
    pub(crate) latest: i64,
}

/// Tells the time to remove. It is kept with what it is for, so that it goes on after a restart.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    time: i64,
    /// What the wall clock is ahead of it, as it was last believed.
    ahead: i64,
    /// When this was last looked at, by the monotonic clock.
    seen: Duration,
    doubt: Option<Doubt>,
}

/// The wall clock says something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    /// By so much.
    jump: i64,
    /// Since then, by the monotonic clock.
    since: Duration,
}

/// What has just been found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Jumped(i64),
    Right,
    Followed(i64),
}

impl Timekeeper {
    /// Goes on from what was [kept](Self::stored); without it the wall clock is believed.
    pub(crate) fn new(clock: Clock, stored: Option<&[u8]>) -> Self {
        let (state, found) = State::open(wall(&clock), clock.monotonic(), stored.and_then(read));
        if let Some(found) = found {
            tell(found);
        }
        Self { clock, state: Mutex::new(state) }
    }

    pub(crate) fn now(&self) -> Now {
        let mut state = lock(&self.state);
        // Within the lock: of two threads the later look is the later time.
        let found = state.look(wall(&self.clock), self.clock.monotonic());
        let now = state.now();
        drop(state);
        if let Some(found) = found {
            tell(found);
        }
        now
    }

    /// What the wall clock says.
    pub(crate) fn wall(&self) -> i64 {
        wall(&self.clock)
    }

    /// By how many milliseconds the wall clock has jumped, while it is in doubt.
    pub(crate) fn jump(&self) -> Option<i64> {
        self.now();
        lock(&self.state).doubt.map(|doubt| doubt.jump)
    }

    /// What is to be kept of it: the time, and the wall clock as it was last believed.
    pub(crate) fn stored(&self) -> [u8; 16] {
        self.now();
        let state = lock(&self.state);
        stored(state.time, state.time.saturating_add(state.ahead))
    }
}

/// Watches the wall clock of somebody else, by the monotonic one of this process.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Option<State>>);

impl Watch {
    /// By how many milliseconds it has jumped forwards since it was looked at last, where that is much.
    pub(crate) fn forwards(&self, wall: i64, monotonic: Duration) -> Option<i64> {
        let mut state = lock(&self.0);
        let Some(state) = &mut *state else {
            *state = Some(State::open(wall, monotonic, None).0);
            return None;
        };
        match state.look(wall, monotonic) {
            Some(Found::Jumped(jump)) if jump > AWAY => Some(jump),
            _ => None,
        }
    }
}

/// The time, and what the wall clock said at it, as they are kept.
pub(crate) fn stored(time: i64, wall: i64) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&time.to_be_bytes());
    value[8..].copy_from_slice(&wall.to_be_bytes());
    value
}

fn read(value: &[u8]) -> Option<(i64, i64)> {
    let (time, rest) = value.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*time), i64::from_be_bytes(*rest.first_chunk::<8>()?)))
}

fn wall(clock: &Clock) -> i64 {
    i64::try_from(clock.millis()).unwrap_or(i64::MAX)
}

impl State {
    fn open(wall: i64, seen: Duration, stored: Option<(i64, i64)>) -> (Self, Option<Found>) {
        let Some((time, believed)) = stored else {
            return (Self { time: wall, ahead: 0, seen, doubt: None }, None);
        };
        let mut state = Self { time, ahead: believed.saturating_sub(time), seen, doubt: None };
        let away = state.jump(wall);
        if (0..=AWAY).contains(&away) {
            state.time = state.time.saturating_add(away);
        }
        let found = state.look(wall, seen);
        (state, found)
    }

    fn now(&self) -> Now {
        let forwards = self.doubt.map_or(0, |doubt| doubt.jump.max(0));
        Now { sure: self.time, latest: self.time.saturating_add(forwards) }
    }

    fn jump(&self, wall: i64) -> i64 {
        wall.saturating_sub(self.time.saturating_add(self.ahead))
    }

    fn look(&mut self, wall: i64, seen: Duration) -> Option<Found> {
        let passed = seen.saturating_sub(self.seen);
        self.time = self.time.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX));
        // Whole milliseconds only: else what is left over is lost, each time.
        self.seen = self.seen.max(seen) - Duration::from_nanos(u64::from(passed.subsec_nanos()) % 1_000_000);
        let jump = self.jump(wall);
        let within = |range: i64| (-TOLERANCE..=TOLERANCE).contains(&range);
        match self.doubt {
            _ if within(jump) => {
                // Small steps add up: what was believed goes with them.
                self.ahead = wall.saturating_sub(self.time);
                self.doubt.take().map(|_| Found::Right)
            }
            Some(doubt) if within(jump.saturating_sub(doubt.jump)) => {
                if seen.saturating_sub(doubt.since) < CONFIRM {
                    return None;
                }
                self.time = self.time.saturating_add(doubt.jump.max(0));
                self.ahead = wall.saturating_sub(self.time);
                self.doubt = None;
                Some(Found::Followed(doubt.jump))
            }
            _ => {
                self.doubt = Some(Doubt { jump, since: seen });
                Some(Found::Jumped(jump))
            }
        }
    }
}

fn tell(found: Found) {
    match found {
        Found::Jumped(jump) => {
            tracing::warn!(
                jump = %shown(jump),
                "the clock jumped, or weir or the machine did not run: nothing expires because of it until the clock has been steady for an hour"
            );
        }
        Found::Right => tracing::info!("the clock is right again"),
        Found::Followed(jump) => {
            tracing::warn!(jump = %shown(jump), "the clock has been steady for an hour, the jump is accepted");
        }
    }
}

/// A jump, for people: in two units, rounded to the smaller one. A clock that is set by 40 days is a moment off when it is
/// looked at, and 39 days and 23 hours would be another jump.
pub(crate) fn shown(jump: i64) -> String {
    let sign = if jump < 0 { '-' } else { '+' };
    let nearest = |unit: u64| (jump.unsigned_abs() + unit / 2) / unit;
    let (hours, minutes, seconds) = (nearest(3_600_000), nearest(60_000), nearest(1000));
    match (hours / 24, minutes / 60) {
        (0, 0) => format!("{sign}{} min {} s", seconds / 60, seconds % 60),
        (0, whole) => format!("{sign}{whole} h {} min", minutes % 60),
        (days, _) => format!("{sign}{days} days {} h", hours % 24),
    }
}

#[cfg(test)]
#[path = "timekeeper_tests.rs"]
mod tests;
