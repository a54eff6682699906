//! Runs a service of `weir up` that can be restarted while the others go on.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use common::catalogue::Description;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use service::Host;
use service::restarts::RunsAgain;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::catalogue::{Entry, Opened};
use crate::settings::Settings;

/// A future that was dropped ends at its next point of waiting.
const DROPPED: Duration = Duration::from_secs(5);

/// A service that is open, with the part of the host that it was opened with.
pub(super) struct Open {
    service: Box<dyn Opened>,
    part: Host,
    gone: DropGuard,
}

/// Opens the service, the first time and after each restart.
pub(super) type Opens = Arc<dyn Fn(Host) -> BoxFuture<'static, anyhow::Result<Box<dyn Opened>>> + Send + Sync>;

/// Opens it with these settings.
pub(super) fn opens(entry: &Entry, settings: &Arc<Settings>) -> Opens {
    let (open, settings) = (entry.open, Arc::clone(settings));
    Arc::new(move |host| {
        let settings = Arc::clone(&settings);
        async move { open(&settings, &host).await }.boxed()
    })
}

/// Opens it with a part of the host of its own.
pub(super) async fn open(opens: &Opens, host: &Host) -> anyhow::Result<Open> {
    let gone = CancellationToken::new();
    let part = host.part(gone.clone());
    Ok(Open { service: opens(part.clone()).await?, part, gone: gone.drop_guard() })
}

/// Whether it can be restarted alone: what answers others is theirs until the process ends.
pub(super) fn can_be_restarted(description: &Description) -> bool {
    description.runs.answers.is_empty()
}

impl Open {
    /// What it answers, before it runs.
    pub(super) fn service(&self) -> &dyn Opened {
        &*self.service
    }
}

/// Runs it until it ends by itself or with the host. Where a restart is asked for, it gets `drain` to end what it has begun. Then
/// it is dropped, however it stands, and opened again. What it had in flight comes again: nothing of it was acknowledged.
///
/// # Errors
/// Those of the service; it cannot be opened again; or it blocks its thread, so that it cannot be ended at all. Each ends the
/// process.
pub(super) async fn run(
    name: &'static str,
    opens: Opens,
    host: Host,
    first: Open,
    mut asked: mpsc::Receiver<RunsAgain>,
    drain: Duration,
) -> anyhow::Result<()> {
    // An end that nobody asked for is one that the others have to hear of.
    let _ends = host.shutdown().clone().drop_guard();
    let mut running = first;
    loop {
        let Open { service, part, gone } = running;
        // A task of its own, so that one that blocks its thread does not block this one.
        let mut task = JoinSet::new();
        task.spawn(service.run());
        let runs_again = tokio::select! {
            ended = task.join_next() => return came_of(ended),
            Some(runs_again) = asked.recv() => runs_again,
        };
        tracing::info!(service = name, ?drain, "restarting the service");
        part.shutdown().cancel();
        if let Ok(ended) = timeout(drain, task.join_next()).await {
            // What it says of its end is of no use to the next one.
            if let Err(error) = came_of(ended) {
                tracing::info!(service = name, reason = %format!("{error:#}"), "the service ended for its restart");
            }
        } else {
            tracing::info!(
                service = name,
                "the service did not end by itself, and is dropped: what it had in flight comes again"
            );
            task.abort_all();
            timeout(DROPPED, task.join_next()).await.ok().context("it blocks its thread and cannot be restarted")?;
        }
        drop(gone);
        if host.shutdown().is_cancelled() {
            return Ok(());
        }
        running = open(&opens, &host).await.context("opening it again")?;
        tracing::info!(service = name, "the service runs again");
        // Whoever asked may not wait any more.
        let _ = runs_again.send(());
    }
}

fn came_of(ended: Option<Result<anyhow::Result<()>, tokio::task::JoinError>>) -> anyhow::Result<()> {
    ended.context("its task is gone")?.context("a service panicked")?
}

#[cfg(test)]
#[path = "up_restart_tests.rs"]
mod tests;
