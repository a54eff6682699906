//! What a look-up answered, for a while. Pure: time is a parameter.

use std::collections::HashMap;
use std::time::Duration;

use super::Attributes;

/// What it may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct CacheLimits {
    /// Keys.
    pub entries: usize,
    /// Bytes of keys and answers.
    pub bytes: usize,
    /// How long what is known stays.
    pub ttl: Duration,
    /// How long it stays that a key is not known.
    pub negative_ttl: Duration,
}

type Key = Vec<String>;

#[derive(Debug)]
struct Entry {
    answer: Option<Attributes>,
    until: Duration,
    bytes: usize,
}

/// Two generations: what is used moves to the young one; when that holds half of what may be held, the old one is
/// thrown away and the young one grows old. So what was used lately stays, and no list has to be kept in order.
#[derive(Debug)]
pub struct Cache {
    limits: CacheLimits,
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
    young_bytes: usize,
}

impl Cache {
    /// An empty one.
    pub fn new(limits: CacheLimits) -> Self {
        Self { limits, young: HashMap::new(), old: HashMap::new(), young_bytes: 0 }
    }

    /// What is known of a key: nothing, or an answer, which may be that the key is not known.
    pub fn get(&mut self, key: &Key, now: Duration) -> Option<Option<Attributes>> {
        if let Some(entry) = self.young.get(key) {
            return (now < entry.until).then(|| entry.answer.clone());
        }
        let (key, entry) = self.old.remove_entry(key)?;
        if now >= entry.until {
            return None;
        }
        let answer = entry.answer.clone();
        self.insert(key, entry);
        Some(answer)
    }

    /// Takes in an answer.
    pub fn put(&mut self, key: Key, answer: Option<Attributes>, now: Duration) {
        let ttl = if answer.is_some() { self.limits.ttl } else { self.limits.negative_ttl };
        if ttl.is_zero() || self.limits.entries == 0 {
            return;
        }
        let bytes = key.iter().map(String::len).sum::<usize>()
            + answer.iter().flat_map(|found| found.iter()).map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.old.remove(&key);
        self.insert(key, Entry { answer, until: now.saturating_add(ttl), bytes });
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        if let Some(before) = self.young.remove(&key) {
            self.young_bytes -= before.bytes;
        }
        let half = self.limits.entries.div_ceil(2);
        if self.young.len() >= half || self.young_bytes + entry.bytes > self.limits.bytes / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += entry.bytes;
        self.young.insert(key, entry);
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
