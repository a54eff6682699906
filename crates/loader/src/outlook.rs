//! Whether the loader gets on.
//!
//! What it has and does is noted where it happens, and judged beside it: a round that never comes back does not tell of itself.

use std::time::{Duration, Instant};

use bus::Standing;
use service::State;

/// What the loader has to do, and when it did something last.
#[derive(Debug, Clone)]
pub(crate) struct Outlook {
    /// Requests that could be loaded, and since when the oldest of them could.
    pub(crate) ready: usize,
    pub(crate) oldest: Option<Instant>,
    /// Requests that wait for others or for somebody.
    pub(crate) held: usize,
    /// When something was last loaded, or the loader began.
    pub(crate) loaded: Instant,
    /// Since when a round is under way.
    pub(crate) round: Option<Instant>,
}

/// What is found of it from time to time.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// Since when there are requests on the log that were not taken in.
    untaken: Option<Instant>,
}

impl Verdicts {
    /// How it is, for how long nothing was loaded although there was something, and in words. `lag`: requests on the log that
    /// are not loaded; none: not known.
    pub(crate) fn of(
        &mut self,
        outlook: &Outlook,
        standing: &Standing,
        lag: Option<i64>,
        stalled_after: Duration,
        now: Instant,
    ) -> (State, Duration, String) {
        let Outlook { ready, oldest, held, loaded, round } = outlook;
        let lasts = |since: Instant| now.saturating_duration_since(since.max(*loaded));
        let untaken = lag.map_or(0, |lag| lag.saturating_sub_unsigned((ready + held) as u64));
        match lag {
            Some(_) if untaken <= 0 => self.untaken = None,
            Some(_) => _ = self.untaken.get_or_insert(now),
            // What there was is still there, as far as anybody knows.
            None => {}
        }
        let waits = oldest.iter().chain(&self.untaken).map(|since| lasts(*since)).max().unwrap_or_default();
        let runs = round.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let stalled = waits.max(runs);
        let (state, text) = if runs >= stalled_after {
            let seconds = runs.as_secs();
            (
                State::Failing,
                format!("stalled: a commit has been under way for {seconds} s, the lake does not answer it"),
            )
        } else if stalled >= stalled_after {
            let (waiting, seconds) = (untaken.max(0).saturating_add_unsigned(*ready as u64), stalled.as_secs());
            (State::Failing, format!("stalled: {waiting} requests wait, and nothing was loaded for {seconds} s"))
        } else if let Some((state, text)) = stage::of_standing(standing) {
            (state, text)
        } else if lag.is_none() {
            let text = "how many requests wait is not known: the log has not said where topic loads ends";
            (State::Warning, text.to_owned())
        } else {
            (State::Ok, format!("{ready} requests wait"))
        };
        (state, stalled, text)
    }
}

#[cfg(test)]
mod tests {
    use bus::Membership;

    use super::*;

    const AFTER: Duration = Duration::from_secs(120);

    fn standing(membership: Membership) -> Standing {
        let (lasts, limit) = (Duration::from_secs(9), Duration::from_secs(45));
        let partitions = usize::from(membership == Membership::Member);
        Standing { membership, lasts, partitions, limit }
    }

    #[test]
    fn whoever_has_work_and_does_none_is_told() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let idle = Outlook { ready: 0, oldest: None, held: 0, loaded: start, round: None };
        let ready = Outlook { ready: 3, oldest: Some(at(10)), ..idle.clone() };
        let runs = Outlook { round: Some(at(20)), ..idle.clone() };
        let joins = || standing(Membership::Joining("up, wait-join".to_owned()));
        let member = || standing(Membership::Member);
        let table = [
            (idle.clone(), member(), Some(0), 500, State::Ok, "0 requests wait"),
            (idle.clone(), standing(Membership::Spare), Some(0), 500, State::Ok, "0 requests wait"),
            (idle.clone(), member(), None, 500, State::Warning, "how many requests wait is not known"),
            (idle.clone(), joins(), None, 500, State::Warning, "waited for its group (up, wait-join) for 9 s"),
            (ready.clone(), member(), Some(3), 129, State::Ok, "3 requests wait"),
            (
                ready.clone(),
                member(),
                Some(3),
                130,
                State::Failing,
                "3 requests wait, and nothing was loaded for 120 s",
            ),
            // Something else was loaded meanwhile.
            (Outlook { loaded: at(100), ..ready.clone() }, member(), Some(3), 219, State::Ok, "3 requests wait"),
            (Outlook { loaded: at(100), ..ready }, member(), Some(3), 220, State::Failing, "loaded for 120 s"),
            // Of what is held another check tells.
            (Outlook { held: 2, ..idle }, member(), Some(2), 500, State::Ok, "0 requests wait"),
            (runs.clone(), member(), Some(0), 139, State::Ok, "0 requests wait"),
            (runs.clone(), member(), Some(0), 140, State::Failing, "a commit has been under way for 120 s"),
            (runs, joins(), None, 140, State::Failing, "a commit has been under way for 120 s"),
        ];
        for (outlook, standing, lag, seconds, state, text) in table {
            let told = Verdicts::default().of(&outlook, &standing, lag, AFTER, at(seconds));
            assert!(told.0 == state && told.2.contains(text), "{outlook:?} {standing:?} {lag:?}: {told:?}");
        }
    }

    #[test]
    fn requests_that_nobody_takes_in_are_work() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut verdicts = Verdicts::default();
        let mut told = |outlook: &Outlook, lag, seconds| {
            let (state, stalled, text) = verdicts.of(outlook, &standing(Membership::Member), lag, AFTER, at(seconds));
            (state, stalled.as_secs(), text)
        };
        let held = Outlook { ready: 0, oldest: None, held: 2, loaded: start, round: None };
        assert_eq!(told(&held, Some(2), 10).1, 0, "that is all");
        assert_eq!(told(&held, Some(49), 20).1, 0);
        assert_eq!(told(&held, Some(49), 139).1, 119);
        assert_eq!(told(&held, None, 139).0, State::Warning);
        let stalled = "stalled: 47 requests wait, and nothing was loaded for 120 s";
        assert_eq!(told(&held, Some(49), 140), (State::Failing, 120, stalled.to_owned()));
        assert_eq!(told(&Outlook { loaded: at(141), ..held.clone() }, Some(49), 142).1, 1, "some were");
        assert_eq!(told(&held, Some(2), 143).1, 0);
        assert_eq!(told(&held, Some(3), 144).1, 0, "another one, just now");
    }
}
