//! How everything is written: the keys, which sort as they are to be read, and the values. Numbers are big-endian.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `records` | topic number `u32`, partition `u32`, offset `u64` | [`Content`], see [`record`] |
//! | `meta` | `format` | [`FORMAT`] |
//! | | `identity` | the log's UUID, 16 bytes |
//! | | `next` | the number of the next topic, `u32` |
//! | | `topic/` and the name | number `u32`, partitions `u32`, settings as pairs of texts |
//! | | `range/`, topic number `u32`, partition `u32` | the first offset and the one after the last, `i64` each |
//! | | `group/`, the group's name, a zero byte, topic number `u32`, partition `u32` | offset `i64`, metadata |
//! | | `mark/`, topic number `u32`, partition `u32`, an end that the partition had, `u64` | [`Mark`] |
//! | | `opened` | [`Seen`]: what stood beside the folder when the log was opened last |
//! | | `epoch/`, its number `u32` | [`Begun`]: id, number of the next topic, then topic, partition and end of each partition |
//! | | `time` | the time by which things are removed: [`timekeeper`](crate::timekeeper) |
//!
//! A text within a value has its length before it, as `u32`.

use std::collections::HashMap;

use bytes::Bytes;

use super::beside::Seen;
use crate::Headers;
use crate::content::Content;

/// The version of all of this. A log that was written by a later one is not opened.
pub(super) const FORMAT: u8 = 1;

pub(super) const FORMAT_KEY: &[u8] = b"format";
pub(super) const IDENTITY: &[u8] = b"identity";
pub(super) const NEXT_TOPIC: &[u8] = b"next";
pub(super) const TOPICS: &[u8] = b"topic/";
pub(super) const GROUPS: &[u8] = b"group/";
pub(super) const TIME: &[u8] = b"time";
pub(super) const OPENED: &[u8] = b"opened";
pub(super) const EPOCHS: &[u8] = b"epoch/";

/// Flags of a record: what it has.
const HAS_KEY: u8 = 1;
const HAS_PAYLOAD: u8 = 2;

/// The key of a record. Offsets are never below zero.
pub(super) fn record_key(topic: u32, partition: u32, offset: i64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&topic.to_be_bytes());
    key[4..8].copy_from_slice(&partition.to_be_bytes());
    key[8..].copy_from_slice(&offset.unsigned_abs().to_be_bytes());
    key
}

/// Topic, partition and offset of a record's key.
pub(super) fn place(key: &[u8]) -> Option<(u32, u32, i64)> {
    let (topic, rest) = key.split_first_chunk()?;
    let partition = rest.first_chunk()?;
    Some((u32::from_be_bytes(*topic), u32::from_be_bytes(*partition), offset(key)?))
}

/// The offset in a record's key.
pub(super) fn offset(key: &[u8]) -> Option<i64> {
    let offset = key.get(8..16)?;
    i64::try_from(u64::from_be_bytes(offset.try_into().ok()?)).ok()
}

pub(super) fn topic_key(name: &str) -> Vec<u8> {
    [TOPICS, name.as_bytes()].concat()
}

pub(super) fn range_key(topic: u32, partition: u32) -> Vec<u8> {
    [&b"range/"[..], &topic.to_be_bytes(), &partition.to_be_bytes()].concat()
}

pub(super) fn range(low: i64, end: i64) -> Vec<u8> {
    [low.to_be_bytes(), end.to_be_bytes()].concat()
}

pub(super) fn read_range(value: &[u8]) -> Option<(i64, i64)> {
    let mut rest = value;
    Some((i64::from_be_bytes(take(&mut rest)?), i64::from_be_bytes(take(&mut rest)?)))
}

/// Names hold no zero byte, so no group's name is the beginning of another key.
pub(super) fn group_key(group: &str, topic: u32, partition: u32) -> Vec<u8> {
    [GROUPS, group.as_bytes(), &[0], &topic.to_be_bytes(), &partition.to_be_bytes()].concat()
}

/// The keys of one group begin with this.
pub(super) fn group_prefix(group: &str) -> Vec<u8> {
    [GROUPS, group.as_bytes(), &[0]].concat()
}

/// The group's name, the topic's number and the partition.
pub(super) fn read_group_key(key: &[u8]) -> Option<(&str, u32, u32)> {
    let (rest, partition) = key.strip_prefix(GROUPS)?.split_last_chunk::<4>()?;
    let (rest, topic) = rest.split_last_chunk::<4>()?;
    let group = std::str::from_utf8(rest.strip_suffix(&[0])?).ok()?;
    Some((group, u32::from_be_bytes(*topic), u32::from_be_bytes(*partition)))
}

/// A moment of a partition: what was there then, and when that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Where the partition ended.
    pub(super) end: i64,
    /// Not later than this by the time to remove.
    pub(super) at: i64,
    /// No record that came since the mark before has a later time of its own. [`i64::MAX`]: not known.
    pub(super) newest: i64,
}

/// The keys of one partition's marks begin with this.
pub(super) fn mark_prefix(topic: u32, partition: u32) -> Vec<u8> {
    [&b"mark/"[..], &topic.to_be_bytes(), &partition.to_be_bytes()].concat()
}

pub(super) fn mark_key(topic: u32, partition: u32, end: i64) -> Vec<u8> {
    [&mark_prefix(topic, partition)[..], &end.unsigned_abs().to_be_bytes()].concat()
}

impl Mark {
    pub(super) fn write(self) -> Vec<u8> {
        [self.at.to_be_bytes(), self.newest.to_be_bytes()].concat()
    }

    pub(super) fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let end = i64::try_from(u64::from_be_bytes(*key.last_chunk::<8>()?)).ok()?;
        let mut rest = value;
        Some(Self { end, at: i64::from_be_bytes(take(&mut rest)?), newest: i64::from_be_bytes(take(&mut rest)?) })
    }
}

