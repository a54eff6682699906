//! An index of the dead letters: counts, and where which may stand. Pure.
//!
//! The topic is cut into blocks of some thousand offsets, and each of them is counted once: by kind and hour, with a filter
//! of its ids. So counts need not read what was counted, and a list, a look-up by id and a replay read only blocks in which
//! there may be something for them. The newest blocks are counted first; what has not been counted yet is read. It is in
//! memory and made anew at each start, so it never says what the topic does not.

use std::collections::{BTreeMap, HashMap, HashSet};

use bus::{OffsetRange, Stored};
use common::deadletter::v1::DeadLetter;

use super::block::{self, BLOCK, Block, KindNumber};
use super::kind::{Kind, kind_of};
use super::select::{Filter, Part, millis};
use super::stats::Stats;

/// Offsets of a partition, up to and without the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) partition: i32,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// How much of the topic is in the index, in offsets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) done: u64,
    pub(crate) all: u64,
}

impl Progress {
    pub(crate) fn is_done(self) -> bool {
        self.done >= self.all
    }
}

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    kinds: Vec<Kind>,
    numbers: HashMap<Kind, KindNumber>,
    /// As they were when last asked for.
    ranges: Vec<OffsetRange>,
    blocks: BTreeMap<i32, BTreeMap<i64, Block>>,
    /// The ids in and beside the block that was added to last.
    near: Option<Near>,
}

#[derive(Debug)]
struct Near {
    partition: i32,
    number: i64,
    ids: HashSet<u64>,
}

impl Index {
    /// The topic is so long now: what has had its time is forgotten.
    pub(crate) fn adjust(&mut self, ranges: &[OffsetRange]) {
        ranges.clone_into(&mut self.ranges);
        self.near = None;
        self.blocks.retain(|partition, _| ranges.iter().any(|range| range.partition == *partition));
        for range in ranges {
            let Some(blocks) = self.blocks.get_mut(&range.partition) else { continue };
            if blocks.last_key_value().is_some_and(|(_, block)| block.next > range.end) {
                // It is another topic than it was.
                blocks.clear();
            }
            *blocks = blocks.split_off(&block::number(range.low));
            if let Some((_, first)) = blocks.first_key_value()
                && first.from < range.low
            {
                // Some of its letters are gone, and nobody knows which were counted: it is counted anew.
                blocks.pop_first();
            }
        }
    }

    /// The partitions, as they were when last asked for.
    #[cfg(test)]
    pub(crate) fn ranges(&self) -> &[OffsetRange] {
        &self.ranges
    }

    /// What is to be looked through next; the newest that has not been. `None`: everything has.
    pub(crate) fn todo(&self) -> Option<Piece> {
        let next = |range: &OffsetRange| {
            let piece = pieces(*range).rev().find_map(|piece| self.missing(piece))?;
            Some((range.end - piece.until, piece))
        };
        self.ranges.iter().filter_map(next).min_by_key(|(distance, _)| *distance).map(|(_, piece)| piece)
    }

    /// What of a piece, which is within one block, is not in the index.
    fn missing(&self, piece: Piece) -> Option<Piece> {
        let next = self.block(piece).map_or(piece.from, |block| block.next);
        (next < piece.until).then_some(Piece { from: next, ..piece })
    }

    fn block(&self, piece: Piece) -> Option<&Block> {
        self.blocks.get(&piece.partition)?.get(&block::number(piece.from))
    }

    /// Takes into account what was read from the beginning of a piece that was to be looked through, up to `next`.
    pub(crate) fn add(&mut self, piece: Piece, next: i64, records: &[Stored]) {
        let number = block::number(piece.from);
        let Self { kinds, numbers, blocks, ranges, near } = self;
        let blocks = blocks.entry(piece.partition).or_default();
        let mut block = blocks.remove(&number).unwrap_or_else(|| Block::new(piece.from));
        // The same letter may have been written twice, one after the other.
        let mut near = near
            .take()
            .filter(|near| near.partition == piece.partition && near.number == number)
            .unwrap_or_else(|| {
                let beside = [number - 1, number + 1].into_iter().filter_map(|number| blocks.get(&number));
                let ids = beside.chain([&block]).flat_map(|block| block.exact().iter().copied()).collect();
                Near { partition: piece.partition, number, ids }
            });
        for letter in records.iter().filter_map(letter) {
            if block::short(&letter.id).is_some_and(|id| !near.ids.insert(id)) {
                continue;
            }
            let kind = kind_of(&letter);
            let kind = *numbers.entry(kind).or_insert_with_key(|kind| {
                kinds.push(kind.clone());
                KindNumber::try_from(kinds.len() - 1).unwrap_or(KindNumber::MAX)
            });
            block.add(kind, &letter, millis(&letter));
        }
        block.next = next;
        blocks.insert(number, block);
        self.near = Some(near);
        // Whatever stands beside these has been looked through: their ids take less room from now on.
        let end = ranges.iter().find(|range| range.partition == piece.partition).map_or(0, |range| range.end);
        for number in [number - 2, number + 2] {
            let is_full = |block: &&mut Block| block.next == (number + 1) * BLOCK && block.next < end;
            if next >= piece.until
                && let Some(block) = blocks.get_mut(&number).filter(is_full)
            {
                block.compress();
            }
        }
    }

