//! From the first signal to the end.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use crate::Host;

/// The exit code of a service whose `run` failed.
pub const EXIT_FAILED: u8 = 1;
/// The exit code for bad settings or flags (`EX_USAGE`).
pub const EXIT_BAD_SETTINGS: u8 = 64;
/// The exit code when the shutdown took longer than `shutdown.deadline_ms` (`EX_TEMPFAIL`).
pub const EXIT_DEADLINE: u8 = 75;
/// The exit code when a second signal came during the shutdown.
pub const EXIT_SECOND_SIGNAL: u8 = 76;

/// How a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself or after a signal, everything done.
    Done,
    /// With an error, which was logged.
    Failed,
    /// Cut off; what is left must not be waited for.
    Deadline,
    /// Cut off by whoever was impatient.
    SecondSignal,
    /// Cut off, since what is in it may stand still.
    ClockSetBack,
}

impl End {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            End::Done => 0,
            End::Failed | End::ClockSetBack => EXIT_FAILED,
            End::Deadline => EXIT_DEADLINE,
            End::SecondSignal => EXIT_SECOND_SIGNAL,
        }
    }
}

/// Runs a service to its end. The first signal starts the shutdown; the second, or the deadline, ends it. `service` is
/// borrowed, so that one that was cut off is not dropped here, which might wait.
pub(crate) async fn supervise<F>(
    host: &Host,
    mut service: Pin<&mut F>,
    deadline: Duration,
    signals: &mut mpsc::Receiver<&'static str>,
) -> End
where
    F: Future<Output = anyhow::Result<()>>,
{
    let mut running = std::pin::pin!(async {
        let ended = AssertUnwindSafe(service.as_mut()).catch_unwind().await;
        let end = match ended {
            Ok(Ok(())) => End::Done,
            Ok(Err(error)) => {
                tracing::error!(error = format!("{error:#}"), "the service failed");
                End::Failed
            }
            Err(panic) => {
                tracing::error!(panic = panic_message(&*panic), "the service panicked");
                End::Failed
            }
        };
        // An end without a signal is one that the other tasks have to hear of.
        host.shutdown().cancel();
        end
    });
    let ended = tokio::select! {
        biased;
        end = running.as_mut() => Some(end),
        () = host.set_back().cancelled() => return End::ClockSetBack,
        Some(signal) = signals.recv() => {
            tracing::info!(signal, deadline_ms = millis(deadline), "shutting down");
            host.shutdown().cancel();
            None
        }
        () = host.shutdown().cancelled() => None,
    };
    let rest = async {
        let end = match ended {
            Some(end) => end,
            None => running.await,
        };
        host.close().await;
        end
    };
    tokio::select! {
        biased;
        end = rest => end,
        () = host.set_back().cancelled() => End::ClockSetBack,
        Some(signal) = signals.recv() => {
            tracing::error!(signal, "second signal, exiting without waiting");
            End::SecondSignal
        }
        () = tokio::time::sleep(deadline) => {
            tracing::error!(
                deadline_ms = millis(deadline),
                tasks = host.tasks().len(),
                "the shutdown deadline is over, exiting without waiting",
            );
            End::Deadline
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&'static str>() {
        return text;
    }
    panic.downcast_ref::<String>().map_or("a value that is not text", String::as_str)
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
