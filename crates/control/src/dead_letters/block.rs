//! What is known of some dead letters that stand side by side. Pure.

use std::collections::BTreeMap;

use common::deadletter::v1::DeadLetter;

use super::stats::{Counted, HOUR_MS};

/// So many offsets have one block.
pub(crate) const BLOCK: i64 = 4096;

/// For the ids of a block, 16 bits for each: one in two thousand that it does not have seems to be there.
const BITS: u64 = BLOCK as u64 * 16;
const HASHES: u64 = 8;

/// The number of a kind in the index.
pub(crate) type KindNumber = u32;

/// The letters at offsets from a multiple of [`BLOCK`] on.
#[derive(Debug)]
pub(crate) struct Block {
    /// What has been looked through.
    pub(crate) from: i64,
    pub(crate) next: i64,
    /// By kind and hour.
    pub(crate) counts: BTreeMap<(KindNumber, i64), Counted>,
    ids: Ids,
}

/// Which ids are in it.
#[derive(Debug)]
enum Ids {
    /// All, while letters that stand beside it are looked through: the same letter may be among them.
    Exact(Vec<u64>),
    /// A filter: what is not in it is not there.
    Filter(Box<[u64]>),
}

/// The number of the block of an offset.
pub(crate) fn number(offset: i64) -> i64 {
    offset.div_euclid(BLOCK)
}

/// An id in short. `None`: it is not one of ours, and is never taken for another.
pub(crate) fn short(id: &str) -> Option<u64> {
    let id = if id.len() == 32 { u128::from_str_radix(id, 16).ok()? } else { return None };
    Some(mixed((id >> 64) as u64 ^ mixed(id as u64)))
}

/// Anybody may write letters, whose ids need not be random.
fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn bits(short: u64) -> impl Iterator<Item = u64> {
    let step = mixed(short) | 1;
    (0..HASHES).map(move |n| short.wrapping_add(step.wrapping_mul(n)) % BITS)
}

impl Block {
    /// Nothing has been looked through yet.
    pub(crate) fn new(from: i64) -> Self {
        Self { from, next: from, counts: BTreeMap::new(), ids: Ids::Exact(Vec::new()) }
    }

    /// Takes a letter into account.
    pub(crate) fn add(&mut self, kind: KindNumber, letter: &DeadLetter, millis: i64) {
        self.counts
            .entry((kind, millis.div_euclid(HOUR_MS)))
            .or_insert_with(|| Counted::none(millis))
            .add(letter, millis);
        if let (Ids::Exact(ids), Some(id)) = (&mut self.ids, short(&letter.id)) {
            ids.push(id);
        }
    }

    /// Whether the letter of this id may be in it.
    pub(crate) fn may_have(&self, short: u64) -> bool {
        match &self.ids {
            Ids::Exact(ids) => ids.contains(&short),
            Ids::Filter(words) => {
                bits(short).all(|bit| words.get((bit / 64) as usize).is_some_and(|word| word >> (bit % 64) & 1 == 1))
            }
        }
    }

    /// All ids, while they are known.
    pub(crate) fn exact(&self) -> &[u64] {
        match &self.ids {
            Ids::Exact(ids) => ids,
            Ids::Filter(_) => &[],
        }
    }

    /// Nothing that stands beside it has yet to be looked through.
    pub(crate) fn compress(&mut self) {
        let Ids::Exact(ids) = &self.ids else { return };
        let mut words = vec![0_u64; (BITS / 64) as usize].into_boxed_slice();
        for bit in ids.iter().flat_map(|id| bits(*id)) {
            if let Some(word) = words.get_mut((bit / 64) as usize) {
                *word |= 1 << (bit % 64);
            }
        }
        self.ids = Ids::Filter(words);
    }
}

#[cfg(test)]
#[path = "block_tests.rs"]
mod tests;