    /// How much of the topic is in the index.
    pub(crate) fn progress(&self) -> Progress {
        let all = self.ranges.iter().map(|range| range.end - range.low).sum::<i64>();
        let blocks = self.blocks.values().flat_map(BTreeMap::values);
        let done = blocks.map(|block| block.next - block.from).sum::<i64>();
        Progress { done: u64::try_from(done).unwrap_or(0), all: u64::try_from(all).unwrap_or(0) }
    }

    /// Where in these ranges something may stand that is meant: pieces of one block each, in the order of their offsets.
    pub(crate) fn pieces(&self, filter: &Filter, ranges: &[OffsetRange]) -> Vec<Piece> {
        let pieces = ranges.iter().flat_map(|range| pieces(*range));
        pieces.filter(|piece| self.may_have(filter, *piece)).collect()
    }

    /// Whether in a piece, which is within one block, something may stand that is meant.
    pub(crate) fn may_have(&self, filter: &Filter, piece: Piece) -> bool {
        let Some(block) = self.block(piece).filter(|block| block.from <= piece.from && block.next >= piece.until)
        else {
            return true;
        };
        let of_times =
            block.counts.iter().filter(|(_, counted)| filter.fits_times(counted.first, counted.last) != Part::None);
        of_times.filter_map(|((kind, _), _)| self.kinds.get(*kind as usize)).any(|kind| filter.fits_kind(kind))
            && self.may_have_ids(filter, block)
    }

    fn may_have_ids(&self, filter: &Filter, block: &Block) -> bool {
        // An id that has no short form may be anywhere.
        filter.at_most().is_none() || filter.ids().any(|id| block::short(id).is_none_or(|id| block.may_have(id)))
    }

    /// Counts what is meant of what is in the index, and says which pieces of it have to be read for the rest: those at the
    /// edge of a time, or those that may have an id.
    pub(crate) fn count(&self, filter: &Filter, stats: &mut Stats) -> Vec<Piece> {
        let mut to_read = Vec::new();
        for (partition, blocks) in &self.blocks {
            for block in blocks.values() {
                if !self.count_block(filter, block, stats) {
                    to_read.push(Piece { partition: *partition, from: block.from, until: block.next });
                }
            }
        }
        to_read
    }

    /// False: it has to be read.
    fn count_block(&self, filter: &Filter, block: &Block, stats: &mut Stats) -> bool {
        let meant = block.counts.iter().filter_map(|((kind, hour), counted)| {
            let kind = self.kinds.get(*kind as usize).filter(|kind| filter.fits_kind(kind))?;
            let part = filter.fits_times(counted.first, counted.last);
            (part != Part::None).then_some((part, kind, *hour, *counted))
        });
        let meant: Vec<_> = meant.collect();
        let wants_ids = filter.at_most().is_some() && self.may_have_ids(filter, block);
        if !meant.is_empty() && (wants_ids || meant.iter().any(|(part, ..)| *part == Part::Some)) {
            return false;
        }
        if filter.at_most().is_none() {
            meant.into_iter().for_each(|(_, kind, hour, counted)| stats.merge(kind, hour, counted));
        }
        true
    }
}

/// A letter. Anybody may write to the topic.
pub(crate) fn letter(stored: &Stored) -> Option<DeadLetter> {
    stored
        .decode::<DeadLetter>()
        .inspect_err(|error| tracing::debug!(%error, "skipped a record that is not a dead letter"))
        .ok()
}

/// A range, cut into what is of one block each.
pub(crate) fn pieces(range: OffsetRange) -> impl DoubleEndedIterator<Item = Piece> {
    let OffsetRange { partition, low, end } = range;
    let last = if low < end { block::number(end - 1) + 1 } else { block::number(low) };
    (block::number(low)..last).map(move |number| Piece {
        partition,
        from: low.max(number * BLOCK),
        until: end.min((number + 1) * BLOCK),
    })
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
