//! The consumers of a process, which are asked for each digest.

use std::sync::{PoisonError, RwLock};

use common::health::v1::{Consumer, Queue};
use tokio_util::sync::CancellationToken;

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
