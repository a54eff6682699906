//! Which files are merged with which. Pure.

use std::collections::BTreeMap;

use crate::table::TableFile;

/// So many files of a day that has not ended and of about the same size become one.
const MANY: usize = 32;
/// Smaller files count as of one size.
const SMALLEST: u64 = 32 * 1024;
/// A file that is so many times as large as all others together is not written anew for them.
const MUCH_LARGER: u64 = 8;

/// A file that may be made part of a larger one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Small {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) partition: BTreeMap<String, String>,
}

impl Small {
    /// None: it is large enough, or not one of ours.
    pub(super) fn of(file: TableFile, target: u64) -> Option<Self> {
        let TableFile { path, bytes, rows, partition, deletions } = file;
        if bytes > target / 2 || deletions {
            return None;
        }
        let partition = partition.into_iter().map(|(column, value)| Some((column, value?))).collect::<Option<_>>()?;
        Some(Self { path, bytes, rows: rows?, partition })
    }

    /// Files of one size are at most eight times as large as each other.
    fn size(&self) -> u32 {
        (self.bytes / SMALLEST).checked_ilog2().unwrap_or(0) / 3
    }
}

/// Files of one partition each, at least two, together not much larger than `target`. `last_closed` is the last day that is
/// merged as a whole, as `2026-03-01`.
pub(super) fn groups<'a>(
    small: impl IntoIterator<Item = &'a Small>,
    target: u64,
    last_closed: &str,
) -> Vec<Vec<Small>> {
    let mut partitions: BTreeMap<&BTreeMap<String, String>, Vec<&Small>> = BTreeMap::new();
    for file in small {
        partitions.entry(&file.partition).or_default().push(file);
    }
    let mut all = Vec::new();
    for (partition, mut files) in partitions {
        files.sort_by(|a, b| (a.bytes, &a.path).cmp(&(b.bytes, &b.path)));
        if partition.get(lake::columns::DAY).is_some_and(|day| day.as_str() <= last_closed) {
            all.extend(filled(files, target).into_iter().map(worth));
            continue;
        }
        let mut sizes: BTreeMap<u32, Vec<&Small>> = BTreeMap::new();
        for file in files {
            sizes.entry(file.size()).or_default().push(file);
        }
        for alike in sizes.into_values() {
            let bytes: u64 = alike.iter().map(|file| file.bytes).sum();
            if alike.len() >= MANY || bytes >= target {
                all.extend(filled(alike, target));
            }
        }
    }
    all.retain(|group| group.len() > 1);
    all.into_iter().map(|group| group.into_iter().cloned().collect()).collect()
}

/// As many as there is room for in each.
fn filled(files: Vec<&Small>, target: u64) -> Vec<Vec<&Small>> {
    let (mut groups, mut group, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        if bytes + file.bytes > target && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
        bytes += file.bytes;
        group.push(file);
    }
    groups.push(group);
    groups
}

/// Without those, at the end, for which the others are not worth it.
fn worth(mut group: Vec<&Small>) -> Vec<&Small> {
    while let Some((largest, others)) = group.split_last() {
        let bytes: u64 = others.iter().map(|file| file.bytes).sum();
        if largest.bytes <= bytes.saturating_mul(MUCH_LARGER) {
            break;
        }
        group.pop();
    }
    group
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
