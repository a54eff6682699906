//! The format of a table: what its columns are where an earlier version had them otherwise.
//!
//! A table keeps the format that it was made in, and is loaded as before. An operator brings it to the present one: its
//! partitions stand in the log as texts in any format, so no file is written for that.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::time::Duration;

use deltalake_core::kernel::{Action, DataType, MetadataExt as _, StructField, StructType};
use deltalake_core::protocol::DeltaOperation;
use lake::columns::{DAY, FORMAT, PARTITION_COLUMNS, WEIR_OFFSET};
use lake::{Lake, LakeSettings};

use crate::schema;
use crate::table::{Commit, Error, FORMAT_SETTING, Outcome, Table};

/// Others commit as well: after so many in a row it is given up.
const ATTEMPTS: usize = 50;
const LIMIT: Duration = Duration::from_secs(60);

/// Whether Weir has made the table. What lies beside its tables is left to its owner.
pub(crate) fn is_ours(table: &Table) -> Result<bool, Error> {
    if table.setting(FORMAT_SETTING)?.is_some() {
        return Ok(true);
    }
    // The first format has no setting.
    let has_offsets = table.snapshot()?.schema().field(WEIR_OFFSET).is_some();
    Ok(has_offsets && table.partition_columns()? == PARTITION_COLUMNS)
}

/// What an operator has to know of a table of an earlier format.
pub(crate) fn told(table: &Table) -> Result<Option<String>, Error> {
    let is_text = table.snapshot()?.schema().field(DAY).is_some_and(|day| day.data_type() == &DataType::STRING);
    let is_text = is_text && is_ours(table)?;
    let name = &table.name;
    Ok(is_text.then(|| {
        format!(
            "table {name} has format 1, in which {DAY} is a text, and is loaded as before. To make it a date, stop \
             queries that compare it with a text, and run: weir job upgrade --table {name}"
        )
    }))
}

/// Brings a table to the present format, in one commit that changes no file. Whether it had an earlier one.
///
/// # Errors
/// When there is no such table, it cannot be written, or one of its days is none.
pub async fn upgrade(lake: &LakeSettings, table: &str) -> anyhow::Result<bool> {
    let lake = Lake::open(lake)?;
    let mut table = Table::open(&lake, table).await?;
    for _ in 0..ATTEMPTS {
        if told(&table)?.is_none() {
            return Ok(false);
        }
        for file in table.files().await? {
            let day = file.day();
            let is_day = day.is_empty() || prost_types::Timestamp::from_str(&format!("{day}T00:00:00Z")).is_ok();
            anyhow::ensure!(
                is_day,
                "table {} stays as it is: file {} has {DAY} {day:?}, which is not a date. Another program has written it: \
                 remove its rows first",
                table.name,
                file.path
            );
        }
        if commit(&mut table).await? {
            return Ok(true);
        }
    }
    anyhow::bail!("table {} stays as it is: others commit to it all the time; run it again", table.name)
}

/// False: somebody else committed first.
async fn commit(table: &mut Table) -> Result<bool, Error> {
    let fields = table.snapshot()?.schema();
    let fields = fields.fields().map(|field| match field.name() == DAY {
        true => StructField::nullable(DAY, schema::partition_type(DAY)),
        false => field.clone(),
    });
    let columns = StructType::try_new(fields).map_err(|error| table.error(error))?;
    let metadata = table.snapshot()?.metadata().clone();
    let metadata = metadata.with_schema(&columns).map_err(|error| table.error(error))?;
    let metadata =
        metadata.add_config_key(FORMAT_SETTING.to_owned(), FORMAT.to_string()).map_err(|error| table.error(error))?;
    let properties = HashMap::from([(FORMAT_SETTING.to_owned(), FORMAT.to_string())]);
    let commit = Commit::new(vec![Action::Metadata(metadata)], DeltaOperation::SetTableProperties { properties });
    let (version, outcome) = table.commit(&commit, LIMIT).await?;
    let ours = matches!(outcome, Outcome::Committed) || table.is_ours(version, &commit).await?;
    table.refresh().await?;
    Ok(ours)
}
