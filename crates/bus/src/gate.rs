//! Consumers of one bus share a process: while a record of one is tried, nothing of the others may be out, for its end
//! would be blamed on that record.

use std::sync::{Mutex, MutexGuard};

use crate::threads::lock;

#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Inside>);

#[derive(Debug, Default)]
pub(crate) struct Inside {
    /// Records of all consumers that were handed out and have not ended.
    out: usize,
    /// The run that is, or waits to be, alone.
    alone: Option<u64>,
}

impl Gate {
    /// Opens the gate to this run, unless another is alone. Count what is handed out meanwhile.
    pub(crate) fn open(&self, run: u64) -> Option<MutexGuard<'_, Inside>> {
        let inside = lock(&self.0);
        inside.alone.is_none_or(|alone| alone == run).then_some(inside)
    }

    /// A record has ended.
    pub(crate) fn leave(&self) {
        lock(&self.0).out -= 1;
    }

    /// Asks to be alone, and keeps others from handing out. True: it is, nothing is out.
    pub(crate) fn claim(&self, run: u64) -> bool {
        let mut inside = lock(&self.0);
        *inside.alone.get_or_insert(run) == run && inside.out == 0
    }

    /// No longer alone.
    pub(crate) fn release(&self, run: u64) {
        let mut inside = lock(&self.0);
        inside.alone.take_if(|alone| *alone == run);
    }
}

impl Inside {
    pub(crate) fn count(&mut self, records: usize) {
        self.out += records;
    }
}
