//! Reference data: a file with a row for each key, read again when it changes.

mod table;

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use common::activity::v1::{Activity, StepFailure};

use super::Found;
use crate::fields::{self, Field};
use crate::settings::{ReferenceSettings, StepSettings};
use table::{Columns, Table, TableLimits};

/// A set of reference data of the settings.
#[derive(Debug)]
pub struct Reference {
    path: PathBuf,
    key: Vec<Field>,
    columns: Columns,
    limits: TableLimits,
    data: ArcSwapOption<Table>,
    seen: Mutex<Seen>,
}

/// What a file looks like from outside: another one is another file. Size and time of change are what whoever writes it
/// may set (`rsync -t`, `tar`, a build that is the same each time); the number of the file and the time at which the
/// system last noted a change of it are not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    bytes: u64,
    modified: Option<SystemTime>,
    file: (u64, u64),
    noted: (i64, i64),
}

#[derive(Debug, Default)]
struct Seen {
    /// The file that was read last, whether or not it could be used.
    look: Option<Look>,
    /// What is wrong with it.
    broken: Option<String>,
}

impl Reference {
    /// Nothing is read yet.
    pub fn new(step: &StepSettings, settings: &ReferenceSettings) -> Self {
        let columns = if step.columns.is_empty() { &step.key } else { &step.columns };
        Self {
            path: step.path.clone().unwrap_or_default(),
            key: step.fields(),
            columns: Columns { key: columns.clone(), attributes: step.attributes.clone() },
            limits: TableLimits {
                bytes: settings.max_bytes,
                rows: settings.max_rows,
                attributes: settings.max_attributes,
                attribute_bytes: settings.max_attribute_bytes,
            },
            data: ArcSwapOption::empty(),
            seen: Mutex::default(),
        }
    }

    /// What is known about each activity.
    pub fn find(&self, activities: &[Option<&Activity>]) -> Vec<Found> {
        let Some(table) = self.data.load_full() else {
            return vec![Found::Failed(StepFailure::NoData); activities.len()];
        };
        let find = |activity: &Option<&Activity>| {
            let row = activity.and_then(|activity| fields::key(&self.key, activity)).and_then(|key| table.get(&key));
            row.map_or(Found::Nothing, Found::Attributes)
        };
        activities.iter().map(find).collect()
    }

    /// Reads the file if it is another than the last time. One that cannot be used leaves what is known as it is.
    pub async fn look(self: &Arc<Self>) {
        let reading = Arc::clone(self);
        if let Err(error) = tokio::task::spawn_blocking(move || reading.look_now()).await {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).broken =
                Some(format!("reading {} failed: {error}", self.path.display()));
        }
    }

    fn look_now(&self) {
        let path = self.path.display();
        let look = match self.look_from_outside() {
            Ok(look) => look,
            Err(error) => return self.broken(None, format!("{path} cannot be read: {error}")),
        };
        if self.seen.lock().unwrap_or_else(PoisonError::into_inner).look.as_ref() == Some(&look) {
            return;
        }
        match table::read(&self.path, &self.columns, &self.limits) {
            // One that is being written is read again at the next look.
            Ok(_) if self.look_from_outside().ok().as_ref() != Some(&look) => {
                self.broken(
                    None,
                    format!("{path} changed while it was read: write a new file and rename it to this one"),
                );
            }
            Ok(table) => {
                tracing::info!(%path, rows = table.len(), "reference data read");
                self.data.store(Some(Arc::new(table)));
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { look: Some(look), broken: None };
            }
            Err(problem) => self.broken(Some(look), format!("{path} cannot be used: {problem}")),
        }
    }

    fn broken(&self, look: Option<Look>, why: String) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen { look, broken: Some(why) };
    }

    fn look_from_outside(&self) -> std::io::Result<Look> {
        let file = std::fs::metadata(&self.path)?;
        Ok(Look {
            bytes: file.len(),
            modified: file.modified().ok(),
            file: (file.dev(), file.ino()),
            noted: (file.ctime(), file.ctime_nsec()),
        })
    }

    /// What it is like: a message, and where something is wrong whether it has failed or only may.
    pub fn health(&self) -> Result<String, (String, bool)> {
        let broken = self.seen.lock().unwrap_or_else(PoisonError::into_inner).broken.clone();
        match (broken, self.data.load().as_ref()) {
            (Some(why), None) => Err((why, true)),
            (Some(why), Some(table)) => Err((format!("{why}; the {} rows read before are used", table.len()), false)),
            (None, Some(table)) => Ok(format!("{} rows", table.len())),
            (None, None) => Err(("not read yet".to_owned(), true)),
        }
    }
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
