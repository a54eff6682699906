//! Access to files within a time: a mount that hangs holds up nobody who is to be told.

use std::io;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

/// One access at a time. Those that hang stay one.
pub(crate) struct Access<T> {
    running: JoinSet<io::Result<T>>,
    limit: Duration,
    /// Why the last one failed.
    pub(crate) problem: Option<String>,
}

impl<T: Send + 'static> Access<T> {
    pub(crate) fn within(limit: Duration) -> Self {
        Self { running: JoinSet::new(), limit, problem: None }
    }

    /// What it gives; none: it failed. Logs that it fails, and that it goes well again, once. `setting`: which file it is.
    pub(crate) async fn run(
        &mut self,
        setting: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let done = self.limited(work).await;
        let problem = done.as_ref().err().map(|error| format!("{setting}: {error}"));
        match (&self.problem, &problem) {
            (_, Some(problem)) if self.problem.as_ref() != Some(problem) => {
                tracing::warn!(problem, "cannot use a file")
            }
            (Some(_), None) => tracing::info!(setting, "the file can be used again"),
            _ => {}
        }
        self.problem = problem;
        done.ok()
    }

    async fn limited(&mut self, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        // What came too late is not wanted any more.
        while self.running.try_join_next().is_some() {}
        let limit = self.limit;
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"));
        if !self.running.is_empty() {
            return Err(late());
        }
        self.running.spawn_blocking(work);
        match timeout(limit, self.running.join_next()).await {
            Ok(Some(Ok(done))) => done,
            Ok(_) => Err(io::Error::other("the access ended early")),
            Err(_) => Err(late()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_hangs_holds_nobody_up_and_is_begun_once() {
        let mut access = Access::within(Duration::from_millis(20));
        let (end, hangs) = mpsc::channel::<()>();
        let hanging = move || {
            let _ = hangs.recv();
            Ok(1)
        };
        assert_eq!(access.run("a", hanging).await, None);
        assert_eq!(access.problem.as_deref(), Some("a: no answer within 20ms"));
        let (ran, begun) = mpsc::channel();
        let next = move || ran.send(()).map(|()| 2).map_err(io::Error::other);
        assert_eq!(access.run("a", next).await, None);
        assert!(begun.try_recv().is_err(), "a second one began beside it");
        // It comes back: the next one is made again.
        drop(end);
        access.running.join_next().await.unwrap().unwrap().unwrap();
        assert_eq!(access.run("a", || Ok(3)).await, Some(3));
        assert_eq!(access.problem, None);
    }
}
