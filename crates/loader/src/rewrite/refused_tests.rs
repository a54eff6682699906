//! What is not merged: files that would lose something, and files that do not have what they say.

use deltalake_core::arrow::array::{ArrayRef, Int64Array, RecordBatch, StructArray};
use deltalake_core::arrow::datatypes::{DataType, Field, Schema};
use deltalake_core::parquet::arrow::ArrowWriter;
use deltalake_core::parquet::file::metadata::{FileMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use object_store::memory::InMemory;

use super::tests::{put, read, rows};
use super::*;

const TO: &str = "written.parquet";

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// The same columns, of which this one is declared NOT NULL, and is of this type.
fn columns(batch: &RecordBatch, name: &str, of: Option<DataType>) -> SchemaRef {
    let declared = |field: &Field| match field.name() == name {
        true => Field::new(name, of.clone().unwrap_or_else(|| field.data_type().clone()), false),
        false => field.clone(),
    };
    Arc::new(Schema::new(batch.schema().fields().iter().map(|field| declared(field)).collect::<Vec<_>>()))
}

/// Why it is not written. Nothing is left of it.
async fn refused(store: &Arc<dyn ObjectStore>, inputs: &[Input], columns: &SchemaRef) -> FileError {
    let error = write(store, inputs, columns, &Path::from(TO), None).await.unwrap_err();
    let left = store.head(&Path::from(TO)).await;
    assert!(matches!(left, Err(object_store::Error::NotFound { .. })), "{left:?}");
    error
}

#[tokio::test]
async fn a_null_in_a_column_that_is_not_null_is_refused() {
    let store = memory();
    // One file is as it should be, and the other has nulls in each column.
    let batch = rows(0, 10, false);
    let whole = put(&store, "whole.parquet", &[batch.slice(1, 1)], 100).await;
    let nulls = put(&store, "nulls.parquet", std::slice::from_ref(&batch), 100).await;
    for name in ["offset", "text", "list"] {
        let columns = columns(&batch, name, None);
        let error = refused(&store, &[whole.clone(), nulls.clone()], &columns).await;
        let named = matches!(&error, FileError::Unusable { path, .. } if *path == nulls.path);
        let text = error.to_string();
        assert!(named && text.contains(&format!("column {name}: ")) && text.contains("NOT NULL"), "{text}");
        // Alone, what has no null is written, and declared.
        let written =
            write(&store, std::slice::from_ref(&whole), &columns, &Path::from("1.parquet"), None).await.unwrap();
        assert!(!written.footer.schema.field_with_name(name).unwrap().is_nullable());
    }
    let older = put(&store, "older.parquet", &[rows(20, 5, true)], 100).await;
    let error = refused(&store, &[whole, older], &columns(&batch, "list", None)).await.to_string();
    assert!(error.contains("older.parquet") && error.contains("no column list, which is NOT NULL"), "{error}");
}

#[tokio::test]
async fn a_null_within_a_column_is_refused_where_it_is_declared_not_null() {
    let store = memory();
    let within = |nullable| Field::new("n", DataType::Int64, nullable);
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let of: ArrayRef = Arc::new(StructArray::from(vec![(Arc::new(within(true)), values)]));
    let batch = RecordBatch::try_from_iter_with_nullable([("of", of, true)]).unwrap();
    let input = put(&store, "0.parquet", std::slice::from_ref(&batch), 100).await;
    let strict = Schema::new(vec![Field::new_struct("of", vec![within(false)], true)]);
    let error = refused(&store, &[input], &strict.into()).await.to_string();
    assert!(error.contains("0.parquet") && error.contains("column of: "), "{error}");
}

#[tokio::test]
async fn a_value_that_its_column_cannot_have_is_refused() {
    let store = memory();
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, i64::from(i32::MAX) + 1]));
    let batch = RecordBatch::try_from_iter_with_nullable([("n", values, true)]).unwrap();
    let input = put(&store, "0.parquet", std::slice::from_ref(&batch), 100).await;
    let narrow = Schema::new(vec![Field::new("n", DataType::Int32, true)]);
    let error = refused(&store, &[input], &narrow.into()).await.to_string();
    assert!(error.contains("0.parquet") && error.contains("column n: "), "{error}");
}

