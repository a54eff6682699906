//! How fast this machine is at the moment: a piece of work that is always the same, on as many processors as the budgets
//! are for. Other work on the machine makes it slower too.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::anyhow;

/// The budgets are for two processors.
const PROCESSORS: usize = 2;
const ROUNDS: u64 = 4_000_000;

/// What the work takes now.
pub(crate) fn measure() -> anyhow::Result<Duration> {
    let began = Instant::now();
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..PROCESSORS).map(|_| scope.spawn(work)).collect();
        working.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("the work that tells the speed failed")))
    })?;
    Ok(began.elapsed())
}

/// The least that it takes of so many times: as where nothing else runs.
pub(crate) fn best(times: u32) -> anyhow::Result<Duration> {
    let measured = (0..times).map(|_| measure()).collect::<Result<Vec<_>, _>>()?;
    measured.into_iter().min().ok_or_else(|| anyhow!("nothing was measured"))
}

/// Numbers by shifting and mixing: nothing but the processor decides how long that takes.
fn work() {
    let mut number = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..ROUNDS {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
    black_box(number);
}
