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
}

impl Keeper {
    /// With the history that is there. One that cannot be read is put aside, and another begins.
    pub(crate) fn open(path: PathBuf, check: CheckHandle) -> (Self, History) {
        let read = file::load(&path);
        match &read {
            Ok(history) => check.ok(format!("{} endpoints in {}", history.endpoints().count(), path.display())),
            Err(error) => check.fail(format!("{}: {error}; another history begins", path.display())),
        }
        (Self { path, check }, read.unwrap_or_default())
    }

    /// Until the host shuts down, and once more then.
    pub(crate) async fn run(self, history: impl Fn() -> History, shutdown: &CancellationToken) {
        loop {
            let is_over = shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none();
            let (history, path) = (history(), self.path.clone());
            let write = move || file::save(&path, &file::encode(&history)?).map(|()| history.endpoints().count());
            match spawn_blocking(write).await {
                Ok(Ok(endpoints)) => self.check.ok(format!("{endpoints} endpoints in {}", self.path.display())),
                Ok(Err(error)) => self.check.fail(format!("{}: {error}", self.path.display())),
                Err(_) => self.check.fail("writing the history was broken off".to_owned()),
            }
            if is_over {
                return;
            }
        }
    }
}
