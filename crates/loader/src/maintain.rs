//! What keeps a table in good order: few large files, and none that nobody needs.

use anyhow::Context as _;
use lake::{Lake, LakeSettings};

use crate::table::{Error, Table};

pub mod compact;
pub(crate) mod format;
pub(crate) mod log;
pub(crate) mod statistics;
pub mod vacuum;

pub use compact::{Compacted, compact};
pub use format::upgrade;
pub use vacuum::{Vacuumed, vacuum};

/// The tables of a lake, in their order.
///
/// # Errors
/// When the store cannot be read.
pub async fn tables(lake: &LakeSettings) -> anyhow::Result<Vec<String>> {
    let lake = Lake::open(lake)?;
    let mut tables = Vec::new();
    for name in folders(&lake).await? {
        match Table::open(&lake, &name).await {
            Ok(_) => tables.push(name),
            // A folder of something else.
            Err(Error::NoTable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(tables)
}

/// What may be tables, in their order.
pub(crate) async fn folders(lake: &Lake) -> anyhow::Result<Vec<String>> {
    let folders = lake.store().list_with_delimiter(None).await;
    let folders = folders.with_context(|| format!("cannot list {}", lake.root()))?.common_prefixes;
    let mut names: Vec<String> = folders
        .iter()
        .filter_map(|folder| folder.filename())
        .filter(|name| !name.starts_with(['.', '_']))
        .map(ToOwned::to_owned)
        .collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
#[path = "maintain/cost_tests.rs"]
mod cost_tests;
#[cfg(test)]
mod made;
