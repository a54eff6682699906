//! What is to be committed: files, versions, and the columns that the table needs for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deltalake_core::kernel::{Action, Transaction};
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::{Value, json};

use super::Loading;
use super::merge::{Adding, Failed, Merged, merge};
use crate::clock::now_ms;
use crate::decide::Decision;
use crate::files::{FileCheck, add, trim};
use crate::footer::FileError;
use crate::schema;
use crate::table::{Commit, Error};

/// What goes into the table of one request.
pub(super) struct Part {
    pub(super) n: usize,
    pub(super) rows: u64,
    pub(super) already: u64,
}

/// A commit that is ready to be tried.
pub(super) struct Plan {
    pub(super) commit: Commit,
    pub(super) parts: Vec<Part>,
    pub(super) received: Option<(i64, i64)>,
    /// Files that were written for this commit.
    pub(super) made: Vec<Path>,
    /// Files whose place they take, and that the table may have all the same.
    pub(super) replaced: Vec<Path>,
    /// Files that are not part of the table: those that were merged.
    pub(super) unneeded: Vec<Path>,
}

/// What there is to commit.
pub(super) enum Planned {
    Nothing,
    Ready(Box<Plan>),
    Bad(Bad),
}

/// A file that turned out to be of no use when its rows were read.
pub(super) struct Bad {
    pub(super) n: usize,
    pub(super) number: usize,
    pub(super) problem: String,
}

impl Loading {
    /// Makes the commit. Where it comes to nothing, what was written for it is removed.
    pub(super) async fn plan(&self, decisions: &[Decision], store: &Arc<dyn ObjectStore>) -> Result<Planned, Error> {
        let mut made = Vec::new();
        match self.plan_with(decisions, store, &mut made).await {
            Ok(Planned::Ready(mut plan)) => {
                plan.made = made;
                Ok(Planned::Ready(plan))
            }
            planned => {
                self.remove(store, made).await;
                planned
            }
        }
    }

    async fn plan_with(
        &self,
        decisions: &[Decision],
        store: &Arc<dyn ObjectStore>,
        made: &mut Vec<Path>,
    ) -> Result<Planned, Error> {
        let mut adding = Vec::new();
        let (mut parts, mut replaced) = (Vec::new(), Vec::new());
        let (mut versions, mut requests) = (BTreeMap::new(), Vec::new());
        let (mut schemas, mut received) = (Vec::new(), None);
        for (n, (waiting, decision)) in self.queue.iter().zip(decisions).enumerate() {
            let below = match decision {
                Decision::Commit => i64::MIN,
                Decision::Trim { below } => *below,
                _ => continue,
            };
            let request = &waiting.request;
            let mut part = Part { n, rows: 0, already: 0 };
            let FileCheck::Usable(files) = &waiting.check else { continue };
            for (number, footer) in files {
                let file = &request.files[*number];
                let path = self.table.path_of(&file.path);
                let Some(bounds) = footer.bounds(&request.offset_column) else { continue };
                let (file, footer) = if bounds.min >= below {
                    (file.clone(), footer.clone())
                } else if bounds.max < below {
                    part.already += footer.rows();
                    replaced.push(path);
                    continue;
                } else {
                    let trimmed = trim(store, &self.table, file, footer, (&request.offset_column, below)).await;
                    let (trimmed, end) = match trimmed {
                        Ok(trimmed) => trimmed,
                        Err(error @ FileError::Store { .. }) => {
                            return Err(Error::File { table: self.table.name.clone(), error });
                        }
                        Err(error) => {
                            let problem = match &error {
                                FileError::Unwritable { .. } => format!(
                                    "file {path} cannot be written without the rows that are loaded already: {error}"
                                ),
                                _ => error.to_string(),
                            };
                            return Ok(Planned::Bad(Bad { n, number: *number, problem }));
                        }
                    };
                    part.already += footer.rows() - end.rows();
                    made.push(self.table.path_of(&trimmed.path));
                    replaced.push(path);
                    (trimmed, end)
                };
                part.rows += footer.rows();
                if let Some(bounds) = footer.bounds(lake::columns::RECEIVED_AT) {
                    let (min, max) = received.unwrap_or((bounds.min, bounds.max));
                    received = Some((bounds.min.min(min), bounds.max.max(max)));
                }
                schemas.push(Arc::clone(&footer.schema));
                adding.push(Adding { from: (n, *number), file, footer });
            }
            let version = versions.entry(Arc::clone(&request.application)).or_insert(request.range.to);
            *version = request.range.to.max(*version);
            requests.push(json!(request.id));
            parts.push(part);
        }
        if parts.is_empty() {
            return Ok(Planned::Nothing);
        }
        let merged = match self.merges {
            true => merge(store, &self.table, adding, made).await,
            false => Ok(Merged::nothing(adding)),
        };
        let Merged { files: adding, unneeded } = match merged {
            Ok(merged) => merged,
            Err(Failed::Store(error)) => return Err(error),
            Err(Failed::Bad { from: (n, number), problem }) => return Ok(Planned::Bad(Bad { n, number, problem })),
        };
        let misfit = |problem: String| Error::Unsupported { table: self.table.name.clone(), problem };
        let files = schemas.iter().map(Arc::as_ref);
        let mut partitions = self.queue[parts[0].n].request.partition_columns.clone();
        let (mut actions, columns) = if self.table.version().is_some() {
            partitions = self.table.partition_columns()?;
            let columns = self.table.snapshot()?.schema();
            match schema::grown(&columns, &partitions, files).map_err(misfit)? {
                Some(grown) => (vec![self.table.growing(&grown)?], grown),
                None => (Vec::new(), columns.as_ref().clone()),
            }
        } else {
            let with_files =
                parts.iter().map(|part| &self.queue[part.n].request).find(|request| !request.files.is_empty());
            partitions = with_files.map_or(partitions, |request| request.partition_columns.clone());
            let columns = schema::first(&partitions, files).map_err(misfit)?;
            (self.table.creating(&columns, &partitions)?, columns)
        };
        let columns = || schema::in_files(&columns, &partitions);
        actions.extend(adding.iter().map(|(file, footer)| Action::Add(add(file, footer, columns()))));
        let now = now_ms();
        let transactions = versions.iter().map(|(application, version)| {
            Action::Txn(Transaction::new_with_last_update(application, *version, Some(now)))
        });
        actions.extend(transactions);
        let mut commit = Commit::append(actions, &partitions);
        commit.info = HashMap::from([("weirRequests".to_owned(), Value::Array(requests))]);
        Ok(Planned::Ready(Box::new(Plan { commit, parts, received, made: Vec::new(), replaced, unneeded })))
    }
}
