use std::fs::{self, File};

use deltalake_core::kernel::{Action, DataType, StructField, StructType, Transaction};

use super::*;
use crate::table::{Commit, Outcome};

const DAY_MS: i64 = 24 * 3_600_000;

#[test]
fn the_log_and_what_is_hidden_is_no_data() {
    let root = Path::from("activities");
    let data = |path: &str| is_data(&root, &Path::from(path));
    assert!(data("activities/day=2026-03-01/a.parquet"));
    assert!(!data("activities/_delta_log/00000000000000000010.checkpoint.parquet"));
    assert!(!data("activities/.staging/a.parquet"));
    assert!(!data("activities/day=2026-03-01/notes.txt"));
    assert!(!data("other/day=2026-03-01/a.parquet"));
}

async fn commit(table: &Table, actions: Vec<Action>) {
    let (_, outcome) = table.commit(&Commit::append(actions, &[]), Duration::from_secs(60)).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
}

/// A table without rows, and files beside it that were written so many days ago.
async fn table(folder: &std::path::Path, days: &[u64]) -> Lake {
    let mut file: toml::Table = toml::from_str(lake::DEFAULTS).unwrap();
    let mut settings: LakeSettings = file.remove("lake").unwrap().try_into().unwrap();
    settings.root = folder.display().to_string();
    let lake = Lake::open(&settings).unwrap();
    let table = Table::new(&lake, "t").unwrap();
    let schema = StructType::try_new([StructField::nullable("id", DataType::STRING)]).unwrap();
    commit(&table, table.creating(&schema, &[]).unwrap()).await;
    fs::create_dir_all(folder.join("t/day=2026-03-01")).unwrap();
    for age in days {
        let file = File::create(folder.join(format!("t/day=2026-03-01/{age}.parquet"))).unwrap();
        file.set_modified(service::clock::now() - Duration::from_secs(age * 24 * 3600)).unwrap();
    }
    lake
}

async fn deleted(lake: &Lake, now_ms: i64) -> Vec<String> {
    let none = BTreeSet::new();
    let done = run(lake, "t", SHORTEST_RETENTION, &none, now_ms, true).await.unwrap();
    let mut names: Vec<String> = done.files.iter().map(|file| file.rsplit('/').next().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_clock_that_is_ahead_makes_nothing_old() {
    let folder = tempfile::tempdir().unwrap();
    let lake = table(folder.path(), &[0, 7, 9, 30]).await;
    let now = now_ms();
    assert_eq!(deleted(&lake, now).await, ["30.parquet", "9.parquet"]);
    for days in [1, 40, 4000] {
        assert_eq!(deleted(&lake, now + days * DAY_MS).await, ["30.parquet", "9.parquet"], "{days} days ahead");
    }
    assert_eq!(deleted(&lake, now - 10 * DAY_MS).await, ["30.parquet"], "one that is behind makes less old");
    assert_eq!(deleted(&lake, now - 4000 * DAY_MS).await, [""; 0]);
}

#[tokio::test]
async fn nor_do_commits_that_were_made_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let lake = table(folder.path(), &[0, 9]).await;
    let mut table = Table::open(&lake, "t").await.unwrap();
    for version in 1..=30 {
        let application = Transaction::new("application", version);
        commit(&table, vec![Action::Txn(application)]).await;
        table.refresh().await.unwrap();
        let path = folder.path().join(format!("t/_delta_log/{version:020}.json"));
        let ahead = service::clock::now() + Duration::from_secs(40 * 24 * 3600);
        File::options().write(true).open(path).unwrap().set_modified(ahead).unwrap();
    }
    assert_eq!(deleted(&lake, now_ms() + 40 * DAY_MS).await, ["9.parquet"]);
}

#[tokio::test]
async fn where_nothing_was_committed_nothing_gets_old() {
    let folder = tempfile::tempdir().unwrap();
    let lake = table(folder.path(), &[0, 9, 30]).await;
    let commit =
        File::options().write(true).open(folder.path().join("t/_delta_log/00000000000000000000.json")).unwrap();
    commit.set_modified(service::clock::now() - Duration::from_secs(20 * 24 * 3600)).unwrap();
    assert_eq!(deleted(&lake, now_ms()).await, ["30.parquet"]);
}
