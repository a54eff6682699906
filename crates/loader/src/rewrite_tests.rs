use deltalake_core::arrow::array::{Array as _, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use deltalake_core::arrow::compute::concat_batches;
use deltalake_core::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use deltalake_core::parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use deltalake_core::parquet::arrow::async_writer::AsyncArrowWriter;
use deltalake_core::parquet::file::metadata::PageIndexPolicy;
use futures_util::TryStreamExt as _;
use object_store::buffered::BufWriter;
use object_store::memory::InMemory;

use super::*;

const FILES: usize = 5;
const ROWS: usize = 40_000;

/// An id that is another one in each row, and some long texts that can hardly be compressed.
fn batch(file: usize) -> RecordBatch {
    let rows = file * ROWS..(file + 1) * ROWS;
    let hex = |row: usize| format!("{:032x}", (row as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let long = |row: usize| (0..16).map(|part| hex(row * 16 + part)).collect();
    let texts = rows.clone().map(|row| if row % 4 == 0 { long(row) } else { String::new() });
    let ids = rows.clone().map(hex);
    let columns: [(&str, ArrayRef); 2] = [
        (lake::columns::ID, Arc::new(StringArray::from_iter_values(ids))),
        (lake::columns::TEXT, Arc::new(StringArray::from_iter_values(texts))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Merging holds one row group in memory, and of each of seventy columns what a page gathers: neither grows with the file.
#[tokio::test]
async fn what_is_merged_has_small_row_groups_and_pages() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mut inputs = Vec::new();
    for n in 0..FILES {
        let (batch, path) = (batch(n), Path::from(format!("{n}.parquet")));
        let writer = BufWriter::new(Arc::clone(&store), path.clone());
        let mut writer = AsyncArrowWriter::try_new(writer, batch.schema(), None).unwrap();
        writer.write(&batch).await.unwrap();
        writer.close().await.unwrap();
        let bytes = store.head(&path).await.unwrap().size;
        inputs.push(Input { path, bytes });
    }
    let to = Path::from("merged.parquet");
    let merged = write(&store, &inputs, &batch(0).schema(), &to, None).await.unwrap();
    assert_eq!(merged.footer.rows(), (FILES * ROWS) as u64);

    let reader = FileReader::new(&store, &to, merged.bytes);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let file = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await.unwrap();
    let groups = file.metadata().row_groups();
    let rows: Vec<_> = groups.iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [2 * ROWS as i64, 2 * ROWS as i64, ROWS as i64], "inputs of {ROW_GROUP_BYTES} bytes, or less");
    let pages = file.metadata().offset_index().unwrap().iter().flatten().flat_map(|column| column.page_locations());
    let largest = pages.map(|page| page.compressed_page_size).max().unwrap();
    assert!((PAGE_BYTES as i32 / 4..=PAGE_BYTES as i32).contains(&largest), "{largest}");
}

/// Some rows of a file: an offset, a text, a list; and of an older file neither the list nor the offset's own type.
pub(super) fn rows(first: i64, count: i64, older: bool) -> RecordBatch {
    let offsets: Vec<Option<i64>> = (first..first + count).map(|row| (row % 7 != 3).then_some(row)).collect();
    let texts: ArrayRef =
        Arc::new(StringArray::from_iter((first..first + count).map(|row| (row % 3 > 0).then(|| format!("row {row}")))));
    let lists = (first..first + count)
        .map(|row| (row % 5 > 0).then(|| (0..row % 5).map(|n| (n != 2).then_some(row * 10 + n)).collect::<Vec<_>>()));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
    let offsets: ArrayRef = Arc::new(Int64Array::from(offsets));
    if older {
        let offsets = deltalake_core::arrow::compute::cast(&offsets, &DataType::Int32).unwrap();
        return RecordBatch::try_from_iter([("text", texts), ("offset", offsets)]).unwrap();
    }
    RecordBatch::try_from_iter([("offset", offsets), ("text", texts), ("list", lists)]).unwrap()
}

pub(super) async fn put(store: &Arc<dyn ObjectStore>, name: &str, batches: &[RecordBatch], group: usize) -> Input {
    let path = Path::from(name);
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let writer = BufWriter::new(Arc::clone(store), path.clone());
    let mut writer = AsyncArrowWriter::try_new(writer, batches[0].schema(), Some(properties)).unwrap();
    for batch in batches {
        writer.write(batch).await.unwrap();
    }
    writer.close().await.unwrap();
    let bytes = store.head(&path).await.unwrap().size;
    Input { path, bytes }
}

pub(super) async fn read(store: &Arc<dyn ObjectStore>, input: &Input, columns: &SchemaRef) -> RecordBatch {
    let reader = FileReader::new(store, &input.path, input.bytes);
    let batches = ParquetRecordBatchStreamBuilder::new(reader).await.unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
    concat_batches(columns, &batches).unwrap()
}

/// Compared with all rows in memory: in their order, null where a file lacks a column, and without those before an offset.
#[tokio::test]
async fn what_is_written_is_what_was_read() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let list = Field::new("list", DataType::new_list(DataType::Int64, true), true);
    let [offset, text] =
        [("offset", DataType::Int64), ("text", DataType::Utf8)].map(|(name, of)| Field::new(name, of, true));
    let columns: SchemaRef = Arc::new(Schema::new(vec![offset, text, list]));
    let mut inputs = Vec::new();
    let mut expected = Vec::new();
    // Of some rows, of more than one is decoded at once, of none, and of an older shape; with one and with several row groups.
    for (n, (count, group, older)) in
        [(10, 100, false), (3000, 700, false), (1, 1, false), (1500, 400, true), (2, 9, false)].into_iter().enumerate()
    {
        let first = i64::try_from(n).unwrap() * 10_000;
        let batch = rows(first, count, older);
        inputs.push(put(&store, &format!("{n}.parquet"), std::slice::from_ref(&batch), group).await);
        let whole = rows(first, count, false);
        let lists = if older {
            deltalake_core::arrow::array::new_null_array(columns.field(2).data_type(), batch.num_rows())
        } else {
            Arc::clone(whole.column(2))
        };
        let arrays = vec![Arc::clone(whole.column(0)), Arc::clone(whole.column(1)), lists];
        expected.push(RecordBatch::try_new(Arc::clone(&columns), arrays).unwrap());
    }
    let expected = concat_batches(&columns, &expected).unwrap();
    for from in [None, Some(0), Some(10_500), Some(12_999), Some(30_700), Some(99_999)] {
        let to = Path::from("written.parquet");
        let written = write(&store, &inputs, &columns, &to, from.map(|from| ("offset", from))).await.unwrap();
        let found = read(&store, &Input { path: to, bytes: written.bytes }, &columns).await;
        let offsets = expected.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
        let keep: deltalake_core::arrow::array::BooleanArray = (0..offsets.len())
            .map(|row| Some(from.is_none_or(|from| offsets.is_valid(row) && offsets.value(row) >= from)))
            .collect();
        let expected = deltalake_core::arrow::compute::filter_record_batch(&expected, &keep).unwrap();
        assert_eq!(written.footer.rows(), expected.num_rows() as u64, "from {from:?}");
        assert_eq!(found, expected, "from {from:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let batch = rows(0, 10, false);
    let input = put(&store, "0.parquet", std::slice::from_ref(&batch), 5).await;
    let to = Path::from("written.parquet");
    let problem = |outcome: Result<super::Output, FileError>| outcome.unwrap_err().to_string();
    let inputs = std::slice::from_ref(&input);
    let error = problem(write(&store, inputs, &batch.schema(), &to, Some(("position", 3))).await);
    assert!(error.contains("0.parquet") && error.contains("it has no column position"), "{error}");
    let Input { path, bytes } = &input;
    let whole = store.get(path).await.unwrap().bytes().await.unwrap();
    // What is between its beginning and its footer is gone.
    let mut broken = whole.to_vec();
    broken[4..whole.len() / 2].fill(0xff);
    store.put(path, broken.into()).await.unwrap();
    let error =
        problem(write(&store, &[Input { path: path.clone(), bytes: *bytes }], &batch.schema(), &to, None).await);
    assert!(error.contains("0.parquet"), "{error}");
    let missing = Input { path: Path::from("gone.parquet"), bytes: 100 };
    assert!(matches!(write(&store, &[missing], &batch.schema(), &to, None).await, Err(FileError::Missing(_))));
}
