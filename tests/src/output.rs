//! What a process prints goes through a pipe into a file, and can be held up: as with a log driver that hangs.

use std::fs::{self, File};
use std::io::{ErrorKind, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};

/// The reader is at its next look by then, however busy the machine is.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// The end of the pipe into which is printed.
#[derive(Debug)]
pub(crate) struct Output {
    into: PipeWriter,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    held: bool,
    /// The reader does not read.
    waits: bool,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Output {
    /// A thread reads the pipe for as long as somebody has the other end.
    pub(crate) fn into(file: File) -> anyhow::Result<Self> {
        let (from, into) = std::io::pipe().context("make a pipe")?;
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let shared = Arc::clone(&state);
        std::thread::Builder::new().name("output".to_owned()).spawn(move || copy(from, file, &shared))?;
        Ok(Self { into, state })
    }

    /// For a process.
    pub(crate) fn writer(&self) -> anyhow::Result<PipeWriter> {
        Ok(self.into.try_clone()?)
    }

    /// Nobody reads any more, and the pipe is full.
    pub(crate) fn hold(&self) -> anyhow::Result<()> {
        lock(&self.state.0).held = true;
        self.fill()?;
        // It has something to read, takes that, and sees that it is not to.
        let (state, changed) = &*self.state;
        let (state, outcome) = changed
            .wait_timeout_while(lock(state), STOPS_WITHIN, |state| !state.waits)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        ensure!(!outcome.timed_out(), "the output is still being read");
        self.fill()
    }

    /// It is read again.
    pub(crate) fn release(&self) {
        lock(&self.state.0).held = false;
        self.state.1.notify_all();
    }

    /// Opened anew: only this end of the pipe does not block.
    fn fill(&self) -> anyhow::Result<()> {
        let path = format!("/proc/self/fd/{}", self.into.as_raw_fd());
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits())?;
        let mut pipe = fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(&path)?;
        for piece in [&[b'\n'; 4096][..], b"\n"] {
            loop {
                match pipe.write(piece) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).context("fill the pipe"),
                }
            }
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // What still prints must not wait for ever.
        self.release();
    }
}

fn copy(mut from: PipeReader, mut file: File, (state, changed): &(Mutex<State>, Condvar)) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut now = lock(state);
        while now.held {
            now.waits = true;
            changed.notify_all();
            now = changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        now.waits = false;
        drop(now);
        match from.read(&mut buffer) {
            Ok(0) => return,
            // A disk without room loses lines of a log.
            Ok(read) => drop(file.write_all(&buffer[..read])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
