//! Child processes that never outlive the test process.
//!
//! Where `setpriv` (util-linux) is there, the kernel kills a child when its parent goes, even by `kill -9`, and also when
//! the child is held by a static that is never dropped. The kernel means the *thread* that started the child, and a test
//! is a thread of its own: therefore one thread that lives as long as the process starts all children.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::environment::find_program;
use crate::wait;

/// A process that got a signal acts on it as soon as each of its threads has had a turn.
const SOON: Duration = Duration::from_secs(10);

/// The signals that tests send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Please end.
    Term,
    /// As Ctrl-C.
    Int,
    /// Ends the process without asking it.
    Kill,
    /// Pauses it: nothing of it runs any more once the signal is sent.
    Stop,
    /// Lets it go on.
    Cont,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// A command that is killed when the process that starts it goes, where `setpriv` is there to arrange it.
pub fn command(program: impl AsRef<Path>) -> Command {
    bound_command(program, Signal::Kill)
}

/// As [`command`], with another signal for the case that the parent goes.
pub fn bound_command(program: impl AsRef<Path>, at_parents_end: Signal) -> Command {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    let program = program.as_ref();
    match SETPRIV.get_or_init(|| find_program("setpriv", &[])) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", at_parents_end.name()]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// A running child. Dropping it kills it and waits until it is gone.
pub struct Child {
    name: String,
    pid: u32,
    inner: Mutex<std::process::Child>,
}

impl Child {
    /// Starts a command; `name` is how messages call it.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn spawn(name: impl Into<String>, command: Command) -> anyhow::Result<Self> {
        let name = name.into();
        let inner = spawn_from_keeper(command).with_context(|| format!("start {name}"))?;
        Ok(Self { name, pid: inner.id(), inner: Mutex::new(inner) })
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The status with which it ended; `None` while it runs.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn exited(&self) -> anyhow::Result<Option<ExitStatus>> {
        self.lock().try_wait().with_context(|| format!("ask for the state of {}", self.name))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone, or the signal cannot be sent.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        // Held until the signal is sent: nobody can reap the child meanwhile and let its id go to another process.
        let mut inner = self.lock();
        if let Some(status) = inner.try_wait()? {
            bail!("{} cannot get {}: it ended before ({status})", self.name, signal.name());
        }
        if signal == Signal::Kill {
            return inner.kill().with_context(|| format!("kill {}", self.name));
        }
        let sent = Command::new("/bin/sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal.name(), &self.pid.to_string()])
            .status()
            .with_context(|| format!("send {} to {}", signal.name(), self.name))?;
        if !sent.success() {
            bail!("{} did not get {}: {sent}", self.name, signal.name());
        }
        if signal == Signal::Stop {
            // So far the signal was only left with it: on a busy machine its threads run on for a while, and answer.
            let stands = || Ok(stands_still(self.pid)?.then_some(()));
            wait::until(&format!("{} stands still", self.name), SOON, stands)?;
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It still runs when `limit` is over.
    pub fn wait(&self, limit: Duration) -> anyhow::Result<ExitStatus> {
        wait::until(&format!("the end of {}", self.name), limit, || self.exited())
    }

    /// SIGKILL, and waits until it is gone. Nothing happens where it has ended before.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&self) -> anyhow::Result<ExitStatus> {
        let mut inner = self.lock();
        if let Some(status) = inner.try_wait()? {
            return Ok(status);
        }
        inner.kill().with_context(|| format!("kill {}", self.name))?;
        inner.wait().with_context(|| format!("wait for {}", self.name))
    }

    /// SIGTERM; waits until it has ended. Where it has ended before: its status.
    ///
    /// # Errors
    /// It did not end within `limit`, and was killed.
    pub fn stop(&self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.stop_with(Signal::Term, limit)
    }

    /// As [`Child::stop`], for programs that want another signal.
    ///
    /// # Errors
    /// It did not end within `limit`, and was killed.
    pub fn stop_with(&self, signal: Signal, limit: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.exited()? {
            return Ok(status);
        }
        // It may end between the look and the signal.
        let sent = self.signal(signal);
        let ended = self.wait(limit);
        if ended.is_err() {
            self.kill()?;
            sent?;
        }
        ended.context("it was killed")
    }

    fn lock(&self) -> MutexGuard<'_, std::process::Child> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("name", &self.name).field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nothing can be told here; a child that cannot be killed goes with this process.
        let _ = self.kill();
    }
}

/// A file to append to, made where it is not there.
///
/// # Errors
/// It cannot be opened.
pub fn append_to(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("open {}", path.display()))
}

/// The last lines of a file, for messages.
pub fn last_lines(path: &Path, count: usize) -> String {
    const ENOUGH: u64 = 16 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(ENOUGH)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(count)..].join("\n")
        }
        Err(error) => format!("({}: {error})", path.display()),
    }
}

/// Whether each thread of a process is stopped, as far as the system tells that.
fn stands_still(pid: u32) -> anyhow::Result<bool> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Ok(true) };
    for thread in threads {
        // One that ended meanwhile does not run either.
        let Ok(stat) = std::fs::read_to_string(thread?.path().join("stat")) else { continue };
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if !matches!(state, Some('T' | 't' | 'Z' | 'X')) {
            return Ok(false);
        }
    }
    Ok(true)
}

type Job = Box<dyn FnOnce() + Send>;

/// Starts the command on the thread that lives as long as the process.
fn spawn_from_keeper(mut command: Command) -> anyhow::Result<std::process::Child> {
    static KEEPER: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        // Where no thread can be had the queue is dropped, and sending to it says so.
        let _ = std::thread::Builder::new().name("children".to_owned()).spawn(move || {
            for job in queue {
                job();
            }
        });
        Mutex::new(jobs)
    });
    let (answer, answered) = mpsc::channel();
    let job: Job = Box::new(move || {
        let _ = answer.send(command.spawn());
    });
    let gone = || anyhow!("the thread that starts processes is gone");
    keeper.lock().unwrap_or_else(PoisonError::into_inner).send(job).map_err(|_| gone())?;
    Ok(answered.recv().map_err(|_| gone())??)
}
