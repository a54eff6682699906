//! Writes the history now and then, and at the end.

use std::path::PathBuf;
use std::time::Duration;

use service::CheckHandle;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::file;
use super::history::History;

/// Between two writes.
const EVERY: Duration = Duration::from_secs(300);

/// Where the history is kept, and who hears whether that works.
pub(crate) struct Keeper {
    path: PathBuf,
    check: CheckHandle,
    /// Whether what was in the file is in the history, or put aside: only then the file is written.
    is_read: bool,
}

impl Keeper {
    /// With the history that is there. What is no history is put aside, and another begins. A file that cannot be read is left
    /// alone, and read later.
    pub(crate) fn open(path: PathBuf, check: CheckHandle) -> (Self, History) {
        let mut keeper = Self { path, check, is_read: false };
        let read = file::load(&keeper.path);
        let history = keeper.took(read).unwrap_or_default();
        (keeper, history)
    }

    /// Until the host shuts down, and once more then. `restore` takes the place of the history, where it was read late.
    pub(crate) async fn run(
        mut self,
        history: impl Fn() -> History,
        restore: impl Fn(History),
        shutdown: &CancellationToken,
    ) {
        loop {
            let is_over = shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none();
            if !self.is_read {
                let path = self.path.clone();
                match spawn_blocking(move || file::load(&path)).await {
                    Ok(read) => self.took(read).into_iter().for_each(&restore),
                    Err(_) => self.check.fail("reading the history was broken off".to_owned()),
                }
            }
            if self.is_read {
                self.write(history()).await;
            }
            if is_over {
                return;
            }
        }
    }

    /// The history to go on with, if there is one, and whether the file may be written from now on.
    fn took(&mut self, read: Result<History, file::Error>) -> Option<History> {
        let path = self.path.display();
        self.is_read = !matches!(read, Err(file::Error::Io(_)));
        match &read {
            Ok(history) => self.check.ok(format!("{} endpoints in {path}", history.endpoints().count())),
            Err(error) if self.is_read => self.check.fail(format!("{path}: {error}; another history begins")),
            Err(error) => self.check.fail(format!("{path}: {error}; it is tried again, and nothing is written")),
        }
        read.ok()
    }

    async fn write(&self, history: History) {
        let path = self.path.clone();
        let write = move || file::save(&path, &file::encode(&history)?).map(|()| history.endpoints().count());
        match spawn_blocking(write).await {
            Ok(Ok(endpoints)) => self.check.ok(format!("{endpoints} endpoints in {}", self.path.display())),
            Ok(Err(error)) => self.check.fail(format!("{}: {error}", self.path.display())),
            Err(_) => self.check.fail("writing the history was broken off".to_owned()),
        }
    }
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
