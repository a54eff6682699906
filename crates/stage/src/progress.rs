//! Whether consumers get on.

use std::time::{Duration, Instant};

use bus::{ConsumerState, Lag, Membership, Stalls, Standing};
use common::few::few;
use service::{Action, CheckHandle, CheckSpec, Health, State};

/// How long a client may take to hear of the log after it was made.
const START: Duration = Duration::from_secs(10);

/// Which partitions stand still, and why.
#[derive(Debug, Clone)]
pub struct Partitions(CheckHandle);

impl Partitions {
    /// A check of this name, unknown at first.
    #[must_use]
    pub fn new(health: &Health, name: &'static str) -> Self {
        let (action, gates_readiness) = (Action::Page, false);
        Self(health.check(CheckSpec { name, action, gates_readiness, unit: "", threshold: None }))
    }

    /// From now on it looks this often.
    pub fn every(&self, every: Duration) {
        self.0.every(every);
    }

    /// Looks once.
    pub fn look<'a>(&self, consumers: impl IntoIterator<Item = &'a ConsumerState>) {
        let stopped: Vec<String> = consumers
            .into_iter()
            .flat_map(ConsumerState::stopped)
            .map(|stopped| format!("{}/{}: {}", stopped.topic, stopped.partition, stopped.reason))
            .collect();
        match stopped.as_slice() {
            [] => self.0.ok("no partition is stalled"),
            [one] => self.0.fail(one),
            all => {
                self.0.fail(format!("{} partitions are stalled (`weir groups list`): {}", all.len(), few(all, "; ")))
            }
        }
    }
}

/// Whether what waits is done. A consumer can stop without a word: what counts is whether it gets on while there is work. That
/// its group is being shared out is no excuse.
#[derive(Debug, Clone)]
pub struct Progress {
    progress: CheckHandle,
    partitions: Partitions,
    stalled_after: Duration,
}

impl Progress {
    /// Checks of these names, unknown at first. `stalled_after`: for how long a partition with work may not get on.
    #[must_use]
    pub fn new(health: &Health, progress: &'static str, partitions: &'static str, stalled_after: Duration) -> Self {
        let progress = health.check(CheckSpec {
            name: progress,
            action: Action::Page,
            gates_readiness: false,
            unit: "seconds",
            threshold: Some(stalled_after.as_secs_f64()),
        });
        Self { progress, partitions: Partitions::new(health, partitions), stalled_after }
    }

    /// Looks at the consumers, each with the name of its lane, for ever.
    pub async fn watch(&self, consumers: &[(&'static str, ConsumerState)], every: Duration) {
        let mut stalls = vec![Stalls::default(); consumers.len()];
        self.progress.every(every);
        self.partitions.every(every);
        loop {
            let now = Instant::now();
            let lanes: Vec<Lane> = consumers
                .iter()
                .map(|(name, state)| Lane { name, standing: state.standing(now), lags: state.lag() })
                .collect();
            self.tell(&lanes, &mut stalls, now);
            self.partitions.look(consumers.iter().map(|(_, state)| state));
            tokio::time::sleep(every).await;
        }
    }

    fn tell(&self, lanes: &[Lane], stalls: &mut [Stalls], now: Instant) {
        let mut longest: Option<(Lag, Duration, bool)> = None;
        let (mut worst, mut outside, mut texts) = (State::Ok, Duration::ZERO, Vec::new());
        for (lane, stalls) in lanes.iter().zip(stalls) {
            let (state, text) = of_standing(&lane.standing).unwrap_or_else(|| lane.waiting());
            worst = worst.max(state);
            texts.push(format!("{}: {text}", lane.name));
            let is_in = lane.standing.is_in();
            if !is_in {
                outside = outside.max(lane.standing.lasts);
            }
            let waits = stalls.longest(lane.lags.clone(), is_in, now).map(|(at, since)| {
                let has = lane.lags.iter().any(|lag| lag.topic == at.topic && lag.partition == at.partition);
                (at, since, has)
            });
            longest = waits.into_iter().chain(longest).max_by_key(|(_, since, _)| *since);
        }
        let mut text = texts.join(", ");
        if let Some((at, since, has)) = longest.as_ref().filter(|(_, since, _)| *since >= self.stalled_after) {
            worst = State::Failing;
            let waiting = at.records.map_or("records".to_owned(), |records| format!("{records} records"));
            let (topic, partition, seconds) = (&at.topic, at.partition, since.as_secs());
            text.push_str(&if *has {
                format!("; {topic}/{partition} is stalled: {waiting} wait, and none was done for {seconds} s")
            } else {
                // Another member may have it by now, and get on with it.
                format!(
                    "; {topic}/{partition} was stalled when the group took it back: {waiting} waited, and this consumer \
                     has done none for {seconds} s"
                )
            });
        }
        self.progress.value(longest.map_or(outside, |(_, since, _)| since.max(outside)).as_secs_f64());
        self.progress.set(worst, text);
    }
}

/// A consumer at one moment.
#[derive(Debug)]
struct Lane {
    name: &'static str,
    standing: Standing,
    lags: Vec<Lag>,
}

impl Lane {
    /// What waits for one that is in its group.
    fn waiting(&self) -> (State, String) {
        let partitions = self.lags.len();
        if self.standing.membership == Membership::Spare {
            return (State::Ok, "spare, other members have all partitions".to_owned());
        }
        let unknown = self.lags.iter().filter(|lag| lag.records.is_none()).count();
        let waiting: i64 = self.lags.iter().filter_map(|lag| lag.records).sum();
        match unknown {
            0 => (State::Ok, format!("{waiting} records waiting in {partitions} partitions")),
            _ => (
                State::Warning,
                format!(
                    "how much waits in {unknown} of {partitions} partitions is not known: the log has not said where \
                     they end"
                ),
            ),
        }
    }
}

/// What is to be said of a consumer that is not in its group, and since when; none: it is in. Without partitions it warns at
/// once. It fails when others would have got them: then it is not a change of hands any more. Where others may have all, and
/// nobody has said so, that takes longer.
#[must_use]
pub fn of_standing(standing: &Standing) -> Option<(State, String)> {
    let what = standing.waits_for()?;
    let seconds = standing.lasts.as_secs();
    let text = match standing.partitions {
        0 => format!("the consumer has waited for {what} for {seconds} s; how much waits for it is not known"),
        all => {
            format!("the consumer has waited for {what} for {seconds} s, and goes on with {all} partitions meanwhile")
        }
    };
    let state = match standing.membership {
        _ if standing.lasts >= standing.limit => State::Failing,
        Membership::Starting if standing.lasts < START => State::Unknown,
        Membership::Joining(_) if standing.partitions > 0 => State::Ok,
        _ => State::Warning,
    };
    Some((state, text))
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
