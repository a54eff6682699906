//! Requests at a rate, whatever becomes of those before.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What became of one.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) number: u64,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// None: as it should be.
    pub(crate) failure: Option<String>,
}

/// Traffic that goes on until it is stopped.
pub(crate) struct Traffic {
    stop: CancellationToken,
    all: tokio::task::JoinHandle<Vec<Sent>>,
}

impl Traffic {
    /// `send` is given numbers from 0, and says what is wrong with the answer.
    pub(crate) fn start<F: Future<Output = Result<(), String>> + Send + 'static>(
        rate: u32,
        send: impl Fn(u64) -> F + Send + 'static,
    ) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let all = TaskTracker::new().spawn(async move {
            let mut ticks = interval(Duration::from_secs(1) / rate);
            // A tick that comes late is made up for: the rate is that of senders who do not wait.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let (mut running, mut sent) = (JoinSet::new(), Vec::new());
            for number in 0.. {
                if stopped.run_until_cancelled(ticks.tick()).await.is_none() {
                    break;
                }
                let (began, answer) = (Instant::now(), send(number));
                running.spawn(async move {
                    let failure = answer.await.err();
                    Sent { number, began, ended: Instant::now(), failure }
                });
                while let Some(done) = running.try_join_next() {
                    sent.push(done.unwrap());
                }
            }
            sent.extend(running.join_all().await);
            sent
        });
        Self { stop, all }
    }

    pub(crate) async fn stop(self) -> Vec<Sent> {
        self.stop.cancel();
        self.all.await.unwrap()
    }
}

/// Those that failed.
pub(crate) fn failures(sent: &[Sent]) -> Vec<&Sent> {
    sent.iter().filter(|one| one.failure.is_some()).collect()
}

/// Some figures for whoever reads the output.
pub(crate) fn summary(what: &str, sent: &[Sent]) -> String {
    let mut times: Vec<_> = sent.iter().map(|one| one.ended - one.began).collect();
    times.sort_unstable();
    let (first, last) = (sent.iter().map(|one| one.began).min(), sent.iter().map(|one| one.began).max());
    let seconds = first.zip(last).map_or(0.0, |(first, last)| (last - first).as_secs_f64());
    let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
    format!(
        "{what}: {} in {seconds:.1} s ({:.0}/s), {} failed, p50 {:?}, p99 {:?}, slowest {:?}",
        sent.len(),
        sent.len() as f64 / seconds.max(0.001),
        failures(sent).len(),
        at(50),
        at(99),
        times.last().copied().unwrap_or_default()
    )
}
