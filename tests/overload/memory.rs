//! How much memory the services have, looked at all the time; and what processor time a process has used.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::system::lock;

/// How often.
const EVERY: Duration = Duration::from_millis(100);
const MIB: u64 = 1024;

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
                    let Ok((resident, peak)) = resident(*pid) else { continue };
                    let mut seen = lock(&own);
                    let seen = seen.entry(*name).or_default();
                    seen.sampled = seen.sampled.max(resident);
                    seen.peak = seen.peak.max(peak);
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

/// Processor time of all threads of a process since it began.
pub(crate) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let hundredths = field(11).zip(field(12)).context("/proc tells no processor time")?;
    Ok(Duration::from_millis((hundredths.0 + hundredths.1) * 10))
}

/// What is resident now and what was at most since the process began, in MiB.
pub(crate) fn resident(pid: u32) -> anyhow::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok())
            .with_context(|| format!("/proc tells no {name}"))
    };
    Ok((field("VmRSS:")? / MIB, field("VmHWM:")? / MIB))
}