/// What the file would say of itself if it had so many rows, and so many in its first row group.
fn metadata(bytes: &bytes::Bytes, all: i64, first: i64) -> ParquetMetaData {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(bytes).unwrap();
    let mut groups = metadata.row_groups().to_vec();
    groups[0] = groups[0].clone().into_builder().set_num_rows(first).build().unwrap();
    let file = metadata.file_metadata();
    let file = FileMetaData::new(
        file.version(),
        all,
        None,
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    ParquetMetaData::new(file, groups)
}

async fn content(store: &Arc<dyn ObjectStore>, input: &Input) -> bytes::Bytes {
    store.get(&input.path).await.unwrap().bytes().await.unwrap()
}

/// The file, whose end says so.
async fn lies(store: &Arc<dyn ObjectStore>, input: &Input, all: i64, first: i64) -> Input {
    let metadata = metadata(&content(store, input).await, all, first);
    with_end(store, input, &metadata).await
}

/// The file, whose end says that the columns of its first row group have so many bytes from there on.
async fn elsewhere(store: &Arc<dyn ObjectStore>, input: &Input, (start, bytes): (i64, i64), rows: i64) -> Input {
    let all = ParquetMetaDataReader::new().parse_and_finish(&content(store, input).await).unwrap();
    let first = all.row_groups()[0].num_rows();
    let metadata = metadata(&content(store, input).await, all.file_metadata().num_rows() - first + rows, rows);
    let mut groups = metadata.row_groups().to_vec();
    let columns = groups[0].columns().iter().map(|column| {
        let column = column.clone().into_builder().set_dictionary_page_offset(None).set_data_page_offset(start);
        column.set_total_compressed_size(bytes).build().unwrap()
    });
    let columns = columns.collect();
    groups[0] = groups[0].clone().into_builder().set_column_metadata(columns).build().unwrap();
    with_end(store, input, &ParquetMetaData::new(metadata.file_metadata().clone(), groups)).await
}

/// The file with another end.
async fn with_end(store: &Arc<dyn ObjectStore>, input: &Input, metadata: &ParquetMetaData) -> Input {
    let bytes = content(store, input).await;
    let end: [u8; 4] = bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap();
    let mut lies = bytes[..bytes.len() - 8 - u32::from_le_bytes(end) as usize].to_vec();
    ParquetMetaDataWriter::new(&mut lies, metadata).finish().unwrap();
    let (path, size) = (Path::from(format!("lies-{}", input.path)), lies.len() as u64);
    store.put(&path, lies.into()).await.unwrap();
    Input { path, bytes: size }
}

#[tokio::test]
async fn a_file_that_has_other_rows_than_it_says_is_refused() {
    let store = memory();
    let batch = rows(0, 10, false);
    let columns = batch.schema();
    let input = put(&store, "0.parquet", std::slice::from_ref(&batch), 5).await;
    for (all, first, problem) in [
        (12, 7, "column offset: 5 rows were read of row group 0, which has 7"),
        (8, 3, "column offset: 5 rows were read of row group 0, which has 3"),
    ] {
        let lies = lies(&store, &input, all, first).await;
        let error = refused(&store, &[input.clone(), lies], &columns).await.to_string();
        assert!(error.contains("lies-0.parquet") && error.contains(problem), "{all} {first}: {error}");
    }
    let bytes = content(&store, &input).await;
    for (all, first) in [(11, 5), (10, 4), (4, -1), (-1, 5)] {
        let error = said(&input.path, &metadata(&bytes, all, first)).unwrap_err().to_string();
        assert!(error.contains("0.parquet") && error.contains(&format!("it says that it has {all} rows")), "{error}");
    }
    assert_eq!(said(&input.path, &metadata(&bytes, 10, 5)).unwrap(), 10);
    let lies = lies(&store, &input, 12, 7).await;
    let from = Some(("offset", 2));
    let error = write(&store, &[lies], &columns, &Path::from(TO), from).await.unwrap_err().to_string();
    assert!(error.contains("5 rows were read of row group 0, which has 7"), "{error}");
}

#[tokio::test]
async fn a_file_whose_columns_lie_outside_of_it_is_refused() {
    let store = memory();
    let batch = rows(0, 10, false);
    let input = put(&store, "0.parquet", std::slice::from_ref(&batch), 5).await;
    for place in [(-5, 100), (4, -1), (4, i64::MAX / 8), (i64::MAX, i64::MAX / 8), (1 << 40, 100)] {
        let lies = elsewhere(&store, &input, place, 5).await;
        let error = refused(&store, &[input.clone(), lies.clone()], &batch.schema()).await;
        let named = matches!(&error, FileError::Unusable { path, .. } if *path == lies.path);
        let (start, bytes) = place;
        let text = format!("column offset of row group 0 has {bytes} bytes from byte {start} on");
        assert!(named && error.to_string().contains(&text), "{error}");
        // So it is when a request brings it, before anything of it is read.
        let error = Footer::read(&store, &lies.path, lies.bytes).await.unwrap_err();
        assert!(matches!(&error, FileError::Unusable { .. }) && error.to_string().contains(&text), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_not_laid_at_a_file_that_is_read() {
    let store = memory();
    let batch = rows(0, 10, false);
    let input = put(&store, "0.parquet", std::slice::from_ref(&batch), 100).await;
    let metadata = FileReader::new(&store, &input.path, input.bytes).get_metadata(None).await.unwrap();
    let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::default()).unwrap();
    let mut reader = FileReader::new(&store, &input.path, input.bytes);
    let piece = Piece::read(&mut reader, &input.path, &metadata, 0, None).await.unwrap();
    let schema = batch.schema();
    let mut output = output::Output::begin(&store, &Path::from(TO), &schema, properties(&schema)).unwrap();
    output.write(std::slice::from_ref(&piece)).await.unwrap();
    let error = output.close(11).await.unwrap_err();
    assert!(matches!(&error, FileError::Unwritable { path, .. } if *path == Path::from(TO)), "{error}");
    assert!(error.to_string().contains("it would have 10 rows, and what goes into it has 11"), "{error}");
    assert!(store.head(&Path::from(TO)).await.is_err());
    let refusal = || FileError::unwritable(&Path::from(TO), "for a test");
    let error = piece.each(schema.field(0), |_| Err(refusal())).unwrap_err().to_string();
    assert_eq!(error, refusal().to_string());
}

#[tokio::test]
async fn what_has_no_rows_is_passed_over() {
    let store = memory();
    let batch = rows(0, 10, false);
    let schema = batch.schema();
    // Without a row group, with one that is empty, and with rows between two that are.
    let none = put(&store, "none.parquet", &[batch.slice(0, 0)], 100).await;
    let mut inputs = vec![none];
    for (name, groups) in [("empty.parquet", vec![0]), ("some.parquet", vec![0, 4, 0, 6, 0])] {
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), None).unwrap();
        let (mut file, factory) = writer.into_serialized_writer().unwrap();
        let mut first = 0;
        for (n, rows) in groups.into_iter().enumerate() {
            let mut writers = factory.create_column_writers(n).unwrap().into_iter();
            let mut group = file.next_row_group().unwrap();
            for (field, array) in schema.fields().iter().zip(batch.slice(first, rows).columns()) {
                for leaf in deltalake_core::parquet::arrow::arrow_writer::compute_leaves(field, array).unwrap() {
                    let mut writer = writers.next().unwrap();
                    writer.write(&leaf).unwrap();
                    writer.close().unwrap().append_to_row_group(&mut group).unwrap();
                }
            }
            group.close().unwrap();
            first += rows;
        }
        let bytes = file.into_inner().unwrap();
        inputs.push(Input { path: Path::from(name), bytes: bytes.len() as u64 });
        store.put(&Path::from(name), bytes.into()).await.unwrap();
    }
    // Nothing of it is in its file: some stores refuse to be asked for that.
    let without_bytes = elsewhere(&store, &inputs[1], (4, 0), 0).await;
    inputs.push(without_bytes);
    let written = write(&store, &inputs, &schema, &Path::from(TO), None).await.unwrap();
    let found = read(&store, &Input { path: Path::from(TO), bytes: written.bytes }, &schema).await;
    assert_eq!(found, batch);
    let written = write(&store, &inputs[..2], &schema, &Path::from(TO), None).await.unwrap();
    assert_eq!((written.footer.rows(), written.footer.metadata.num_row_groups()), (0, 0));
}
