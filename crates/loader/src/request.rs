//! A load request, checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::load::v1::LoadRequest;

use crate::decide::RequestRange;

/// A file of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Below the table's folder.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// Partition column and value.
    pub(crate) partition: BTreeMap<String, String>,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    /// Who the log is, as the records have it.
    pub(crate) log: Arc<str>,
    /// With prefix.
    pub(crate) topic: Arc<str>,
    pub(crate) topic_id: Arc<str>,
    pub(crate) partition: i32,
}

impl Origin {
    /// The application of a table's transactions.
    pub(crate) fn application(&self) -> Arc<str> {
        let Self { log, topic, topic_id, partition } = self;
        format!("weir/{log}/{topic}/{topic_id}/{partition}").into()
    }
}

/// A request that can be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) table: String,
    /// The application of the table's transactions: the partition that the rows came from.
    pub(crate) application: Arc<str>,
    /// That partition.
    pub(crate) origin: Origin,
    pub(crate) range: RequestRange,
    pub(crate) files: Vec<File>,
    pub(crate) offset_column: String,
    pub(crate) partition_columns: Vec<String>,
}

impl Request {
    /// Checks a message. What is wrong with it, for people.
    pub(crate) fn of(message: LoadRequest) -> Result<Self, String> {
        let LoadRequest { id, table, log, topic, topic_id, partition, from, to, .. } = &message;
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("its id {id:?} is not 32 hex digits"));
        }
        if !is_table(table) {
            return Err(format!("its table name {table:?} is not valid: use lowercase letters, digits and _"));
        }
        for (name, value) in [("log", log), ("topic", topic), ("topic_id", topic_id)] {
            if value.is_empty() {
                return Err(format!("its {name} is empty"));
            }
        }
        if *from < 0 || from >= to || *partition < 0 {
            return Err(format!("it covers {from} to {to} of partition {partition}, which is not a valid range"));
        }
        let origin = Origin {
            log: log.as_str().into(),
            topic: topic.as_str().into(),
            topic_id: topic_id.as_str().into(),
            partition: *partition,
        };
        let application = origin.application();
        let range = RequestRange { from: *from, to: *to };
        let columns = &message.partition_columns;
        let mut files = Vec::with_capacity(message.files.len());
        for file in message.files {
            if !is_path(&file.path) {
                return Err(format!("its file {:?} is not a path below the table's folder", file.path));
            }
            if file.rows == 0 {
                return Err(format!("its file {} has no rows", file.path));
            }
            let partition: BTreeMap<_, _> = file.partition_values.into_iter().collect();
            if columns.len() != partition.len() || !columns.iter().all(|column| partition.contains_key(column)) {
                return Err(format!(
                    "its file {} has values for the partition columns {:?}, and the request names {columns:?}",
                    file.path,
                    partition.keys().collect::<Vec<_>>()
                ));
            }
            files.push(File { path: file.path, bytes: file.size_bytes, rows: file.rows, partition });
        }
        if !files.is_empty() && message.offset_column.is_empty() {
            return Err("it names no offset column".to_owned());
        }
        Ok(Self {
            id: message.id,
            table: message.table,
            application,
            origin,
            range,
            files,
            offset_column: message.offset_column,
            partition_columns: message.partition_columns,
        })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// A name that is the same as a folder, in a URL and in SQL.
fn is_table(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && !name.starts_with('_') && name.len() <= 100 && name.bytes().all(known)
}

/// Stays below the folder, needs no encoding in the table's log, and is no file of the log itself.
fn is_path(path: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=/".contains(&byte);
    let part = |part: &str| !part.is_empty() && !part.starts_with(['.', '_']);
    path.len() <= 1000 && path.bytes().all(known) && path.split('/').all(part)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
