//! Which offset of a partition may be stored: the one after the contiguous prefix of what is done.
//!
//! Contiguous means in the order received and not offset + 1: compaction and transactions leave gaps. A tracker belongs
//! to one assignment of its partition, named by an epoch; what ends late for an older one is ignored, for the
//! partition may be in other hands by then.

use std::collections::VecDeque;

use crate::Assignment;

#[derive(Debug)]
pub(crate) struct Tracker {
    epoch: u64,
    /// Where the epoch began.
    start: i64,
    position: i64,
    /// What was handed out from `position` on, in ascending order, and whether it is done.
    out: VecDeque<(i64, bool)>,
    awaited: usize,
    /// Out, and left as it is: nobody works on it any more in this epoch.
    left: usize,
}

impl Tracker {
    /// `position` is the first offset that is not done.
    pub(crate) fn new(epoch: u64, position: i64) -> Self {
        Self { epoch, start: position, position, out: VecDeque::new(), awaited: 0, left: 0 }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The epoch, and where it began.
    pub(crate) fn assignment(&self) -> Assignment {
        Assignment { epoch: self.epoch, start: self.start }
    }

    /// The offset to store: everything before it is done.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// How much is out and may yet be done.
    pub(crate) fn awaited(&self) -> usize {
        self.awaited
    }

    /// How much is out and not done.
    pub(crate) fn unfinished(&self) -> usize {
        self.awaited + self.left
    }

    /// A record is handed out. False: it was before, or is done already; it must not go out again in this epoch.
    pub(crate) fn hand_out(&mut self, offset: i64) -> bool {
        let next = self.out.back().map_or(self.position, |(last, _)| last + 1);
        if offset < next {
            return false;
        }
        self.out.push_back((offset, false));
        self.awaited += 1;
        true
    }

    /// A record is done. True if it belongs to this epoch and was not done before.
    pub(crate) fn complete(&mut self, epoch: u64, offset: i64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        let Ok(at) = self.out.binary_search_by_key(&offset, |(offset, _)| *offset) else { return false };
        let Some((_, done)) = self.out.get_mut(at) else { return false };
        if std::mem::replace(done, true) {
            return false;
        }
        self.awaited -= 1;
        while let Some((offset, true)) = self.out.front() {
            self.position = offset + 1;
            self.out.pop_front();
        }
        true
    }

    /// Nobody works on a record any more, and what is before it can still be done. To be said once of each.
    pub(crate) fn leave(&mut self, epoch: u64, offset: i64) {
        let is_out = self.out.binary_search_by_key(&offset, |(offset, _)| *offset);
        if epoch == self.epoch && is_out.is_ok_and(|at| self.out.get(at).is_some_and(|(_, done)| !done)) {
            self.awaited -= 1;
            self.left += 1;
        }
    }

    /// Begins anew at the first record that is not done, for another assignment or another attempt.
    pub(crate) fn restart(&mut self, epoch: u64) {
        *self = Self::new(epoch, self.position);
    }
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
