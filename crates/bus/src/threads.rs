//! Threads of the bus, and work that blocks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::Error;

/// Runs what blocks away from the async threads. It begins with the call, whenever the answer is waited for.
pub(crate) fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> impl Future<Output = Result<T, Error>> {
    let begun = tokio::task::spawn_blocking(work);
    async move {
        match begun.await {
            Ok(result) => result,
            Err(error) => Err(Error::unavailable("a worker thread", error.to_string())),
        }
    }
}

/// A thread of the bus.
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| Error::unavailable("a thread", error.to_string()))
}

/// Locks; a thread that panicked while it held the lock does not stop the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
