//! Log lines to standard error, without ever waiting for whoever reads it.
//!
//! A log driver that hangs leaves a full pipe, and a write to it lasts for ever. So the writes are those of a thread of
//! their own; whoever logs hands a line over, or drops it where too many wait.

use std::borrow::Cow;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

use crate::escape;

/// What may wait to be written, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// What a line counts at least, so that the queue of the thread, which is by lines, never fills before.
const LEAST: usize = 512;
const MAX_LINES: usize = MAX_BYTES / LEAST + 1;

/// Hands lines over. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines {
    queue: NonBlocking,
    waiting: Arc<Waiting>,
    escape: fn(&str) -> Cow<'_, str>,
}

/// What was handed over and is not written.
#[derive(Default)]
struct Waiting {
    bytes: Mutex<usize>,
    less: Condvar,
    dropped: AtomicU64,
}

/// Waits at the end for what was handed over.
pub(super) struct Rest {
    waiting: Arc<Waiting>,
    /// Never dropped: where its queue is full it would print to standard output, which may be as full.
    _worker: ManuallyDrop<WorkerGuard>,
}

/// Writes, on the thread of its own.
struct Writing<W> {
    to: W,
    waiting: Arc<Waiting>,
    told: u64,
}

/// Starts the thread. With `colours` the lines have escape characters of our own.
pub(super) fn to(writer: impl Write + Send + 'static, colours: bool) -> (Lines, Rest) {
    let waiting = Arc::new(Waiting::default());
    let writing = Writing { to: writer, waiting: Arc::clone(&waiting), told: 0 };
    let builder = NonBlockingBuilder::default().buffered_lines_limit(MAX_LINES).lossy(true).thread_name("log");
    let (queue, worker) = builder.finish(writing);
    let escape = if colours { escape::coloured } else { escape::lines };
    let rest = Rest { waiting: Arc::clone(&waiting), _worker: ManuallyDrop::new(worker) };
    (Lines { queue, waiting, escape }, rest)
}

fn weight(line: &[u8]) -> usize {
    line.len().max(LEAST)
}

impl Waiting {
    fn add(&self, weight: usize) -> bool {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = *bytes + weight <= MAX_BYTES;
        if fits {
            *bytes += weight;
        }
        fits
    }

    fn take(&self, weight: usize) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *bytes = bytes.saturating_sub(weight);
        self.less.notify_all();
    }

    fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("weir_log_lines_dropped_total").increment(1);
    }
}

impl Write for Lines {
    /// One call is one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let escaped = (self.escape)(&text);
        if self.waiting.add(weight(escaped.as_bytes())) {
            self.queue.write_all(escaped.as_bytes())?;
        } else {
            self.waiting.dropped();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

impl<W: Write> Write for Writing<W> {
    /// One call is one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.to.write_all(line).is_err() {
            self.waiting.dropped();
        }
        self.waiting.take(weight(line));
        Ok(line.len())
    }

    /// Called when nothing waits any more.
    fn flush(&mut self) -> io::Result<()> {
        let dropped = self.waiting.dropped.load(Ordering::Relaxed);
        if dropped > self.told {
            let lines = dropped - self.told;
            self.told = dropped;
            tracing::warn!(lines, "log lines were dropped, standard error was not read");
        }
        self.to.flush()
    }
}

impl Rest {
    /// Waits until everything is written, at most for `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut bytes = self.waiting.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *bytes > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            bytes = self.waiting.less.wait_timeout(bytes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
