use std::sync::atomic::Ordering;

use deltalake_core::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use deltalake_core::kernel::{StructField, StructType};
use deltalake_core::parquet::arrow::ArrowWriter;

use super::*;
use crate::maintain::made::{commit, file, said, said_before, table, table_in};
use crate::table::TableFile;
use crate::unwilling::Unwilling;

/// All days have ended.
const ALL: CompactSettings = CompactSettings { interval_ms: 0, after_ms: 0, target_bytes: 1 << 28 };

#[tokio::test(flavor = "multi_thread")]
async fn what_weir_has_not_made_is_left_as_it_is() {
    let (lake, mut table) = table(false).await;
    let mut adds = Vec::new();
    for n in 0..3 {
        adds.push(file(&table, "2026-03-01", n, false, said_before(n)).await);
    }
    commit(&mut table, adds.into_iter().map(Action::Add).collect()).await;
    let version = table.version();
    let mut compactor = Compactor::open(&lake, "t", &ALL).await.unwrap();
    assert_eq!(compactor.run(now_ms()).await.unwrap(), Compacted::default());
    table.refresh().await.unwrap();
    assert_eq!(table.version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn because_of_a_file_that_is_gone_the_others_are_not_left_as_they_are() {
    let (lake, mut table) = table(true).await;
    let mut adds = Vec::new();
    for (n, day) in [(1, "2026-03-01"), (2, "2026-03-01"), (3, "2026-03-02"), (4, "2026-03-02")] {
        adds.push(file(&table, day, n, false, said_before(n)).await);
    }
    let gone = adds[1].path.clone();
    table.store.delete(&table.path_of(&gone)).await.unwrap();
    commit(&mut table, adds.into_iter().map(Action::Add).collect()).await;
    let mut compactor = Compactor::open(&lake, "t", &ALL).await.unwrap();
    compactor.run(now_ms()).await.unwrap();
    let refused = compactor.refused().unwrap();
    assert!(refused.contains(&gone) && refused.contains("1 files are not merged"), "{refused}");
    table.refresh().await.unwrap();
    let said = said(&table).await;
    assert_eq!(said.len(), 3, "those of the second day are one: {said:#?}");
    let (_, merged) = said.last_key_value().unwrap();
    assert_eq!((&merged["numRecords"], &merged["nullCount"]["id"]), (&json!(4), &json!(0)));
    assert_eq!(said["day=2026-03-01/0001.parquet"]["minValues"]["id"], "a", "it is told of, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_not_tried_again_until_it_changes() {
    let store = Arc::new(Unwilling::default());
    let (lake, mut table) = table_in(Arc::clone(&store) as _, true).await;
    let mut adds = Vec::new();
    for n in 1..4 {
        adds.push(file(&table, "2026-03-01", n, false, said_before(n)).await);
    }
    let broken = table.path_of(&adds[2].path);
    let whole = table.store.get(&broken).await.unwrap().bytes().await.unwrap();
    table.store.put(&broken, vec![0; whole.len()].into()).await.unwrap();
    for n in 5..8 {
        adds.push(file(&table, "2026-03-02", n, false, said_before(n)).await);
    }
    commit(&mut table, adds.into_iter().map(Action::Add).collect()).await;

    let mut compactor = Compactor::open(&lake, "t", &ALL).await.unwrap();
    // Of the other day nobody can say which file it is.
    let other: Vec<Small> = compactor.small.values().filter(|file| file.path.contains("2026-03-02")).cloned().collect();
    compactor.refuse(&other, FileError::unwritable(&Path::from("a.parquet"), "for a test")).await;
    let run = async |compactor: &mut Compactor| {
        let before = store.reads.load(Ordering::SeqCst);
        let done = compactor.run(now_ms()).await.unwrap();
        (done.files_before, store.reads.load(Ordering::SeqCst) > before)
    };
    assert_eq!(run(&mut compactor).await, (0, true));
    assert_eq!(run(&mut compactor).await, (2, true), "those beside the one that is broken");
    let refused = compactor.refused().unwrap();
    assert!(refused.contains("table t: 4 files are not merged"), "{refused}");
    assert!(refused.contains("for a test") && refused.contains("0003.parquet"), "{refused}");
    assert_eq!(run(&mut compactor).await, (0, false), "nothing has changed");
    // After an error the table is read as a whole.
    compactor.table.forget();
    assert_eq!(run(&mut compactor).await, (0, false));

    // Somebody restores the file, and others come to those of which nobody can say which it is.
    table.store.put(&broken, whole.into()).await.unwrap();
    table.refresh().await.unwrap();
    let mut adds = Vec::new();
    for n in 8..10 {
        adds.push(Action::Add(file(&table, "2026-03-02", n, false, said_before(n)).await));
    }
    commit(&mut table, adds).await;
    assert_eq!(run(&mut compactor).await, (4, true));
    let refused = compactor.refused().unwrap();
    assert!(refused.contains("3 files are not merged") && !refused.contains("0003.parquet"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_deleted_rows_is_not_merged_although_it_was_whole_before() {
    let (lake, _table) = table(true).await;
    let mut compactor = Compactor::open(&lake, "t", &ALL).await.unwrap();
    let whole = TableFile {
        path: "day=2026-03-01/a.parquet".to_owned(),
        bytes: 7,
        rows: Some(3),
        partition: [("day".to_owned(), Some("2026-03-01".to_owned()))].into(),
        deletions: false,
    };
    compactor.learn(News::Since(vec![Change::Added(whole.clone())])).await.unwrap();
    assert_eq!(compactor.small.len(), 1);
    let deletions = TableFile { deletions: true, ..whole };
    compactor.learn(News::Since(vec![Change::Added(deletions)])).await.unwrap();
    assert!(compactor.small.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_table_that_may_not_be_written_no_file_is_written() {
    let (lake, mut table) = table(true).await;
    let mut adds = Vec::new();
    for n in 0..3 {
        adds.push(Action::Add(file(&table, "2026-03-01", n, false, said_before(n)).await));
    }
    let protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 4 })).unwrap();
    adds.push(Action::Protocol(protocol));
    commit(&mut table, adds).await;
    let mut compactor = Compactor::open(&lake, "t", &ALL).await.unwrap();
    let error = compactor.run(now_ms()).await.unwrap_err().to_string();
    assert!(error.contains("writers of version 4"), "{error}");
    let there = futures_util::StreamExt::count(table.store.list(Some(&table.path_of("day=2026-03-01")))).await;
    assert_eq!(there, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_where_another_engine_declared_that_there_is_none_keeps_the_files_of_its_day_as_they_are() {
    let (lake, mut table) = table(true).await;
    let columns = table.snapshot().unwrap().schema();
    let columns = columns.fields().map(|field| match field.name().as_str() {
        "id" => StructField::not_null("id", field.data_type().clone()),
        _ => field.clone(),
    });
    let mut actions = vec![table.growing(&StructType::try_new(columns).unwrap()).unwrap()];
    for (n, day) in [(1, "2026-03-01"), (2, "2026-03-01"), (3, "2026-03-02")] {
        actions.push(Action::Add(file(&table, day, n, false, said_before(n)).await));
    }
    let mut with_null = file(&table, "2026-03-02", 4, false, said_before(4)).await;
    let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let offsets: ArrayRef = Arc::new(Int64Array::from(vec![4, 5]));
    let batch = RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("weir_offset", offsets, true)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    with_null.size = i64::try_from(bytes.len()).unwrap();
    table.store.put(&table.path_of(&with_null.path), bytes.into()).await.unwrap();
    actions.push(Action::Add(with_null.clone()));
    commit(&mut table, actions).await;

    let mut compactor = Compactor::open(&lake, "t", &ALL).await.unwrap();
    compactor.run(now_ms()).await.unwrap();
    let error = compactor.refused().unwrap();
    for part in [&*with_null.path, "column id: ", "NOT NULL"] {
        assert!(error.contains(part), "{error}");
    }
    table.refresh().await.unwrap();
    let listed = said(&table).await;
    let day = |day: &str| listed.keys().filter(|path| path.contains(day)).cloned().collect::<Vec<_>>();
    assert_eq!(day("2026-03-01").len(), 1, "another day is merged: {listed:#?}");
    assert_eq!(day("2026-03-02"), ["day=2026-03-02/0003.parquet", &*with_null.path]);
    let there = table.store.list(Some(&table.path_of("day=2026-03-02")));
    assert_eq!(futures_util::StreamExt::count(there).await, 2, "nothing is left of the file that they would be");
    let more = file(&table, "2026-03-03", 6, false, said_before(6)).await;
    commit(&mut table, vec![Action::Add(more)]).await;
    assert_eq!(said(&table).await.len(), 4, "and loading goes on");
}
