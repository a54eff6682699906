//! How much a table has, from its log and not from its rows.

use std::collections::BTreeMap;

use lake::{Lake, LakeSettings};

use crate::footer::Footer;
use crate::table::{Error, Table};

/// How much a table has.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Count {
    /// Rows.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// The table's version.
    pub version: u64,
    /// Rows of each day, in their order.
    pub days: Vec<(String, u64)>,
}

/// Counts the rows of a table.
///
/// # Errors
/// When there is no such table, or it cannot be read.
pub async fn count(lake: &LakeSettings, table: &str) -> anyhow::Result<Count> {
    let lake = Lake::open(lake)?;
    Ok(of(&lake, table).await?)
}

async fn of(lake: &Lake, name: &str) -> Result<Count, Error> {
    let table = Table::open(lake, name).await?;
    let mut count = Count { version: table.version().unwrap_or(0), ..Count::default() };
    let mut days: BTreeMap<String, u64> = BTreeMap::new();
    for file in table.files().await? {
        let rows = match file.rows {
            Some(rows) => rows,
            // Another writer left no statistics.
            None => {
                let footer = Footer::read(&lake.store(), &table.path_of(&file.path), file.bytes).await;
                footer.map_err(|error| Error::File { table: name.to_owned(), error })?.rows()
            }
        };
        count.rows += rows;
        count.files += 1;
        *days.entry(file.day().to_owned()).or_default() += rows;
    }
    count.days = days.into_iter().collect();
    Ok(count)
}
