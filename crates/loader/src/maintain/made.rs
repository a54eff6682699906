//! Tables for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake_core::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use deltalake_core::kernel::{Action, Add, MetadataExt as _};
use deltalake_core::parquet::data_type::{ByteArray, ByteArrayType, Int64Type, Int96, Int96Type};
use deltalake_core::parquet::file::writer::SerializedFileWriter;
use deltalake_core::parquet::schema::parser::parse_message_type;
use futures_util::TryStreamExt as _;
use lake::Lake;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};

use crate::schema;
use crate::table::{Commit, FORMAT_SETTING, Outcome, SKIPPED_BY, Table};

/// 2026-03-01 as INT96 counts days.
const JULIAN_DAY: u32 = 2_461_101;

/// A file of two rows, its times as Spark writes them by default or as Weir does.
fn parquet(n: i64, int96: bool) -> Vec<u8> {
    let time = if int96 { "int96 received_at" } else { "int64 received_at (TIMESTAMP(MICROS,true))" };
    let message =
        format!("message rows {{ optional binary id (STRING); optional {time}; optional int64 weir_offset; }}");
    let schema = Arc::new(parse_message_type(&message).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut ids = group.next_column().unwrap().unwrap();
    ids.typed::<ByteArrayType>()
        .write_batch(&[ByteArray::from("a"), ByteArray::from("b")], Some(&[1, 1]), None)
        .unwrap();
    ids.close().unwrap();
    let mut times = group.next_column().unwrap().unwrap();
    if int96 {
        let mut time = Int96::new();
        time.set_data(0, 0, JULIAN_DAY);
        times.typed::<Int96Type>().write_batch(&[time, time], Some(&[1, 1]), None).unwrap();
    } else {
        let at = 1_772_323_200_000_000;
        times.typed::<Int64Type>().write_batch(&[at, at + 1_000_000], Some(&[1, 1]), None).unwrap();
    }
    times.close().unwrap();
    let mut offsets = group.next_column().unwrap().unwrap();
    offsets.typed::<Int64Type>().write_batch(&[n, n + 1], Some(&[1, 1]), None).unwrap();
    offsets.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// What earlier versions said of a file: nothing but its offsets.
pub(super) fn said_before(n: i64) -> Value {
    json!({
        "numRecords": 2, "minValues": { "weir_offset": n }, "maxValues": { "weir_offset": n + 1 },
        "nullCount": { "weir_offset": 0 },
    })
}

/// An empty table that names its offsets only. One that is not Weir's has no offsets, and says so nowhere.
pub(super) async fn table(ours: bool) -> (Lake, Table) {
    table_in(Arc::new(InMemory::new()), ours).await
}

/// The same in this store.
pub(super) async fn table_in(store: Arc<dyn ObjectStore>, ours: bool) -> (Lake, Table) {
    let lake = Lake::with_store(store, "memory");
    let mut table = Table::new(&lake, "t").unwrap();
    let partitions = ["day".to_owned()];
    let mut columns = vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("received_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
    ];
    if ours {
        columns.push(Field::new("weir_offset", DataType::Int64, true));
    }
    let columns = schema::first(&partitions, [&Schema::new(columns)]).unwrap();
    let actions = table.creating(&columns, &partitions).unwrap().into_iter().map(|action| match action {
        Action::Metadata(metadata) => {
            let metadata = match ours {
                true => metadata,
                false => metadata.remove_config_key(FORMAT_SETTING).unwrap(),
            };
            let names = if ours { "weir_offset" } else { "id" };
            Action::Metadata(metadata.add_config_key(SKIPPED_BY.to_owned(), names.to_owned()).unwrap())
        }
        action => action,
    });
    let actions = actions.collect();
    commit(&mut table, actions).await;
    (lake, table)
}

/// Puts a file into the store; what puts it into the table.
pub(super) async fn file(table: &Table, day: &str, n: i64, int96: bool, said: Value) -> Add {
    let path = format!("day={day}/{n:04}.parquet");
    let bytes = parquet(n, int96);
    let size = i64::try_from(bytes.len()).unwrap();
    table.store.put(&table.path_of(&path), bytes.into()).await.unwrap();
    let partition_values = [("day".to_owned(), Some(day.to_owned()))].into();
    Add { path, size, partition_values, stats: Some(said.to_string()), data_change: true, ..Add::default() }
}

pub(super) async fn commit(table: &mut Table, actions: Vec<Action>) {
    let (_, outcome) = table.commit(&Commit::append(actions, &[]), std::time::Duration::from_secs(60)).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    table.refresh().await.unwrap();
}

/// What the log says of each file.
pub(super) async fn said(table: &Table) -> BTreeMap<String, Value> {
    let listing = table.listing().await.unwrap();
    let said = table
        .views(&listing)
        .map_ok(|file| (file.path().into_owned(), serde_json::from_str(&file.stats().unwrap()).unwrap()));
    said.try_collect().await.unwrap()
}
