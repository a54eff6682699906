//! Small files that go in with one commit become one file first: a partition has one for each flush of the enricher, and
//! the table would have as many. Those that were merged never get into the table, so its log need not remember them.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;

use crate::FileError;
use crate::footer::Footer;
use crate::request::File;
use crate::rewrite::{self, Input};
use crate::table::{Error, Table};

/// A larger file goes in as it is: what it takes to read it once more is not worth it.
const SMALL: u64 = 1 << 20;
/// As large as a merged file gets.
const MERGED: u64 = 32 << 20;

/// A file that is to go in.
#[derive(Debug, Clone)]
pub(super) struct Adding {
    /// Which request and which of its files it is.
    pub(super) from: (usize, usize),
    pub(super) file: File,
    pub(super) footer: Footer,
}

/// What goes in instead.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) files: Vec<(File, Footer)>,
    /// Files that nothing needs once those are in the table.
    pub(super) unneeded: Vec<Path>,
}

impl Merged {
    /// All as they are.
    pub(super) fn nothing(adding: Vec<Adding>) -> Self {
        let files = adding.into_iter().map(|adding| (adding.file, adding.footer)).collect();
        Self { files, unneeded: Vec::new() }
    }
}

/// Why it was not done.
pub(super) enum Failed {
    /// The store: all of it is tried again.
    Store(Error),
    /// One file of a request cannot be read.
    Bad { from: (usize, usize), problem: String },
}

/// Merges what is small, of one partition of the table and with the same columns. Tells what it writes also when it fails.
pub(super) async fn merge(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    adding: Vec<Adding>,
    made: &mut Vec<Path>,
) -> Result<Merged, Failed> {
    let mut done = Merged::default();
    for group in groups(adding) {
        let (Some(first), true) = (group.first(), group.len() > 1) else {
            done.files.extend(Merged::nothing(group).files);
            continue;
        };
        let folder = first.file.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let path = format!("{folder}{}.parquet", Uuid::new_v4());
        let to = table.path_of(&path);
        made.push(to.clone());
        match one(store, table, first, &group, path).await {
            Ok(merged) => {
                done.unneeded.extend(group.iter().map(|adding| table.path_of(&adding.file.path)));
                done.files.push(merged);
            }
            Err(error @ FileError::Store { doing: "reading", .. }) => {
                return Err(Failed::Store(Error::File { table: table.name.clone(), error }));
            }
            Err(error) => {
                if let Some(from) = culprit(table, &group, &error) {
                    return Err(Failed::Bad { from, problem: error.to_string() });
                }
                // No request is at fault that could be held for it, and the next try would end the same way. Nor has anything
                // to wait where the store does not take the merged file.
                tracing::warn!(table = table.name, %error, "merging small files failed, they go in as they are");
                done.unneeded.push(to);
                done.files.extend(Merged::nothing(group).files);
            }
        }
    }
    Ok(done)
}

/// Files that go into one, each group in the order of its files.
fn groups(adding: Vec<Adding>) -> Vec<Vec<Adding>> {
    let (mut groups, mut alone) = (Vec::<Vec<Adding>>::new(), Vec::new());
    let mut open: BTreeMap<BTreeMap<String, String>, Vec<usize>> = BTreeMap::new();
    for one in adding {
        if one.file.bytes > SMALL {
            alone.push(vec![one]);
            continue;
        }
        let open = open.entry(one.file.partition.clone()).or_default();
        let fits = |group: &Vec<Adding>| {
            let bytes: u64 = group.iter().map(|other| other.file.bytes).sum();
            let alike = group.iter().all(|other| other.footer.schema == one.footer.schema);
            alike && bytes + one.file.bytes <= MERGED
        };
        match open.iter().copied().find(|n| groups.get(*n).is_some_and(fits)).and_then(|n| groups.get_mut(n)) {
            Some(group) => group.push(one),
            None => {
                open.push(groups.len());
                groups.push(vec![one]);
            }
        }
    }
    groups.extend(alone);
    groups
}

async fn one(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    first: &Adding,
    group: &[Adding],
    path: String,
) -> Result<(File, Footer), FileError> {
    let input = |adding: &Adding| Input { path: table.path_of(&adding.file.path), bytes: adding.file.bytes };
    let inputs: Vec<Input> = group.iter().map(input).collect();
    let to = table.path_of(&path);
    let output = rewrite::write(store, &inputs, &first.footer.schema, &to, None).await?;
    let rows = output.footer.rows();
    let expected: u64 = group.iter().map(|adding| adding.footer.rows()).sum();
    if rows != expected {
        let problem = format!("the files that it merges have {rows} rows, and their requests {expected}");
        return Err(FileError::unwritable(&to, problem));
    }
    Ok((File { path, bytes: output.bytes, rows, partition: first.file.partition.clone() }, output.footer))
}

/// The file of a request that the merge failed on.
fn culprit(table: &Table, group: &[Adding], error: &FileError) -> Option<(usize, usize)> {
    let (FileError::Missing(path) | FileError::Unusable { path, .. }) = error else { return None };
    group.iter().find(|adding| table.path_of(&adding.file.path) == *path).map(|adding| adding.from)
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
