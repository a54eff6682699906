//! Statistics of files that were added before all of them were written.
//!
//! Engines pass over files by what the table's log says of them, and some take a column of which it says nothing for one
//! without values. So a table names the columns of which every file tells its smallest and largest value, and no other is
//! passed over by. Where it does not name all of them yet, its files are told of first: each once, without reading its rows.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use deltalake_core::kernel::{Action, Add, MetadataExt as _};
use deltalake_core::protocol::DeltaOperation;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::footer::Footer;
use crate::schema;
use crate::table::{Commit, Error, News, Outcome, SKIPPED_BY, Table};

/// So many files are told of in one commit.
const AT_ONCE: usize = 200;
/// Ends of files that are read at once.
const READS: usize = 8;
/// Others commit as well: after so many in a row it is left for the next run.
const ATTEMPTS: usize = 50;
const LIMIT: Duration = Duration::from_secs(60);

/// Whether the table does not yet name all columns that it could.
pub(crate) fn are_due(table: &Table) -> Result<bool, Error> {
    Ok(table.setting(SKIPPED_BY)? != Some(wanted(table)?.join(",").as_str()))
}

fn wanted(table: &Table) -> Result<Vec<String>, Error> {
    Ok(schema::skipped_by(&table.snapshot()?.schema(), &table.partition_columns()?))
}

/// Completes the statistics of a table's files, and names the columns. How many files had lacked some.
pub(crate) async fn complete(table: &mut Table) -> Result<usize, Error> {
    let mut completed = 0;
    for _ in 0..ATTEMPTS {
        let wanted = wanted(table)?;
        let lacking: Vec<Add> =
            table.adds().await?.into_iter().filter(|add| !is_complete(add.stats.as_deref(), &wanted)).collect();
        let mut done = true;
        for some in lacking.chunks(AT_ONCE) {
            let adds = anew(table, some).await?;
            let paths = adds.iter().map(|add| add.path.clone()).collect();
            let mut commit = Commit::new(
                adds.into_iter().map(Action::Add).collect(),
                DeltaOperation::Optimize { predicate: None, target_size: 0 },
            );
            commit.info.insert("weirStatistics".to_owned(), json!(some.len()));
            if !commit_with(table, &commit, &paths).await? {
                done = false;
                break;
            }
            completed += some.len();
        }
        if done && name(table, &wanted).await? {
            tracing::info!(table = table.name, files = completed, "statistics completed");
            return Ok(completed);
        }
    }
    Ok(completed)
}

/// Names the columns in the table's settings. False: somebody else committed first.
async fn name(table: &mut Table, wanted: &[String]) -> Result<bool, Error> {
    let names = wanted.join(",");
    let metadata = table.snapshot()?.metadata().clone();
    let metadata = metadata.add_config_key(SKIPPED_BY.to_owned(), names.clone()).map_err(|error| table.error(error))?;
    let properties = HashMap::from([(SKIPPED_BY.to_owned(), names)]);
    let commit = Commit::new(vec![Action::Metadata(metadata)], DeltaOperation::SetTableProperties { properties });
    let (version, outcome) = table.commit(&commit, LIMIT).await?;
    let ours = matches!(outcome, Outcome::Committed) || table.is_ours(version, &commit).await?;
    table.refresh().await?;
    Ok(ours)
}

/// The same files, with what they say of themselves.
async fn anew(table: &Table, adds: &[Add]) -> Result<Vec<Add>, Error> {
    let (schema, partitions) = (table.snapshot()?.schema(), table.partition_columns()?);
    let columns: Vec<&str> = schema::in_files(&schema, &partitions).collect();
    let reads = adds.iter().map(|add| async {
        let bytes = u64::try_from(add.size).unwrap_or(0);
        let footer = Footer::read(&table.store, &table.path_of(&add.path), bytes).await;
        let footer = footer.map_err(|error| Error::File { table: table.name.clone(), error })?;
        let stats = Some(footer.statistics(columns.iter().copied()));
        Ok(Add { stats, data_change: false, ..add.clone() })
    });
    stream::iter(reads.collect::<Vec<_>>()).buffered(READS).try_collect().await
}

/// Commits as long as all these files are in the table. False: one was replaced.
async fn commit_with(table: &mut Table, commit: &Commit, paths: &BTreeSet<String>) -> Result<bool, Error> {
    for _ in 0..ATTEMPTS {
        let (version, outcome) = table.commit(commit, LIMIT).await?;
        let ours = matches!(outcome, Outcome::Committed) || table.is_ours(version, commit).await?;
        let news = table.refresh().await?;
        if ours {
            return Ok(true);
        }
        // What was removed must not come back.
        let News::Since(changes) = news else { return Ok(false) };
        if changes.iter().any(|change| change.removes(paths)) {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Whether the statistics tell of all these columns.
fn is_complete(statistics: Option<&str>, columns: &[String]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statistics {
        num_records: u64,
        #[serde(default)]
        min_values: Map<String, Value>,
        #[serde(default)]
        max_values: Map<String, Value>,
        #[serde(default)]
        null_count: Map<String, Value>,
    }
    let Some(Ok(told)) = statistics.map(serde_json::from_str::<Statistics>) else { return false };
    columns.iter().all(|column| match told.null_count.get(column).and_then(Value::as_u64) {
        None => false,
        Some(nulls) if nulls == told.num_records => true,
        Some(_) => told.min_values.contains_key(column) && told.max_values.contains_key(column),
    })
}
