use deltalake_core::kernel::Remove;
use object_store::ObjectStoreExt as _;
use serde_json::json;

use super::*;
use crate::CompactSettings;
use crate::maintain::compact::Compactor;
use crate::maintain::made::{commit, file, said, said_before, table};

const DAY: &str = "2026-03-01";

fn told(said: &Value) -> Vec<&str> {
    let mut columns: Vec<&str> = said["minValues"].as_object().unwrap().keys().map(String::as_str).collect();
    columns.sort_unstable();
    columns
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_is_named_only_when_every_file_tells_of_it() {
    let (lake, mut table) = table(true).await;
    let ours = file(&table, DAY, 1, false, said_before(1)).await;
    let theirs = file(&table, DAY, 2, true, said_before(2)).await;
    commit(&mut table, vec![Action::Add(ours.clone()), Action::Add(theirs.clone())]).await;
    assert!(complete(&mut table).await.unwrap());
    assert_eq!(table.setting(SKIPPED_BY).unwrap(), Some("id,weir_offset"));
    let said = said(&table).await;
    assert_eq!(told(&said[&ours.path]), ["id", "received_at", "weir_offset"]);
    assert_eq!(told(&said[&theirs.path]), ["id", "weir_offset"], "no times are told of such a file");

    // Whether it is asked again, it changes nothing.
    let version = table.version();
    let never = CompactSettings { interval_ms: 0, after_ms: u64::MAX, target_bytes: 1 << 28 };
    let mut compactor = Compactor::open(&lake, "t", &never).await.unwrap();
    for _ in 0..2 {
        compactor.run(crate::clock::now_ms()).await.unwrap();
    }
    table.refresh().await.unwrap();
    assert_eq!(table.version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_has_said_of_a_file_stays() {
    let (_lake, mut table) = table(true).await;
    let mut before = said_before(1);
    let at = json!("2026-03-01T00:00:00.000Z");
    (before["minValues"]["received_at"], before["maxValues"]["received_at"]) = (at.clone(), at.clone());
    before["nullCount"]["received_at"] = json!(0);
    before["tightBounds"] = json!(true);
    let theirs = file(&table, DAY, 1, true, before).await;
    commit(&mut table, vec![Action::Add(theirs.clone())]).await;
    assert!(complete(&mut table).await.unwrap());
    let said = said(&table).await.remove(&theirs.path).unwrap();
    assert_eq!(told(&said), ["id", "received_at", "weir_offset"]);
    assert_eq!((&said["maxValues"]["received_at"], &said["tightBounds"]), (&at, &json!(true)));
    assert_eq!(table.setting(SKIPPED_BY).unwrap(), Some("id,received_at,weir_offset"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_keeps_nobody_from_telling_of_the_others() {
    let (_lake, mut table) = table(true).await;
    let (there, gone) =
        (file(&table, DAY, 1, false, said_before(1)).await, file(&table, DAY, 2, false, said_before(2)).await);
    table.store.delete(&table.path_of(&gone.path)).await.unwrap();
    commit(&mut table, vec![Action::Add(there.clone()), Action::Add(gone.clone())]).await;
    assert!(complete(&mut table).await.unwrap());
    let said = said(&table).await;
    assert_eq!(told(&said[&there.path]), ["id", "received_at", "weir_offset"]);
    assert_eq!(said[&gone.path], said_before(2));
    assert_eq!(table.setting(SKIPPED_BY).unwrap(), Some("weir_offset"), "that it tells of all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_are_told_of_in_several_commits() {
    let (_lake, mut table) = table(true).await;
    let many = i64::try_from(AT_ONCE).unwrap() * 2 + 1;
    let mut adds = Vec::new();
    for n in 0..many {
        adds.push(Action::Add(file(&table, DAY, n, false, said_before(n)).await));
    }
    commit(&mut table, adds).await;
    let before = table.version().unwrap();
    assert!(complete(&mut table).await.unwrap());
    assert_eq!(table.version().unwrap() - before, 3 + 1, "and one that names the columns");
    let said = said(&table).await;
    assert_eq!(said.len(), AT_ONCE * 2 + 1);
    assert!(said.values().all(|said| told(said) == ["id", "received_at", "weir_offset"]), "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_meanwhile_does_not_come_back() {
    let (lake, mut table) = table(true).await;
    let (kept, removed) =
        (file(&table, DAY, 1, false, said_before(1)).await, file(&table, DAY, 2, false, said_before(2)).await);
    commit(&mut table, vec![Action::Add(kept.clone()), Action::Add(removed.clone())]).await;
    let mut pass = Pass { told: wanted(&table).unwrap(), gone: BTreeSet::new(), completed: 0 };
    // By somebody else, of whom this one does not know yet.
    let mut other = Table::open(&lake, "t").await.unwrap();
    let remove = Remove { path: removed.path, ..Remove::default() };
    commit(&mut other, vec![Action::Remove(remove)]).await;
    assert!(pass.run(&mut table).await.unwrap());
    let said = said(&table).await;
    assert_eq!(said.keys().collect::<Vec<_>>(), [&kept.path]);
    assert_eq!(told(&said[&kept.path]), ["id", "received_at", "weir_offset"]);
}
