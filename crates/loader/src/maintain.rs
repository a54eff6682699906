//! What keeps a table in good order: few large files, and none that nobody needs.

use anyhow::Context as _;
use lake::{Lake, LakeSettings};

use crate::table::{Error, Table};

pub mod compact;
pub(crate) mod log;
pub mod vacuum;

pub use compact::{Compacted, compact};
pub use vacuum::{Vacuumed, vacuum};

/// The tables of a lake, in their order.
///
/// # Errors
/// When the store cannot be read.
pub async fn tables(lake: &LakeSettings) -> anyhow::Result<Vec<String>> {
    listed(&Lake::open(lake)?).await
}

pub(crate) async fn listed(lake: &Lake) -> anyhow::Result<Vec<String>> {
    let folders = lake.store().list_with_delimiter(None).await;
    let folders = folders.with_context(|| format!("cannot list {}", lake.root()))?;
    let mut tables = Vec::new();
    for folder in folders.common_prefixes {
        let Some(name) = folder.filename().filter(|name| !name.starts_with(['.', '_'])) else { continue };
        match Table::open(lake, name).await {
            Ok(_) => tables.push(name.to_owned()),
            // A folder of something else.
            Err(Error::NoTable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    tables.sort_unstable();
    Ok(tables)
}
