//! The files: what is read from them, and what is known of them in memory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::keys::{self, TopicRow};
use crate::Error;
use crate::content::Content;

/// What is cached of the files.
const CACHE: u64 = 16 * 1024 * 1024;
/// What is written since is kept in memory, and read again at the next start, until there is so much of it.
const IN_MEMORY: u64 = 8 * 1024 * 1024;
/// The same for what is small and written often.
const FEW_IN_MEMORY: u64 = 4 * 1024 * 1024;
/// The least that the store lets journals grow to before it empties them.
const JOURNALS: u64 = 64 * 1024 * 1024;

/// The keyspaces of the log. Clones are one.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) folder: Arc<str>,
    pub(crate) database: Database,
    pub(super) records: Keyspace,
    pub(crate) meta: Keyspace,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A topic, and how far each of its partitions goes.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) row: TopicRow,
    /// The largest record it takes.
    pub(super) max_record_bytes: usize,
    pub(super) parts: Vec<Part>,
}

/// The offsets of a partition: what is there, and durable. Only the writer moves the end.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) low: AtomicI64,
    pub(super) end: AtomicI64,
    /// No record that came since the last mark has a later time. It moves with the end.
    pub(super) newest: Mutex<i64>,
    /// Where it ended when the log was opened.
    pub(super) opened: i64,
}

impl Topic {
    pub(super) fn new(name: Arc<str>, row: TopicRow, ranges: Vec<(i64, i64)>) -> Self {
        // What came before the log was opened is not known.
        let newest = |end| Mutex::new(if end == 0 { i64::MIN } else { i64::MAX });
        let part =
            |(low, end)| Part { low: AtomicI64::new(low), end: AtomicI64::new(end), newest: newest(end), opened: end };
        let limit = row.config.iter().find(|(key, _)| key == "max.message.bytes");
        let max_record_bytes = limit.and_then(|(_, value)| value.parse().ok()).unwrap_or(usize::MAX);
        Self { name, row, max_record_bytes, parts: ranges.into_iter().map(part).collect() }
    }

    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.row.config.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_compacted(&self) -> bool {
        self.setting("cleanup.policy") == Some("compact")
    }

    /// For how many milliseconds it keeps its records.
    pub(super) fn retention(&self) -> Option<i64> {
        let retention = || self.setting("retention.ms")?.parse().ok().filter(|ms| *ms >= 0);
        if self.is_compacted() { None } else { retention() }
    }

    /// None where there is no such partition.
    pub(super) fn range(&self, partition: i32) -> Option<(i64, i64)> {
        let part = self.parts.get(usize::try_from(partition).ok()?)?;
        // The end first: the start never passes it.
        let end = part.end.load(Ordering::Acquire);
        Some((part.low.load(Ordering::Acquire).min(end), end))
    }
}

/// All topics by their full names.
pub(super) type Topics = RwLock<HashMap<Arc<str>, Arc<Topic>>>;

/// Records of a partition in the order of their offsets, and the offset up to which there are no others.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) records: Vec<(i64, Content)>,
    pub(super) next: i64,
}

/// What a chunk may hold. One record it always may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// What an open log knows at its start.
pub(super) struct Opened {
    pub(super) files: Files,
    pub(super) uuid: String,
    pub(super) topics: HashMap<Arc<str>, Arc<Topic>>,
    pub(super) next_topic: u32,
}

fn database(folder: &Path) -> fjall::Result<Database> {
    Database::builder(folder)
        // One alone can wait for itself: it compacts, and the mailbox of what is to be done next is full.
        .worker_threads(2)
        .cache_size(CACHE)
        .max_journaling_size(JOURNALS)
        .manual_journal_persist(true)
        .open()
}

