//! What merging takes in memory, in a process of its own.

use std::process::Command;

use deltalake_core::arrow::array::{ArrayRef, StringArray};
use deltalake_core::arrow::datatypes::{Field, Schema};
use object_store::local::LocalFileSystem;

use super::*;

const CHILD: &str = "rewrite::tests::many_files_become_one";
const FOLDER: &str = "LOADER_MERGE_FOLDER";
/// What a day of `weir up` has after an hour: files of about half a megabyte, with some seventy columns.
const FILES: usize = 32;
const ROWS: usize = 6000;
const COLUMNS: usize = 68;

/// Three ids, and texts of which more and more repeat.
fn batch(file: usize) -> RecordBatch {
    let text = |column: usize, row: usize| {
        let row = file * ROWS + row;
        match column {
            0..3 => format!("{:016x}{:016x}", row.wrapping_mul(0x9e37_79b9_7f4a_7c15), row * (column + 1)),
            3..12 => format!("{:x}", row.wrapping_mul(0x2545_f491_4f6c_dd1d) >> (column * 4)),
            _ => format!("value {}", row % (column * column)),
        }
    };
    let columns = (0..COLUMNS).map(|column| {
        let name = LOOKED_FOR.get(column).map_or_else(|| format!("c{column}"), ToString::to_string);
        let values: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| text(column, row))));
        (name, values, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
#[ignore = "is run by the other test"]
#[expect(clippy::disallowed_methods, reason = "how the other test tells it what to do")]
async fn many_files_become_one() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap());
    let mut inputs = Vec::new();
    for n in 0..FILES {
        let path = Path::from(format!("{n}.parquet"));
        let bytes = store.head(&path).await.unwrap().size;
        inputs.push(Input { path, bytes });
    }
    let fields: Vec<Field> = batch(0).schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let columns: SchemaRef = Arc::new(Schema::new(fields));
    let before = status("VmRSS:");
    let merged = write(&store, &inputs, &columns, &Path::from("merged.parquet"), None).await.unwrap();
    println!(
        "merged {} {} {} {}",
        merged.footer.rows(),
        merged.bytes,
        merged.footer.metadata.num_row_groups(),
        status("VmHWM:").saturating_sub(before)
    );
}

#[tokio::test]
async fn merging_holds_a_row_group_and_a_page_of_each_column() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    for n in 0..FILES {
        let batch = batch(n);
        let writer = BufWriter::new(Arc::clone(&store), Path::from(format!("{n}.parquet")));
        let mut writer = AsyncArrowWriter::try_new(writer, batch.schema(), None).unwrap();
        writer.write(&batch).await.unwrap();
        writer.close().await.unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([CHILD, "--exact", "--ignored", "--nocapture"]).env(FOLDER, folder.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let line = said.lines().find_map(|line| line.strip_prefix("merged ")).unwrap();
    let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    let [rows, bytes, groups, took] = numbers.as_slice() else { panic!("{line}") };
    println!("{rows} rows, {bytes} bytes in {groups} row groups: {} MiB", took >> 20);
    assert_eq!(*rows, (FILES * ROWS) as u64);
    assert!(*groups > 1 && *took < 64 << 20, "{groups} row groups, {} MiB", took >> 20);
}
