//! Several processes of Weir under names, which can be killed while others use them. Clones have the same processes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use serde_json::Value;

use crate::balance::Balance;
use crate::process::Process;

/// Processes by their names, as "streaming-0".
#[derive(Clone, Debug, Default)]
pub struct Processes(BTreeMap<String, Arc<Mutex<Process>>>);

impl Processes {
    /// One more.
    pub fn add(&mut self, name: impl Into<String>, process: Process) {
        self.0.insert(name.into(), Arc::new(Mutex::new(process)));
    }

    /// Their names, in order.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// One of them; blocks while somebody else has it.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn lock(&self, name: &str) -> anyhow::Result<MutexGuard<'_, Process>> {
        let process = self.0.get(name).with_context(|| format!("there is no {name}"))?;
        Ok(process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Acts on one of them, on a thread that may block.
    ///
    /// # Errors
    /// There is none of this name, or what `act` fails with.
    pub async fn on<T: Send + 'static>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Process) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let (processes, of) = (self.clone(), name.to_owned());
        let acted = tokio::task::spawn_blocking(move || act(&mut *processes.lock(&of)?)).await;
        acted.map_err(|error| anyhow!("{name}: {error}"))?.with_context(|| name.to_owned())
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// One is not ready within `limit`, or has ended.
    pub async fn ready(&self, limit: Duration) -> anyhow::Result<()> {
        for name in self.names() {
            self.on(&name, move |process| process.ready(limit)).await?;
        }
        Ok(())
    }

    /// SIGKILL, and starts it again; how long it took until it was ready.
    ///
    /// # Errors
    /// It is not ready within `limit`.
    pub async fn kill_and_restart(&self, name: &str, limit: Duration) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.on(name, move |process| {
            process.restart()?;
            process.ready(limit)
        })
        .await?;
        Ok(began.elapsed())
    }

    /// What those say of themselves that run.
    ///
    /// # Errors
    /// One that runs does not answer.
    pub async fn digests(&self) -> anyhow::Result<Vec<(String, Value)>> {
        let mut digests = Vec::new();
        for name in self.names() {
            let ask = |process: &mut Process| match process.exited()? {
                Some(_) => Ok(None),
                None => process.get("/health").map(|(_, text)| Some(text)),
            };
            if let Some(text) = self.on(&name, ask).await? {
                digests.push((name, serde_json::from_str(&text)?));
            }
        }
        Ok(digests)
    }

    /// What all instances of a service say that they did with what they took in.
    ///
    /// # Errors
    /// As [`Processes::digests`].
    pub async fn balance(&self, service: &str) -> anyhow::Result<Balance> {
        let mut balance = Balance::default();
        for (_, digest) in self.digests().await? {
            balance.add_json(service, &digest)?;
        }
        Ok(balance)
    }
}
