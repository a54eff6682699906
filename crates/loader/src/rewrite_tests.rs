use deltalake_core::arrow::array::{ArrayRef, StringArray};
use deltalake_core::parquet::arrow::arrow_reader::ArrowReaderOptions;
use deltalake_core::parquet::file::metadata::PageIndexPolicy;
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
    assert_eq!(rows, [ROW_GROUP_ROWS as i64, (FILES * ROWS - ROW_GROUP_ROWS) as i64]);
    let pages = file.metadata().offset_index().unwrap().iter().flatten().flat_map(|column| column.page_locations());
    let largest = pages.map(|page| page.compressed_page_size).max().unwrap();
    assert!((PAGE_BYTES as i32 / 4..=PAGE_BYTES as i32).contains(&largest), "{largest}");
}
