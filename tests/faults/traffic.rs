//! Deliveries at a steady rate through both doors, until it is told to stop.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use simulate::sender::{self, Options, SendOutcome, Sent};
use simulate::{Config, Delivery, Endpoints, Generator, Mix, Signer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Ledger, Recorder};

pub(crate) const PAGES: u32 = 60;

/// How it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Deliveries in a second, through all doors together.
    pub(crate) rate: f64,
    pub(crate) seed: u64,
    /// Share of the deliveries that come again.
    pub(crate) redeliver: f64,
    /// Each delivery goes to all doors at once.
    pub(crate) twice: bool,
    /// Share of the deliveries of Meta that bring many pages at once.
    pub(crate) mixed: f64,
    /// Share of the deliveries that are broken.
    pub(crate) broken: f64,
    /// Nothing but this, where it is said: shares of the platforms.
    pub(crate) mix: Option<Mix>,
    /// How far above those of the others its numbers begin: what two senders make must not have one name.
    pub(crate) numbers: u64,
}

/// An answer that said that a delivery was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) door: usize,
    /// When its last attempt began.
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// Deliveries on their way.
#[derive(Debug)]
pub(crate) struct Traffic {
    stop: CancellationToken,
    senders: JoinSet<anyhow::Result<()>>,
    recorder: Arc<Recorder>,
    taken: Arc<Mutex<Vec<Taken>>>,
    acknowledged: watch::Receiver<u64>,
}

type Shared = Arc<Mutex<Generator>>;

/// What one door gets: its share of what all get, or all of it.
enum Source {
    Shared(Shared),
    Own(Box<Generator>),
}

impl Iterator for Source {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        match self {
            Self::Shared(shared) => Some(shared.lock().ok()?.next_delivery()),
            Self::Own(generator) => Some(generator.next_delivery()),
        }
    }
}

impl Traffic {
    pub(crate) fn start(
        endpoints: &Arc<Endpoints>,
        doors: &[String],
        plan: Plan,
        ledger: &Path,
    ) -> anyhow::Result<Self> {
        let now = service::clock::timestamp();
        let mut config = Config::new(endpoints.clone(), plan.seed, now.seconds * 1000 - 3_600_000).numbered_by_start();
        config.first_number += plan.numbers;
        config.pages = PAGES;
        // Every partition gets something every second.
        config.skew = 0.4;
        config.redeliver = plan.redeliver;
        config.mixed = plan.mixed;
        config.broken = plan.broken;
        config.mix = plan.mix.unwrap_or_default();
        let generator = || Generator::new(config.clone()).context("the generator");
        let shared = Arc::new(Mutex::new(generator()?));
        let (stop, recorder) = (CancellationToken::new(), Arc::new(Recorder::new(ledger)?));
        let (taken, (told, acknowledged)) = (Arc::<Mutex<Vec<Taken>>>::default(), watch::channel(0));
        let told = Arc::new(told);
        let mut senders = JoinSet::new();
        for (door, url) in doors.iter().enumerate() {
            let source =
                if plan.twice { Source::Own(Box::new(generator()?)) } else { Source::Shared(Arc::clone(&shared)) };
            let mut options = Options::new(url.clone());
            options.rate = Some(if plan.twice { plan.rate } else { plan.rate / doors.len() as f64 });
            // Those that wait for their next attempt are among them: an outage must not stop what is new.
            options.concurrency = 4096;
            options.timeout = Duration::from_secs(12);
            let (signer, stop, recorder) = (Signer::new(endpoints), stop.clone(), Arc::clone(&recorder));
            let (taken, told) = (Arc::clone(&taken), Arc::clone(&told));
            let answered = move |sent: &Sent| {
                recorder.record(door, sent);
                if sent.outcome == SendOutcome::Acknowledged {
                    let ended = Instant::now();
                    if let Ok(mut taken) = taken.lock() {
                        taken.push(Taken { door, began: ended.checked_sub(sent.took).unwrap_or(ended), ended });
                    }
                    told.send_modify(|count| *count += 1);
                }
            };
            senders.spawn(async move {
                sender::send(source, signer, &options, &stop, answered).await?;
                anyhow::Ok(())
            });
        }
        Ok(Self { stop, senders, recorder, taken, acknowledged })
    }

    /// Waits until so many more were acknowledged.
    pub(crate) async fn acknowledges(&mut self, more: u64, within: Duration) -> anyhow::Result<()> {
        let wanted = *self.acknowledged.borrow() + more;
        let waited = tokio::time::timeout(within, self.acknowledged.wait_for(|count| *count >= wanted)).await;
        waited.with_context(|| format!("{more} more deliveries were not acknowledged within {within:?}"))??;
        Ok(())
    }

    /// What was taken until now.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().map(|taken| taken.clone()).unwrap_or_default()
    }

    /// Stops, and reads what was written down.
    pub(crate) async fn stop(mut self) -> anyhow::Result<(Ledger, Vec<Taken>)> {
        self.stop.cancel();
        while let Some(sent) = self.senders.join_next().await {
            sent??;
        }
        let taken = self.taken();
        let recorder = Arc::into_inner(self.recorder).context("a sender is still running")?;
        let ledger = tokio::task::spawn_blocking(move || recorder.finish()).await??;
        Ok((ledger, taken))
    }
}
