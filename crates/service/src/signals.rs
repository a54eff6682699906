//! The signals that ask a process to end.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// SIGTERM, SIGINT and SIGHUP, by name. SIGHUP is what a terminal that is closed sends; a process that was started to
/// ignore it (`nohup`) goes on ignoring it.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on they end nothing by themselves.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn listen() -> std::io::Result<Signals> {
        let is_ignored = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status));
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if is_ignored { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }

    /// Passes them on until `stop` is cancelled.
    pub(crate) async fn forward(mut self, to: mpsc::Sender<&'static str>, stop: CancellationToken) {
        while let Some(name) = stop.run_until_cancelled(self.next()).await {
            // Full: as many have been asked for as matter.
            let _ = to.try_send(name);
        }
    }
}

/// Whether `/proc/self/status` says that SIGHUP, the first of all signals, is ignored. Where there is no such file it
/// is not known, and taken for not ignored.
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
#[path = "signals_tests.rs"]
mod tests;
