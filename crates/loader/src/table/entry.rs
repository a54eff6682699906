//! What one commit of a table's log says, as far as the loader has to know it.

use std::collections::BTreeMap;

use deltalake_core::kernel::{Add, LogicalFileView, Remove, Transaction};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableFile {
    /// Below the table's folder.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// None: its writer left no statistics.
    pub(crate) rows: Option<u64>,
    pub(crate) partition: BTreeMap<String, Option<String>>,
    /// Another engine has deleted some of its rows, and says so beside it.
    pub(crate) deletions: bool,
}

impl TableFile {
    /// The day of its rows, as `2026-03-01`; empty where it has none.
    pub(crate) fn day(&self) -> &str {
        self.partition.get(lake::columns::DAY).and_then(Option::as_deref).unwrap_or_default()
    }
}

impl From<LogicalFileView> for TableFile {
    fn from(file: LogicalFileView) -> Self {
        Self {
            path: file.path().into_owned(),
            bytes: u64::try_from(file.size()).unwrap_or(0),
            rows: file.stats().as_deref().and_then(rows),
            partition: file.partition_values_map().into_iter().collect(),
            deletions: file.deletion_vector_descriptor().is_some(),
        }
    }
}

impl From<Add> for TableFile {
    fn from(add: Add) -> Self {
        Self {
            path: add.path,
            bytes: u64::try_from(add.size).unwrap_or(0),
            rows: add.stats.as_deref().and_then(rows),
            partition: add.partition_values.into_iter().collect(),
            deletions: add.deletion_vector.is_some(),
        }
    }
}

fn rows(statistics: &str) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statistics {
        num_records: u64,
    }
    serde_json::from_str::<Statistics>(statistics).ok().map(|statistics| statistics.num_records)
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Added(TableFile),
    /// By its path.
    Removed(String),
}

impl Change {
    /// The path of a file that is gone.
    pub(crate) fn removed(self) -> Option<String> {
        match self {
            Self::Removed(path) => Some(path),
            Self::Added(_) => None,
        }
    }
}

/// What a commit says.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) transactions: Vec<Transaction>,
    pub(super) changes: Vec<Change>,
    /// It changes the columns, the settings or the protocol of the table.
    pub(super) redefines: bool,
}

/// One action. What is of no matter here is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    add: Option<Add>,
    remove: Option<Remove>,
    txn: Option<Transaction>,
    meta_data: Option<IgnoredAny>,
    protocol: Option<IgnoredAny>,
}

impl Entry {
    /// Reads the bytes of a commit. None: they are not what a commit should be.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut entry = Self::default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let line: Line = serde_json::from_slice(line).ok()?;
            entry.redefines |= line.meta_data.is_some() || line.protocol.is_some();
            entry.transactions.extend(line.txn);
            entry.changes.extend(line.remove.map(|remove| Change::Removed(remove.path)));
            entry.changes.extend(line.add.map(|add| Change::Added(add.into())));
        }
        Some(entry)
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
