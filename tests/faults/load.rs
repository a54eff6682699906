//! How busy the machine is while something runs: a recovery is measured on a clock, and the clock runs for others too.

use std::time::Duration;

/// How often it is looked at. The kernel's average is of a minute.
const LOOK: Duration = Duration::from_secs(1);

/// The load average of a minute, as the kernel has it: processes that run or want to, on all processors together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    /// The largest that was seen.
    pub(crate) most: f64,
}

/// What comes of this, and how busy the machine was meanwhile. None where the kernel does not tell.
pub(crate) async fn during<T>(what: impl Future<Output = T>) -> (T, Option<Load>) {
    let mut what = Box::pin(what);
    let mut most: Option<f64> = None;
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            outcome = &mut what => return (outcome, most.map(|most| Load { most })),
            _ = look.tick() => {
                let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
                most = most.into_iter().chain(minute(&text)).reduce(f64::max);
            }
        }
    }
}

/// Of `0.52 0.41 0.38 2/613 4711` the first.
fn minute(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}
