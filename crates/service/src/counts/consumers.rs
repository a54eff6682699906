//! The consumers of a process, which are asked for each digest.

use std::sync::{Arc, PoisonError, RwLock};

use common::health::v1::{Consumer, Queue};
use tokio_util::sync::CancellationToken;

use super::Counts;

type Look = Box<dyn Fn() -> (Consumer, Vec<Queue>) + Send + Sync>;

/// Each with what is cancelled when it is gone.
#[derive(Default)]
pub(super) struct Consumers(RwLock<Vec<(CancellationToken, Look)>>);

impl Consumers {
    pub(super) fn watch(&self, gone: CancellationToken, look: Look) {
        let mut looks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|(gone, _)| !gone.is_cancelled());
        looks.push((gone, look));
    }

    /// Those that are there, as they are now.
    pub(super) fn told(&self) -> Vec<(Consumer, Vec<Queue>)> {
        let looks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        looks.iter().filter(|(gone, _)| !gone.is_cancelled()).map(|(_, look)| look()).collect()
    }
}

impl Counts {
    /// A consumer here, with its partitions: `look` is asked for each digest, and must not wait.
    pub fn watch_consumer(&self, look: impl Fn() -> (Consumer, Vec<Queue>) + Send + Sync + 'static) {
        self.inner.consumers.watch(self.gone.clone(), Box::new(look));
    }

    /// The same counts for a service that may end before its process: with `gone` its consumers are told no more.
    pub(crate) fn until(&self, gone: CancellationToken) -> Self {
        Self { inner: Arc::clone(&self.inner), gone }
    }

    /// The consumers here with their partitions, as they are now.
    pub(crate) fn consumers(&self) -> Vec<(Consumer, Vec<Queue>)> {
        self.inner.consumers.told()
    }
}
