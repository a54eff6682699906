use deltalake_core::kernel::{Action, DataType, StructField, StructType, Transaction};
use proptest::prelude::*;

use super::*;
use crate::table::{Commit, Outcome};

const HOUR: i64 = 3_600_000;

fn entry(version: u64, kind: &str, modified_ms: i64) -> Entry {
    let object = ObjectMeta {
        location: Path::from(format!("t/_delta_log/{version:020}.{kind}")),
        last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
        size: 1,
        e_tag: None,
        version: None,
    };
    Entry { modified_ms, ..Entry::of(object).unwrap() }
}

/// A log of so many commits, one in two seconds, with a checkpoint every 50.
fn log(commits: u64) -> Vec<Entry> {
    let at = |version: u64| i64::try_from(version).unwrap() * 2000;
    let mut entries: Vec<Entry> = (0..commits).map(|version| entry(version, "json", at(version))).collect();
    entries.extend((50..commits).step_by(50).map(|version| entry(version, "checkpoint.parquet", at(version))));
    entries
}

/// What is left, by version.
fn left(entries: &[Entry], gone: &[Path]) -> Vec<u64> {
    let left = entries.iter().filter(|entry| entry.commit && !gone.contains(&entry.path));
    left.map(|entry| entry.version).collect()
}

#[test]
fn names_tell_what_a_file_is() {
    let of = |name: &str| {
        let location = Path::from(format!("t/_delta_log/{name}"));
        let last_modified = std::time::SystemTime::UNIX_EPOCH.into();
        let entry = Entry::of(ObjectMeta { location, last_modified, size: 1, e_tag: None, version: None })?;
        Some((entry.version, entry.commit, entry.checkpoint))
    };
    assert_eq!(of("00000000000000000042.json"), Some((42, true, false)));
    assert_eq!(of("00000000000000000042.crc"), Some((42, false, false)));
    assert_eq!(of("00000000000000000042.checkpoint.parquet"), Some((42, false, true)));
    // One in parts may not be whole: it goes, and is nothing to begin at.
    assert_eq!(of("00000000000000000042.checkpoint.0000000001.0000000002.parquet"), Some((42, false, false)));
    for other in ["_last_checkpoint", "0042.json", "0000000000000000004x.json", "00000000000000000042.txt", "x.json"] {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn so_many_commits_are_kept_and_all_behind_the_checkpoint_before_them() {
    let entries = log(20_000);
    let gone = gone(entries.clone(), 5000);
    assert_eq!(left(&entries, &gone), (14_950..20_000).collect::<Vec<_>>());
    assert!(!gone.contains(&entry(14_950, "checkpoint.parquet", 0).path), "there reading begins");
    assert!(gone.contains(&entry(14_900, "checkpoint.parquet", 0).path));
}

#[test]
fn nothing_goes_without_a_checkpoint_or_while_there_are_few() {
    assert_eq!(gone(log(5000), 5000), []);
    let commits: Vec<Entry> = log(9000).into_iter().filter(|entry| entry.commit).collect();
    assert_eq!(gone(commits, 10), []);
    assert_eq!(gone(Vec::new(), 10), []);
}

#[test]
fn what_was_committed_within_the_hour_stays_however_much_it_is() {
    let entries = log(20_000);
    // Two seconds each: 1800 in an hour.
    assert_eq!(left(&entries, &gone(entries.clone(), 10)), (18_200..20_000).collect::<Vec<_>>());
}

#[test]
fn a_clock_that_is_ahead_for_a_minute_removes_no_more_than_the_count_says() {
    let mut entries = log(6000);
    for entry in entries.iter_mut().filter(|entry| (5970..5999).contains(&entry.version)) {
        entry.modified_ms += 40 * 24 * HOUR;
    }
    assert_eq!(left(&entries, &gone(entries.clone(), 5000)), (950..6000).collect::<Vec<_>>());
    // Nor does one that is ahead when the newest is written, or behind.
    for jump in [40 * 24 * HOUR, -40 * 24 * HOUR] {
        let mut entries = log(6000);
        entries.iter_mut().filter(|entry| entry.version == 5999).for_each(|entry| entry.modified_ms += jump);
        assert!(left(&entries, &gone(entries.clone(), 5000)).ends_with(&(950..6000).collect::<Vec<_>>()));
    }
}

#[test]
fn a_month_of_commits_leaves_some_thousand_files() {
    // 43,200 a day. Day by day: what was removed the day before is not there.
    let mut entries: Vec<Entry> = Vec::new();
    for version in 0..30 * 43_200_u64 {
        let at = i64::try_from(version).unwrap() * 2000;
        entries.push(entry(version, "json", at));
        if version % 50 == 0 {
            entries.push(entry(version, "checkpoint.parquet", at));
        }
        if version % 4320 == 0 {
            let gone: std::collections::BTreeSet<Path> = gone(entries.clone(), 5000).into_iter().collect();
            entries.retain(|entry| !gone.contains(&entry.path));
            assert!(entries.len() < 9600, "{} files", entries.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_whole_without_what_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake_in(folder.path());
    let mut table = Table::new(&lake, "t").unwrap();
    let schema = StructType::try_new([StructField::nullable("id", DataType::STRING)]).unwrap();
    let mut actions = table.creating(&schema, &[]).unwrap();
    for version in 0..30_i64 {
        // One application that is seen at the beginning only, and one that goes on.
        let name = if version < 3 { "early" } else { "late" };
        actions.push(Action::Txn(Transaction::new(name, version)));
        commit(&mut table, std::mem::take(&mut actions)).await;
        let path = folder.path().join(format!("t/_delta_log/{version:020}.json"));
        let hours = std::time::Duration::from_secs(7200 * u64::try_from(30 - version).unwrap());
        let commit = std::fs::File::options().write(true).open(path).unwrap();
        commit.set_modified(service::clock::now() - hours).unwrap();
        if version % 10 == 9 {
            checkpoint(&table, 12).await.unwrap();
        }
    }
    assert_eq!(commits(folder.path()), names(9..30));
    for table in [&mut table, &mut Table::open(&lake, "t").await.unwrap()] {
        table.refresh().await.unwrap();
        assert_eq!(table.version(), Some(29));
        assert_eq!(table.application("early").await.unwrap(), Some(2));
        assert_eq!(table.application("late").await.unwrap(), Some(29));
    }
}

/// Fifty commits, and what each took.
async fn milliseconds(table: &mut Table) -> f64 {
    let started = std::time::Instant::now();
    for n in 0..50 {
        table.refresh().await.unwrap();
        commit(table, vec![Action::Txn(Transaction::new("a", n))]).await;
    }
    started.elapsed().as_secs_f64() * 1000.0 / 50.0
}

/// A table of so many commits, two hours old. Nobody reads what lies behind a checkpoint, so they are empty.
async fn with_old_commits(folder: &std::path::Path, lake: &lake::Lake, old: u64) -> Table {
    let mut table = Table::new(lake, "t").unwrap();
    let schema = StructType::try_new([StructField::nullable("id", DataType::STRING)]).unwrap();
    let first = table.creating(&schema, &[]).unwrap();
    commit(&mut table, first).await;
    checkpoint(&table, u64::MAX).await.unwrap();
    let log = folder.join("t/_delta_log");
    let name = |version: u64, kind: &str| log.join(format!("{version:020}.{kind}"));
    std::fs::copy(name(0, "json"), name(old, "json")).unwrap();
    std::fs::copy(name(0, "checkpoint.parquet"), name(old, "checkpoint.parquet")).unwrap();
    let last = std::fs::read_to_string(log.join("_last_checkpoint")).unwrap();
    let last = last.replace("\"version\":0", &format!("\"version\":{old}"));
    std::fs::write(log.join("_last_checkpoint"), last).unwrap();
    let modified = service::clock::now() - std::time::Duration::from_secs(7200);
    for version in 1..old {
        std::fs::File::create(name(version, "json")).unwrap();
    }
    for entry in std::fs::read_dir(&log).unwrap() {
        let file = std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(modified).unwrap();
    }
    let table = Table::open(lake, "t").await.unwrap();
    assert_eq!(table.version(), Some(old));
    table
}

/// The names of the commits in a table's log.
fn commits(folder: &std::path::Path) -> Vec<String> {
    let names = std::fs::read_dir(folder.join("t/_delta_log")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut commits: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    commits.sort();
    commits
}

fn names(versions: impl Iterator<Item = u64>) -> Vec<String> {
    versions.map(|version| format!("{version:020}.json")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_old_commits_go_with_the_next_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let lake = lake_in(folder.path());
    let mut table = with_old_commits(folder.path(), &lake, 21_000).await;
    for n in 0..12 {
        commit(&mut table, vec![Action::Txn(Transaction::new("a", n))]).await;
    }
    checkpoint(&table, 10).await.unwrap();
    // The first checkpoint is one of the files that went.
    assert_eq!(commits(folder.path()), names(19_999..=21_012), "as many as go at once");
    checkpoint(&table, 10).await.unwrap();
    assert_eq!(commits(folder.path()), names(21_000..=21_012));
    let mut table = Table::open(&lake, "t").await.unwrap();
    assert_eq!((table.version(), table.application("a").await.unwrap()), (Some(21_012), Some(11)));
}

/// `cargo test --workspace --lib -- --ignored --nocapture what_a_commit_takes`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints what commits take; half a minute"]
async fn what_a_commit_takes_among_old_ones() {
    for old in [100, 5000, 50_000, 200_000] {
        let folder = tempfile::tempdir().unwrap();
        let mut table = with_old_commits(folder.path(), &lake_in(folder.path()), old).await;
        println!("{old} old commits: {:.1} ms each", milliseconds(&mut table).await);
    }
}

fn lake_in(folder: &std::path::Path) -> lake::Lake {
    let mut file: toml::Table = toml::from_str(lake::DEFAULTS).unwrap();
    let mut settings: lake::LakeSettings = file.remove("lake").unwrap().try_into().unwrap();
    settings.root = folder.display().to_string();
    lake::Lake::open(&settings).unwrap()
}

async fn commit(table: &mut Table, actions: Vec<Action>) {
    let commit = Commit::append(actions, &[]);
    let (_, outcome) = table.commit(&commit, std::time::Duration::from_secs(60)).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    table.refresh().await.unwrap();
}

proptest! {
    /// Whatever times the files have: what is left is one piece, begins at or before a checkpoint that has the commits to
    /// keep after it, and is all that is newer.
    #[test]
    fn what_is_left_can_be_read(
        commits in 1..400_u64,
        keep in 0..100_u64,
        times in prop::collection::vec(-100 * HOUR..100 * HOUR, 400),
    ) {
        let mut entries = log(commits);
        for entry in &mut entries {
            entry.modified_ms += times[usize::try_from(entry.version).unwrap()];
        }
        let gone = gone(entries.clone(), keep);
        let left = left(&entries, &gone);
        let first = left[0];
        prop_assert_eq!(left, (first..commits).collect::<Vec<_>>());
        prop_assert!(commits - first > keep.min(commits - 1));
        let checkpoint = entries.iter().filter(|entry| entry.checkpoint && !gone.contains(&entry.path));
        let begins = checkpoint.map(|entry| entry.version).min();
        prop_assert!(first == 0 || begins.is_some_and(|begins| begins + keep < commits));
    }
}
