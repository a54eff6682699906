//! Two tables, row by row: which ids only one of them has, and in which columns the others differ.
//!
//! A day at a time, and of a day the rows whose id falls into one bucket at a time: what is held in memory does not
//! grow with the tables.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use deltalake_core::arrow::array::{Array, RecordBatch, TimestampMicrosecondArray};
use deltalake_core::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake_core::parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use futures_util::TryStreamExt as _;
use lake::{Lake, LakeSettings, columns};
use object_store::ObjectStore;

use crate::footer::{FileError, Footer};
use crate::instants::in_utc;
use crate::reader::FileReader;
use crate::rewrite::Input;
use crate::table::{Error, Table};

/// Rows of the old table that are held at once, about: their ids, and a number for each of their values.
const HELD: u64 = 50_000;
/// So many examples of each kind.
const SOME: usize = 5;

/// How two tables differ.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Rows of the old one that were looked at.
    pub old_rows: u64,
    /// Rows of the new one that were looked at.
    pub new_rows: u64,
    /// Rows with an id that only the old one has on that day.
    pub only_old: u64,
    /// Some of their ids.
    pub only_old_ids: Vec<String>,
    /// Rows with an id that only the new one has on that day.
    pub only_new: u64,
    /// Some of their ids.
    pub only_new_ids: Vec<String>,
    /// Rows that both have, and that differ.
    pub differ: u64,
    /// How many rows differ in each column.
    pub columns: BTreeMap<String, u64>,
    /// Some of the rows that differ: day, id, and the first column in which they do.
    pub examples: Vec<(String, String, String)>,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Microseconds since 1970 of `received_at`, half open: rows accepted at other times are left out.
    pub received: (i64, i64),
    /// Columns that are not compared.
    pub leave_out: &'a [&'a str],
}

/// A number for the value of each column that is not null.
type Row = BTreeMap<Arc<str>, u64>;

/// The files of a day.
type Days = BTreeMap<String, Vec<(Input, u64)>>;

/// Compares two tables of activities, by id.
///
/// # Errors
/// When one of them is not there, or cannot be read.
pub async fn compare(lake: &LakeSettings, old: &str, new: &str, scope: Scope<'_>) -> anyhow::Result<Comparison> {
    Ok(in_parts(&Lake::open(lake)?, old, new, scope, HELD).await?)
}

async fn in_parts(lake: &Lake, old: &str, new: &str, scope: Scope<'_>, held: u64) -> Result<Comparison, Error> {
    let (old_files, new_files) = (files(lake, old).await?, files(lake, new).await?);
    let store = lake.store();
    let mut found = Comparison::default();
    let days: BTreeSet<&String> = old_files.keys().chain(new_files.keys()).collect();
    for day in days {
        let none = Vec::new();
        let (before, after) = (old_files.get(day).unwrap_or(&none), new_files.get(day).unwrap_or(&none));
        let rows: u64 = before.iter().map(|(_, rows)| rows).sum();
        let buckets = rows.div_ceil(held).max(1);
        for bucket in 0..buckets {
            let mut known: HashMap<String, Row> = HashMap::new();
            for (file, _) in before {
                each(&store, file, scope, (bucket, buckets), |id, row| {
                    known.insert(id, row);
                    found.old_rows += 1;
                })
                .await
                .map_err(|error| Error::File { table: old.to_owned(), error })?;
            }
            for (file, _) in after {
                each(&store, file, scope, (bucket, buckets), |id, row| {
                    let before = known.remove(&id);
                    found.row(day, id, before, row);
                })
                .await
                .map_err(|error| Error::File { table: new.to_owned(), error })?;
            }
            found.only_old += known.len() as u64;
            let mut left: Vec<_> = known.into_keys().collect();
            left.sort_unstable();
            let room = SOME.saturating_sub(found.only_old_ids.len());
            found.only_old_ids.extend(left.into_iter().take(room));
        }
    }
    Ok(found)
}

