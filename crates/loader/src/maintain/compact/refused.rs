//! Files that cannot be merged. To try it again each time would read them for nothing, and say the same each time.

use std::collections::BTreeMap;

use common::few::few;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::{Compactor, Small};
use crate::FileError;

/// What is not merged: the file that is at fault, or a whole group where nobody can say which one is.
#[derive(Debug)]
pub(super) struct Refused {
    /// By their paths, as the table told of them.
    files: BTreeMap<String, Small>,
    /// The one at fault as the store had it then; none: it did not.
    at_fault: Option<(Path, Option<ObjectMeta>)>,
    problem: String,
}

impl Refused {
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }
}

impl Compactor {
    /// A group cannot be merged. Without the file that is at fault the others can be, the next time.
    pub(super) async fn refuse(&mut self, group: &[Small], error: FileError) {
        let at_fault = match &error {
            FileError::Missing(path) | FileError::Unusable { path, .. } => {
                group.iter().find(|file| self.table.path_of(&file.path) == *path).map(|file| (file, path.clone()))
            }
            _ => None,
        };
        let files = at_fault.as_ref().map_or(group, |(file, _)| std::slice::from_ref(*file));
        let files: BTreeMap<_, _> = files.iter().map(|file| (file.path.clone(), file.clone())).collect();
        let at_fault = match at_fault {
            Some((_, path)) => Some((path.clone(), self.table.store.head(&path).await.ok())),
            None => None,
        };
        let (table, count) = (&self.table.name, files.len());
        tracing::warn!(table, files = count, %error, "files cannot be merged and stay as they are until they change");
        self.refused.push(Refused { files, at_fault, problem: error.to_string() });
    }

    /// Forgets what was refused of files that are no longer there, or are other ones: somebody may have restored them.
    pub(super) async fn reconsider(&mut self) {
        for refused in std::mem::take(&mut self.refused) {
            let are_there = refused.files.iter().all(|(path, file)| self.small.get(path) == Some(file));
            let is_as_before = match &refused.at_fault {
                None => true,
                Some((path, before)) => match self.table.store.head(path).await {
                    Ok(now) => before.as_ref() == Some(&now),
                    Err(object_store::Error::NotFound { .. }) => before.is_none(),
                    // Nothing can be merged now.
                    Err(_) => true,
                },
            };
            if are_there && is_as_before {
                self.refused.push(refused);
            }
        }
    }

    /// What is not merged and why, for people; none: nothing.
    pub(crate) fn refused(&self) -> Option<String> {
        let files: usize = self.refused.iter().map(|refused| refused.files.len()).sum();
        let problems = few(self.refused.iter().map(|refused| &refused.problem), "; ");
        let table = &self.table.name;
        (files > 0)
            .then(|| format!("table {table}: {files} files are not merged with others until they change: {problems}"))
    }
}
