//! The log is put back from a copy, and the lake is not: an installation on the embedded log.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use weir_tests::python;

use crate::installation::{Installation, WITHIN};

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// How often each issue is in the table.
fn rows(table: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let (table, query) = (table.display().to_string(), "select id, count(*) as n from t group by id");
    let rows: Vec<BTreeMap<String, serde_json::Value>> =
        serde_json::from_str(&python::query_table(&table, query, &[])?)?;
    let row = |row: BTreeMap<String, serde_json::Value>| {
        let id = row.get("id").and_then(serde_json::Value::as_str).context("a row has no id")?;
        let times = row.get("n").and_then(serde_json::Value::as_u64).context("a count")?;
        Ok((id.to_owned(), times))
    };
    rows.into_iter().map(row).collect()
}

/// What was loaded before stays as it is; what is acknowledged afterwards has the offsets that others had, and is loaded;
/// and it is told until somebody says that it was looked at.
pub(crate) async fn log() -> anyhow::Result<()> {
    let mut own = Installation::start(|launch| launch).await?;
    let (log, kept) = (own.log(), own.log().with_file_name("kept"));
    own.found(&own.deliver(1..17).await?).await?;
    own.up.stop(WITHIN)?;
    copy(&log, &kept)?;
    own.up.restart()?;
    own.up.ready(WITHIN)?;
    own.found(&own.deliver(17..27).await?).await?;
    own.up.stop(WITHIN)?;
    let before = rows(&own.table())?;
    ensure!(before.len() == 26 && before.values().all(|times| *times == 1), "before: {before:?}");

    fs::remove_dir_all(&log)?;
    fs::rename(&kept, &log)?;
    own.up.restart()?;
    own.up.ready(WITHIN)?;
    let said = own.until_check("loader_held", "failing").await?;
    ensure!(said.contains("restored from a copy") && said.contains("loader.accept"), "{said}");
    // Fewer than were lost, and then more: the new ones stand where the old ones stood, and beyond.
    own.found(&own.deliver(27..32).await?).await?;
    own.found(&own.deliver(32..52).await?).await?;
    let after = rows(&own.table())?;
    ensure!(before.keys().all(|id| after.contains_key(id)), "rows that were loaded before are missing");
    ensure!(after.len() == 26 + 25 && after.values().all(|times| *times == 1), "after: {after:?}");
    let said = own.until_check("loader_held", "failing").await?;

    let epoch = said.split_once("belong to epoch ").and_then(|(_, rest)| rest.split_once(' '));
    let (epoch, _) = epoch.with_context(|| format!("it names no epoch: {said}"))?;
    own.up.stop(WITHIN)?;
    own.up.restart_with("WEIR__LOADER__ACCEPT", epoch)?;
    own.up.ready(WITHIN)?;
    own.until_check("loader_held", "ok").await?;
    own.up.stop(WITHIN)?;
    Ok(())
}