impl Comparison {
    fn row(&mut self, day: &str, id: String, before: Option<Row>, after: Row) {
        self.new_rows += 1;
        let Some(before) = before else {
            self.only_new += 1;
            if self.only_new_ids.len() < SOME {
                self.only_new_ids.push(id);
            }
            return;
        };
        // A column that only one of them has is null in the other, and nulls have no entry.
        let names: BTreeSet<&Arc<str>> = before.keys().chain(after.keys()).collect();
        let mut first = None;
        for name in names {
            if before.get(name) != after.get(name) {
                *self.columns.entry(name.to_string()).or_default() += 1;
                first.get_or_insert_with(|| name.to_string());
            }
        }
        if let Some(column) = first {
            self.differ += 1;
            if self.examples.len() < SOME {
                self.examples.push((day.to_owned(), id, column));
            }
        }
    }
}

async fn files(lake: &Lake, name: &str) -> Result<Days, Error> {
    let table = Table::open(lake, name).await?;
    let mut days = Days::new();
    for file in table.files().await? {
        let input = Input { path: table.path_of(&file.path), bytes: file.bytes };
        let rows = match file.rows {
            Some(rows) => rows,
            // Another writer left no statistics.
            None => Footer::read(&lake.store(), &input.path, file.bytes)
                .await
                .map_err(|error| Error::File { table: name.to_owned(), error })?
                .rows(),
        };
        days.entry(file.day().to_owned()).or_default().push((input, rows));
    }
    Ok(days)
}

/// Each row of a file that is in scope and in the bucket, with its id.
async fn each(
    store: &Arc<dyn ObjectStore>,
    file: &Input,
    scope: Scope<'_>,
    bucket: (u64, u64),
    mut see: impl FnMut(String, Row),
) -> Result<(), FileError> {
    let failed = |error| FileError::parquet(&file.path, error);
    let reader = FileReader::new(store, &file.path, file.bytes);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
    let mut batches = builder.build().map_err(failed)?;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        rows(&batch, scope, bucket, &mut see).map_err(|problem| FileError::unusable(&file.path, problem))?;
    }
    Ok(())
}

fn rows(
    batch: &RecordBatch,
    scope: Scope<'_>,
    (bucket, buckets): (u64, u64),
    see: &mut impl FnMut(String, Row),
) -> Result<(), String> {
    let batch = in_utc(batch).map_err(|error| error.to_string())?;
    let schema = batch.schema();
    let options = FormatOptions::default();
    let (mut ids, mut values) = (None, Vec::new());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name();
        if name == columns::ID {
            ids = Some(ArrayFormatter::try_new(array.as_ref(), &options).map_err(|error| error.to_string())?);
        // The day stands in the table's log; some engines write it into files too.
        } else if name != columns::DAY && !scope.leave_out.contains(&name.as_str()) {
            let shown = ArrayFormatter::try_new(array.as_ref(), &options).map_err(|error| error.to_string())?;
            values.push((Arc::<str>::from(name.as_str()), array, shown));
        }
    }
    let ids = ids.ok_or_else(|| format!("it has no column {}", columns::ID))?;
    let received = batch.column_by_name(columns::RECEIVED_AT);
    let received = received.and_then(|array| array.as_any().downcast_ref::<TimestampMicrosecondArray>());
    for row in 0..batch.num_rows() {
        let at = received.filter(|received| received.is_valid(row)).map(|received| received.value(row));
        if at.is_some_and(|at| at < scope.received.0 || at >= scope.received.1) {
            continue;
        }
        let id = ids.value(row).to_string();
        if hash(&id) % buckets != bucket {
            continue;
        }
        let filled = values.iter().filter(|(_, array, _)| array.is_valid(row));
        let row = filled.map(|(name, _, values)| (name.clone(), hash(&values.value(row).to_string()))).collect();
        see(id, row);
    }
    Ok(())
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
