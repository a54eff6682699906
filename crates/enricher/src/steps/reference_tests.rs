use std::path::Path;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use common::activity::v1::Object;
use parquet::arrow::ArrowWriter;

use super::*;
use crate::settings::StepType;

fn step(path: &Path, change: impl FnOnce(&mut StepSettings)) -> Arc<Reference> {
    let file: toml::Table = toml::from_str(&format!(
        "name = \"pages\"\ntype = \"reference\"\npath = {:?}\nkey = [\"object_id\"]\ncolumns = [\"page\"]",
        path.display().to_string()
    ))
    .unwrap();
    let mut step: StepSettings = file.try_into().unwrap();
    assert_eq!(step.r#type, StepType::Reference);
    change(&mut step);
    let settings = ReferenceSettings {
        check_interval_ms: 10,
        max_bytes: 1000,
        max_rows: 3,
        max_attributes: 2,
        max_attribute_bytes: 50,
    };
    Arc::new(Reference::new(&step, &settings))
}

fn find(reference: &Reference, id: &str) -> String {
    let object = Object { id: id.to_owned(), ..Object::default() };
    let activity = Activity { object: Some(object), ..Activity::default() };
    match &reference.find(&[Some(&activity)])[0] {
        Found::Nothing => "-".to_owned(),
        Found::Attributes(attributes) => format!("{attributes:?}"),
        Found::Failed(failure) => failure.as_str_name().to_owned(),
    }
}

/// Puts a file in the place of another, at once.
fn put(path: &Path, text: &str) {
    let other = path.with_extension("new");
    std::fs::write(&other, text).unwrap();
    std::fs::rename(&other, path).unwrap();
}

#[tokio::test]
async fn a_file_is_read_and_read_again_when_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.csv");
    let reference = step(&path, |_| {});
    reference.look().await;
    assert_eq!(find(&reference, "7"), "STEP_FAILURE_NO_DATA");
    assert!(reference.health().unwrap_err().1);

    put(&path, "\u{feff}page,name,region\n7,\"Acme, Inc\",eu\n8,Weir,\n");
    reference.look().await;
    assert_eq!(find(&reference, "7"), r#"{"name": "Acme, Inc", "region": "eu"}"#);
    assert_eq!(find(&reference, "8"), r#"{"name": "Weir"}"#);
    assert_eq!(find(&reference, "9"), "-");
    assert_eq!(reference.health(), Ok("2 rows".to_owned()));

    put(&path, "page,name\n7,Other\n");
    reference.look().await;
    assert_eq!(find(&reference, "7"), r#"{"name": "Other"}"#);
    assert_eq!(find(&reference, "8"), "-");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_leaves_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.csv");
    put(&path, "page,name\n7,Acme\n");
    let reference = step(&path, |_| {});
    reference.look().await;
    for (text, problem) in [
        ("", "no column \"page\""),
        ("site,name\n7,Acme\n", "no column \"page\", only site, name"),
        ("page,page\n7,7\n", "twice"),
        ("page,name\n7,Acme\n7,Other\n", "line 3 has a duplicate key"),
        ("page,name\n7,Acme\n8\n", "found record with 1 fields"),
        ("page,name\n1,a\n2,b\n3,c\n4,d\n", "more than the 3 rows"),
        ("page,a,b,c\n1,a,b,c\n", "3 attribute columns, but enricher.reference.max_attributes allows 2"),
        (&format!("page,name\n1,{}\n", "x".repeat(60)), "line 2 has 64 bytes"),
        (&"x".repeat(1001), "1001 bytes"),
    ] {
        put(&path, text);
        reference.look().await;
        let (message, failed) = reference.health().unwrap_err();
        assert!(!failed && message.contains(problem) && message.contains("1 rows read before"), "{text:?}: {message}");
        assert_eq!(find(&reference, "7"), r#"{"name": "Acme"}"#);
    }
    std::fs::remove_file(&path).unwrap();
    reference.look().await;
    assert!(reference.health().unwrap_err().0.contains("cannot be read"));
    assert_eq!(find(&reference, "7"), r#"{"name": "Acme"}"#);
    put(&path, "page,name\n7,New\n");
    reference.look().await;
    assert_eq!((find(&reference, "7").as_str(), reference.health().is_ok()), (r#"{"name": "New"}"#, true));
}

#[tokio::test]
async fn parquet_is_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("page", Arc::new(Int64Array::from(vec![7, 8]))),
        ("name", Arc::new(StringArray::from(vec![Some("Acme"), None]))),
        ("secret", Arc::new(StringArray::from(vec!["a", "b"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let reference = step(&path, |step| step.attributes = vec!["name".to_owned()]);
    // The limit of the tests is for their small files.
    let reference = Arc::new(Reference {
        limits: TableLimits { bytes: 100_000, ..reference.limits.clone() },
        ..Arc::into_inner(reference).unwrap()
    });
    reference.look().await;
    assert_eq!(find(&reference, "7"), r#"{"name": "Acme"}"#);
    assert_eq!(find(&reference, "8"), "{}");
    std::fs::write(&path, "PAR1 no").unwrap();
    reference.look().await;
    assert!(reference.health().unwrap_err().0.contains("cannot be used"));
    assert_eq!(find(&reference, "7"), r#"{"name": "Acme"}"#);
}

#[tokio::test]
async fn a_file_of_the_same_size_and_time_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.csv");
    let reference = step(&path, |_| {});
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let back = |path: &Path| std::fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
    put(&path, "page,name\n7,Acme\n");
    back(&path);
    reference.look().await;
    assert_eq!(find(&reference, "7"), r#"{"name": "Acme"}"#);

    // As `rsync -t` or an image that is built the same way each time: another file in its place.
    let other = folder.path().join("other.csv");
    std::fs::write(&other, "page,name\n7,Weir\n").unwrap();
    back(&other);
    std::fs::rename(&other, &path).unwrap();
    reference.look().await;
    assert_eq!(find(&reference, "7"), r#"{"name": "Weir"}"#);

    // The same file, written anew in its place.
    let before = std::fs::metadata(&path).unwrap();
    std::fs::write(&path, "page,name\n7,Dams\n").unwrap();
    back(&path);
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!((before.len(), before.modified().unwrap()), (after.len(), after.modified().unwrap()));
    reference.look().await;
    assert_eq!(find(&reference, "7"), r#"{"name": "Dams"}"#);
}