pub(super) fn opened(seen: Seen) -> Vec<u8> {
    [&seen.text[..], &seen.inode.to_be_bytes(), &seen.made.to_be_bytes()].concat()
}

/// An epoch, and where it begins.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) id: u32,
    /// Topics from this number on came into being later: all of them is of the epoch.
    pub(super) next_topic: u32,
    /// Where the partitions of the others ended.
    pub(super) ends: HashMap<(u32, u32), i64>,
}

impl Begun {
    /// Its first offset in a partition.
    pub(super) fn first(&self, topic: u32, partition: u32) -> i64 {
        if topic >= self.next_topic { 0 } else { self.ends.get(&(topic, partition)).copied().unwrap_or(0) }
    }
}

pub(super) fn epoch_key(number: u32) -> Vec<u8> {
    [EPOCHS, &number.to_be_bytes()].concat()
}

/// By topic and partition.
pub(super) fn epoch(begun: &Begun) -> Vec<u8> {
    let mut value = [begun.id.to_be_bytes(), begun.next_topic.to_be_bytes()].concat();
    let mut ends: Vec<_> = begun.ends.iter().collect();
    ends.sort_unstable();
    for ((topic, partition), end) in ends {
        value.extend(topic.to_be_bytes());
        value.extend(partition.to_be_bytes());
        value.extend(end.to_be_bytes());
    }
    value
}

pub(super) fn read_epoch(value: &[u8]) -> Option<Begun> {
    let mut rest = value;
    let (id, next_topic) = (u32::from_be_bytes(take(&mut rest)?), u32::from_be_bytes(take(&mut rest)?));
    let mut ends = HashMap::new();
    while !rest.is_empty() {
        let place = (u32::from_be_bytes(take(&mut rest)?), u32::from_be_bytes(take(&mut rest)?));
        ends.insert(place, i64::from_be_bytes(take(&mut rest)?));
    }
    Some(Begun { id, next_topic, ends })
}

pub(super) fn committed(offset: i64, metadata: &str) -> Vec<u8> {
    [&offset.to_be_bytes()[..], metadata.as_bytes()].concat()
}

pub(super) fn read_committed(value: &[u8]) -> Option<(i64, String)> {
    let mut rest = value;
    let offset = i64::from_be_bytes(take(&mut rest)?);
    Some((offset, String::from_utf8_lossy(rest).into_owned()))
}

/// A topic as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicRow {
    pub(super) number: u32,
    pub(super) partitions: u32,
    pub(super) config: Vec<(String, String)>,
}

impl TopicRow {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut value = [self.number.to_be_bytes(), self.partitions.to_be_bytes()].concat();
        for (key, setting) in &self.config {
            put(&mut value, key.as_bytes());
            put(&mut value, setting.as_bytes());
        }
        value
    }

    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut rest = value;
        let (number, partitions) = (u32::from_be_bytes(take(&mut rest)?), u32::from_be_bytes(take(&mut rest)?));
        let mut config = Vec::new();
        while !rest.is_empty() {
            config.push((text(&mut rest)?.to_owned(), text(&mut rest)?.to_owned()));
        }
        Some(Self { number, partitions, config })
    }
}

/// The value of a record: when it was produced in milliseconds `i64`, flags, key, headers (their number as `u16`, then
/// names and values), and the payload to the end. What it has not is left out.
///
/// The time is zero until [`stamp`] sets it.
pub(super) fn record(key: &[u8], headers: &[(&'static str, String)], payload: Option<&[u8]>) -> Vec<u8> {
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    let mut value = Vec::with_capacity(15 + key.len() + size + payload.map_or(0, <[u8]>::len));
    value.extend([0; 8]);
    let flags = if key.is_empty() { 0 } else { HAS_KEY } | if payload.is_some() { HAS_PAYLOAD } else { 0 };
    value.push(flags);
    if !key.is_empty() {
        put(&mut value, key);
    }
    value.extend(u16::try_from(headers.len()).unwrap_or(u16::MAX).to_be_bytes());
    for (name, header) in headers.iter().take(usize::from(u16::MAX)) {
        put(&mut value, name.as_bytes());
        put(&mut value, header.as_bytes());
    }
    value.extend(payload.unwrap_or_default());
    value
}

/// Sets when a record was produced.
pub(super) fn stamp(value: &mut [u8], millis: i64) {
    if let Some(time) = value.first_chunk_mut() {
        *time = millis.to_be_bytes();
    }
}

/// When a record was produced.
pub(super) fn produced_at(value: &[u8]) -> Option<i64> {
    value.first_chunk().map(|time| i64::from_be_bytes(*time))
}

/// None: the bytes are not a record's.
pub(super) fn read_record(value: &Bytes) -> Option<Content> {
    let mut rest = &value[..];
    let produced_at_ms = i64::from_be_bytes(take(&mut rest)?);
    let [flags] = take(&mut rest)?;
    let key = if flags & HAS_KEY == 0 { None } else { Some(value.slice_ref(part(&mut rest)?)) };
    let count = u16::from_be_bytes(take(&mut rest)?);
    let mut headers = Vec::with_capacity(usize::from(count).min(16));
    for _ in 0..count {
        headers.push((text(&mut rest)?, Some(part(&mut rest)?)));
    }
    let payload = (flags & HAS_PAYLOAD != 0).then(|| value.slice_ref(rest));
    Some(Content { key, payload, headers: Headers::read(headers), produced_at_ms })
}

/// The settings keep everything that is written here below 4 GiB.
fn put(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_be_bytes(take(rest)?)).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(part(rest)?).ok()
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
