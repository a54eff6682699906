//! How much memory the services have, looked at all the time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use weir_tests::usage;

use crate::system::lock;

/// How often.
const EVERY: Duration = Duration::from_millis(100);
const MIB: u64 = 1024 * 1024;

/// What one service had.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// The most that a sample showed, and the most that the kernel noted between samples, in MiB.
    pub(crate) sampled: u64,
    pub(crate) peak: u64,
    pub(crate) samples: u64,
}

/// Samples until it is dropped.
#[derive(Debug)]
pub(crate) struct Memory {
    seen: Arc<Mutex<BTreeMap<&'static str, Seen>>>,
    /// The longest time between two samples.
    gap: Arc<Mutex<Duration>>,
    _sampling: JoinSet<()>,
}

impl Memory {
    pub(crate) fn watch(pids: Vec<(&'static str, u32)>) -> Self {
        let (seen, gap) = (Arc::<Mutex<BTreeMap<_, Seen>>>::default(), Arc::<Mutex<Duration>>::default());
        let (own, own_gap) = (Arc::clone(&seen), Arc::clone(&gap));
        let mut sampling = JoinSet::new();
        sampling.spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut last = Instant::now();
            loop {
                ticks.tick().await;
                let now = Instant::now();
                {
                    let mut gap = lock(&own_gap);
                    *gap = gap.max(now.duration_since(last));
                }
                last = now;
                for (name, pid) in &pids {
                    // One that has ended is told elsewhere.
                    let Ok(memory) = usage::memory(*pid) else { continue };
                    let mut seen = lock(&own);
                    let seen = seen.entry(*name).or_default();
                    seen.sampled = seen.sampled.max(memory.resident / MIB);
                    seen.peak = seen.peak.max(memory.peak / MIB);
                    seen.samples += 1;
                }
            }
        });
        Self { seen, gap, _sampling: sampling }
    }

    pub(crate) fn seen(&self) -> (BTreeMap<&'static str, Seen>, Duration) {
        (lock(&self.seen).clone(), *lock(&self.gap))
    }
}
