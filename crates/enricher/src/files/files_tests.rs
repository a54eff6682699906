use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::rows::tests::row;
use super::*;

#[test]
fn a_file_holds_its_rows_in_order_and_knows_their_ends() {
    let mut file = DayFile::new().unwrap();
    for chunk in [5..8, 8..9, 20..40] {
        file.append(&chunk.map(row).collect::<Vec<_>>()).unwrap();
    }
    assert!(file.memory() > 0 && file.estimated_bytes() > 0);
    let finished = file.finish().unwrap();
    assert_eq!((finished.rows, finished.first, finished.last), (24, 5, 39));
    let reader = ParquetRecordBatchReaderBuilder::try_new(finished.bytes).unwrap();
    assert_eq!(reader.schema().fields(), rows::SCHEMA.fields(), "any reader sees the same types");
    assert!(reader.metadata().file_metadata().created_by().unwrap().starts_with("weir version "));
    let offsets: Vec<i64> = reader
        .build()
        .unwrap()
        .flat_map(|batch| {
            let batch = batch.unwrap();
            batch.column_by_name("weir_offset").unwrap().as_primitive::<Int64Type>().values().to_vec()
        })
        .collect();
    assert_eq!(offsets, (5..9).chain(20..40).collect::<Vec<_>>());
}

/// What waits for a flush is counted against the memory: so it must be what it takes, about.
#[test]
fn the_estimate_follows_the_rows() {
    let mut file = DayFile::new().unwrap();
    let mut last = 0;
    for n in 0..20 {
        file.append(&(n * 100..n * 100 + 100).map(row).collect::<Vec<_>>()).unwrap();
        assert!(file.estimated_bytes() >= last);
        last = file.estimated_bytes();
    }
    let size = file.finish().unwrap().bytes.len();
    assert!(last >= size / 8, "estimated {last}, is {size}");
}
