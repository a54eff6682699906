//! A test program under watch: what it prints is passed on, and the time of each line is taken.

use std::ffi::OsString;
use std::io::{Read as _, Write};
use std::path::Path;
use std::process::{ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use weir_tests::child;

use crate::times::{Seen, Suite};

/// For how long the rest of the output is waited for when the program has ended: a process that it left behind may still
/// have the pipe.
const REST_WITHIN: Duration = Duration::from_secs(2);

/// What was seen of a test program.
#[derive(Debug)]
pub(crate) struct Watched {
    /// How it ended.
    pub(crate) status: ExitStatus,
    took: Duration,
    seen: Arc<Mutex<Seen>>,
}

impl Watched {
    /// As it is written down.
    pub(crate) fn suite(&self, name: String, slower: f64) -> Suite {
        Suite { name, seconds: self.took.as_secs_f64(), slower, tests: lock(&self.seen).tests() }
    }
}

/// Runs it to its end.
pub(crate) fn run(
    program: &Path,
    arguments: &[OsString],
    passed_on: impl Write + Send + 'static,
) -> anyhow::Result<Watched> {
    let began = Instant::now();
    let mut command = child::command(program);
    let mut running = command
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let output = running.stdout.take().context("its output")?;
    let threads = thread::available_parallelism().context("the number of processors")?.get();
    let seen = Arc::new(Mutex::new(Seen::new(threads)));
    let (ended, end) = mpsc::channel();
    let reading = Arc::clone(&seen);
    thread::Builder::new().name("output".to_owned()).spawn(move || {
        pass_on(output, passed_on, &reading, began);
        // Nobody waits for it any more where the rest took too long.
        let _ = ended.send(());
    })?;
    let status = running.wait().context("wait for its end")?;
    let took = began.elapsed();
    // An error: the rest does not come.
    let _ = end.recv_timeout(REST_WITHIN);
    Ok(Watched { status, took, seen })
}

fn pass_on(mut output: ChildStdout, mut to: impl Write, seen: &Mutex<Seen>, began: Instant) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match output.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                lock(seen).take(&buffer[..read], began.elapsed());
                // Where nobody reads what is passed on, the times are still taken.
                let _ = to.write_all(&buffer[..read]).and_then(|()| to.flush());
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
