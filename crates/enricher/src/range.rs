//! Which offsets a load request covers. Pure.
//!
//! A turn at a partition begins at the offset where the group stood. Its ranges begin where the one before ended, the
//! first where the turn began, so that gaps in the offsets and dropped duplicates are covered; they go out one at a
//! time and in their order. What a turn gathered is worth nothing in the next one: the records come again.

use std::collections::VecDeque;

use bus::Assignment;

/// The offsets from `from` up to but not including `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnRange {
    /// The turn it belongs to.
    pub epoch: u64,
    /// The first offset.
    pub from: i64,
    /// The offset after the last one.
    pub to: i64,
}

/// How a record stands to what was gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It belongs to the turn under way.
    Same,
    /// A new turn begins with it: what was gathered before is to be thrown away.
    Anew,
    /// It belongs to a turn that is over, and is to be thrown away.
    Late,
}

/// The ranges of one partition, each with what came of it.
#[derive(Debug)]
pub struct Ranges<T> {
    turn: Assignment,
    from: i64,
    to: i64,
    sealed: VecDeque<(TurnRange, T)>,
    out: Option<TurnRange>,
}

impl<T> Ranges<T> {
    /// Nothing gathered yet.
    pub fn begin(turn: Assignment) -> Self {
        Self { turn, from: turn.start, to: turn.start, sealed: VecDeque::new(), out: None }
    }

    /// The turn under way.
    pub fn turn(&self) -> Assignment {
        self.turn
    }

    /// How a record of this turn stands to what was gathered. [`Taken::Anew`]: begin again with its turn.
    pub fn look(&self, turn: Assignment) -> Taken {
        match turn.epoch.cmp(&self.turn.epoch) {
            std::cmp::Ordering::Equal => Taken::Same,
            std::cmp::Ordering::Greater => Taken::Anew,
            std::cmp::Ordering::Less => Taken::Late,
        }
    }

    /// A record of the turn under way was worked on, whatever came of it.
    pub fn take(&mut self, offset: i64) {
        self.to = self.to.max(offset.saturating_add(1));
    }

    /// Whether anything was taken since the last range was sealed.
    pub fn is_open(&self) -> bool {
        self.from < self.to
    }

    /// Whether the range under way is the first of the turn.
    pub fn is_first(&self) -> bool {
        self.from == self.turn.start
    }

    /// Ends the range under way with what came of it; the next one begins at its end. Nothing happens where nothing was
    /// taken, and what is given is given back.
    pub fn seal(&mut self, content: T) -> Result<TurnRange, T> {
        if !self.is_open() {
            return Err(content);
        }
        let range = TurnRange { epoch: self.turn.epoch, from: self.from, to: self.to };
        self.from = self.to;
        self.sealed.push_back((range, content));
        Ok(range)
    }

    /// The next range to go out; none while one is out.
    pub fn hand_on(&mut self) -> Option<(TurnRange, T)> {
        if self.out.is_some() {
            return None;
        }
        let next = self.sealed.pop_front()?;
        self.out = Some(next.0);
        Some(next)
    }

    /// The range that is out is done. False: it belongs to a turn that is over.
    pub fn done(&mut self, range: TurnRange) -> bool {
        let is_ours = self.out == Some(range);
        if is_ours {
            self.out = None;
        }
        is_ours
    }

    /// Whether nothing is gathered, sealed or out.
    pub fn is_idle(&self) -> bool {
        !self.is_open() && self.sealed.is_empty() && self.out.is_none()
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
