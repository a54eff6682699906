use std::sync::atomic::Ordering;

use deltalake_core::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use deltalake_core::parquet::arrow::ArrowWriter;
use lake::Lake;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;

use super::*;
use crate::unwilling::Unwilling;

async fn adding(store: &Arc<dyn ObjectStore>, table: &Table, name: &str, rows: i64) -> Adding {
    let offsets: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let batch = RecordBatch::try_from_iter_with_nullable([("weir_offset", offsets, true)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let content = writer.into_inner().unwrap();
    let bytes = content.len() as u64;
    let path = format!("day=2026-03-01/{name}.parquet");
    store.put(&table.path_of(&path), content.into()).await.unwrap();
    let footer = Footer::read(store, &table.path_of(&path), bytes).await.unwrap();
    let partition = [("day".to_owned(), "2026-03-01".to_owned())].into();
    Adding { from: (0, 0), file: File { path, bytes, rows: footer.rows(), partition }, footer }
}

#[tokio::test]
async fn small_files_become_one_or_go_in_as_they_are() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let table = Table::new(&Lake::with_store(Arc::clone(&store), "memory"), "t").unwrap();
    let (a, b) = (adding(&store, &table, "a", 3).await, adding(&store, &table, "b", 4).await);
    let mut made = Vec::new();
    let Ok(done) = merge(&store, &table, vec![a.clone(), b.clone()], &mut made).await else { panic!("it failed") };
    assert_eq!(done.files.iter().map(|(file, _)| file.rows).collect::<Vec<_>>(), [7]);
    let paths = [&a, &b].map(|adding| table.path_of(&adding.file.path));
    assert_eq!((done.unneeded, made.len()), (paths.to_vec(), 1));

    // It has other rows than were counted: neither file can be blamed, and the next try would end the same way.
    let odd = Adding { footer: adding(&store, &table, "c", 9).await.footer, ..b.clone() };
    let mut made = Vec::new();
    let Ok(done) = merge(&store, &table, vec![a.clone(), odd], &mut made).await else { panic!("it failed") };
    let files: Vec<_> = done.files.iter().map(|(file, _)| file.path.clone()).collect();
    assert_eq!(files, [a.file.path, b.file.path]);
    assert_eq!((done.unneeded, made.len()), (made.clone(), 1), "what was written is not needed");
}

#[tokio::test]
async fn small_files_go_in_as_they_are_where_the_store_does_not_take_the_one_that_they_would_be() {
    let unwilling = Arc::new(Unwilling::default());
    let store: Arc<dyn ObjectStore> = Arc::clone(&unwilling) as _;
    let table = Table::new(&Lake::with_store(Arc::clone(&store), "unwilling"), "t").unwrap();
    let (a, b) = (adding(&store, &table, "a", 3).await, adding(&store, &table, "b", 4).await);
    unwilling.refuses_files.store(true, Ordering::SeqCst);
    let mut made = Vec::new();
    let Ok(done) = merge(&store, &table, vec![a.clone(), b.clone()], &mut made).await else { panic!("it waits") };
    let files: Vec<_> = done.files.iter().map(|(file, _)| file.path.clone()).collect();
    assert_eq!(files, [a.file.path, b.file.path]);
}