impl Files {
    /// Opens the folder, and makes the log where there is none. Blocks.
    pub(super) fn open(folder: &Path) -> Result<Opened, Error> {
        let shown: Arc<str> = folder.display().to_string().into();
        let failed = |error: fjall::Error| failed(&shown, &error);
        let database = match database(folder) {
            Ok(database) => database,
            Err(fjall::Error::Locked) => return Err(super::owner::held(folder)),
            // What was being written when the power was lost is in the way. The store passes over most of it by itself.
            Err(error @ fjall::Error::JournalRecovery(_)) => match super::repair::cut_what_is_torn(folder) {
                Ok(true) => database(folder).map_err(failed)?,
                Ok(false) => return Err(failed(error)),
                Err(io) => return Err(failed(io.into())),
            },
            Err(error) => return Err(failed(error)),
        };
        let with = |memory| move || KeyspaceCreateOptions::default().max_memtable_size(memory);
        let records = database.keyspace("records", with(IN_MEMORY)).map_err(failed)?;
        let meta = database.keyspace("meta", with(FEW_IN_MEMORY)).map_err(failed)?;
        let files = Self { folder: shown.clone(), database, records, meta };
        let uuid = files.identify()?;
        let ends = files.ends()?;
        let mut topics = HashMap::new();
        for entry in files.meta.prefix(keys::TOPICS) {
            let (key, value) = entry.into_inner().map_err(failed)?;
            let name = key.get(keys::TOPICS.len()..).and_then(|name| std::str::from_utf8(name).ok());
            let (Some(name), Some(row)) = (name, TopicRow::read(&value)) else {
                return Err(files.broken("a topic's entry is corrupt"));
            };
            let name: Arc<str> = name.into();
            let ranges = (0..row.partitions).map(|partition| files.range(row.number, partition, &ends));
            let ranges = ranges.collect::<Result<_, _>>()?;
            topics.insert(name.clone(), Arc::new(Topic::new(name, row, ranges)));
        }
        let next_topic = files.get(keys::NEXT_TOPIC)?.and_then(|value| Some(u32::from_be_bytes(*value.first_chunk()?)));
        Ok(Opened { files, uuid, topics, next_topic: next_topic.unwrap_or(0) })
    }

