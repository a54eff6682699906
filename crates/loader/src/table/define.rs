//! What makes a table, and what changes its columns.

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::{Action, Metadata, MetadataExt as _, Protocol, StructType, new_metadata};
use serde_json::json;

use super::{Error, FORMAT_SETTING, SKIPPED_BY, Table};
use crate::schema;

/// How long the log remembers removed files: [`LONGEST_RETENTION`](crate::maintain::vacuum::LONGEST_RETENTION).
const KEEPS_REMOVED: &str = "interval 30 days";

impl Table {
    /// The actions that make the table, before its first files.
    pub(crate) fn creating(&self, columns: &StructType, partition_columns: &[String]) -> Result<Vec<Action>, Error> {
        let protocol: Protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))
            .map_err(|error| self.error(DeltaTableError::generic(error.to_string())))?;
        let skipped_by = schema::skipped_by(columns, partition_columns).join(",");
        let settings = [
            ("delta.deletedFileRetentionDuration".to_owned(), KEEPS_REMOVED.to_owned()),
            (SKIPPED_BY.to_owned(), skipped_by),
            (FORMAT_SETTING.to_owned(), lake::columns::FORMAT.to_string()),
        ];
        let metadata = new_metadata(columns, partition_columns, settings).map_err(|error| self.error(error))?;
        Ok(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
    }

    /// The action that gives the table these columns.
    pub(crate) fn growing(&self, columns: &StructType) -> Result<Action, Error> {
        let metadata: Metadata = self.snapshot()?.metadata().clone();
        metadata.with_schema(columns).map(Action::Metadata).map_err(|error| self.error(error))
    }
}