    /// The log's UUID, made at the first start.
    fn identify(&self) -> Result<String, Error> {
        let shown = |uuid: [u8; 16]| uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        match (self.get(keys::FORMAT_KEY)?.as_deref(), self.get(keys::IDENTITY)?.as_deref()) {
            (Some([keys::FORMAT]), Some(uuid)) => {
                Ok(shown(*uuid.first_chunk().ok_or_else(|| self.broken("its identity is corrupt"))?))
            }
            (None, None) => {
                let mut uuid = [0; 16];
                getrandom::fill(&mut uuid)
                    .map_err(|error| self.broken(&format!("the operating system returned no random number: {error}")))?;
                // Version 4, as the standard has it.
                uuid[6] = uuid[6] & 0x0f | 0x40;
                uuid[8] = uuid[8] & 0x3f | 0x80;
                let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
                batch.insert(&self.meta, keys::FORMAT_KEY, [keys::FORMAT]);
                batch.insert(&self.meta, keys::IDENTITY, uuid);
                batch.commit().map_err(|error| failed(&self.folder, &error))?;
                Ok(shown(uuid))
            }
            (Some([version]), _) => Err(self.broken(&format!(
                "it has format {version}, this version of weir supports {}: use the version that wrote it, or a later one",
                keys::FORMAT
            ))),
            _ => Err(self.broken("the folder does not contain a log of weir")),
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = self.meta.get(key).map_err(|error| failed(&self.folder, &error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Where each partition that has records ends, by topic and partition. From the last record on, partition by partition:
    /// most of some hundred partitions have none, and a start does not look for them.
    fn ends(&self) -> Result<HashMap<(u32, u32), i64>, Error> {
        let mut ends = HashMap::new();
        let mut last = self.records.iter().next_back();
        while let Some(entry) = last {
            let key = entry.key().map_err(|error| failed(&self.folder, &error))?;
            let place = keys::place(&key).ok_or_else(|| self.broken("the key of a record is corrupt"))?;
            let (topic, partition, offset) = place;
            ends.insert((topic, partition), offset + 1);
            last = self.records.range(..keys::record_key(topic, partition, 0)).next_back();
        }
        Ok(ends)
    }

    /// The first offset and the one after the last, as the files have it.
    fn range(&self, topic: u32, partition: u32, ends: &HashMap<(u32, u32), i64>) -> Result<(i64, i64), Error> {
        let stored = self.get(&keys::range_key(topic, partition))?;
        let (low, end) = stored.and_then(|value| keys::read_range(&value)).unwrap_or((0, 0));
        let last = ends.get(&(topic, partition)).copied().unwrap_or(0);
        let end = end.max(last).max(low);
        Ok((low, end))
    }

    /// The last record of a partition.
    pub(super) fn last(&self, topic: u32, partition: u32) -> Result<Option<(i64, Bytes)>, Error> {
        let (from, to) = (keys::record_key(topic, partition, 0), keys::record_key(topic, partition, i64::MAX));
        self.records.range(from..=to).next_back().map(|entry| self.entry(entry)).transpose()
    }

    pub(super) fn entry(&self, entry: fjall::Guard) -> Result<(i64, Bytes), Error> {
        let (key, value) = entry.into_inner().map_err(|error| failed(&self.folder, &error))?;
        let offset = keys::offset(&key).ok_or_else(|| self.broken("the key of a record is corrupt"))?;
        // Copied: what is borrowed of the files would keep the whole block in memory.
        Ok((offset, Bytes::copy_from_slice(&value)))
    }

    /// Records from an offset up to, and without, another. What is shown must be durable: `until` is at most the end.
    pub(super) fn read(
        &self,
        topic: &Topic,
        partition: i32,
        from: i64,
        until: i64,
        limit: Limit,
    ) -> Result<Chunk, Error> {
        let number = u32::try_from(partition).unwrap_or_default();
        let (start, end) =
            (keys::record_key(topic.row.number, number, from), keys::record_key(topic.row.number, number, until));
        let mut chunk = Chunk { records: Vec::new(), next: until };
        let mut bytes = 0;
        if from < until {
            for entry in self.records.range(start..end) {
                let (offset, value) = self.entry(entry)?;
                let content = keys::read_record(&value)
                    .ok_or_else(|| self.broken(&format!("record {offset} of {}/{partition} is corrupt", topic.name)))?;
                bytes += content.bytes();
                if !chunk.records.is_empty() && (bytes > limit.bytes || chunk.records.len() >= limit.records) {
                    chunk.next = offset;
                    break;
                }
                chunk.records.push((offset, content));
            }
        }
        // What was deleted meanwhile must not look like a gap. Nothing is deleted before the start has moved.
        match topic.range(partition) {
            Some((low, _)) if low <= from => Ok(chunk),
            range => {
                let (low, high) = range.unwrap_or_default();
                let (group, topic) = ("reader".into(), topic.name.clone());
                Err(Error::OutOfRange { group, topic, partition, offset: from, low, high })
            }
        }
    }

    /// Where a group stands, and the metadata that it committed.
    pub(super) fn committed(&self, group: &str, topic: &Topic, partition: i32) -> Result<Option<(i64, String)>, Error> {
        let number = u32::try_from(partition).unwrap_or_default();
        let Some(value) = self.get(&keys::group_key(group, topic.row.number, number))? else { return Ok(None) };
        keys::read_committed(&value).map(Some).ok_or_else(|| self.broken("a committed offset is corrupt"))
    }

    /// The oldest records from one offset to before another, so many of them.
    pub(super) fn before(
        &self,
        topic: &Topic,
        partition: u32,
        (from, before): (i64, i64),
        count: usize,
    ) -> Result<Vec<[u8; 16]>, Error> {
        let number = topic.row.number;
        if from >= before {
            return Ok(Vec::new());
        }
        let range = keys::record_key(number, partition, from)..keys::record_key(number, partition, before);
        let mut found = Vec::new();
        for entry in self.records.range(range).take(count) {
            let key = entry.key().map_err(|error| failed(&self.folder, &error))?;
            found.extend(<[u8; 16]>::try_from(&key[..]));
        }
        Ok(found)
    }

    pub(super) fn broken(&self, problem: &str) -> Error {
        Error::Log { folder: self.folder.clone(), reason: problem.into() }
    }
}

pub(super) fn failed(folder: &Arc<str>, error: &fjall::Error) -> Error {
    Error::Log { folder: folder.clone(), reason: error.to_string().into() }
}
