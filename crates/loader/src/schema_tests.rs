use std::sync::Arc;

use deltalake_core::arrow::datatypes::Fields;

use super::*;

fn file(fields: Vec<Field>) -> Schema {
    Schema::new(fields)
}

fn text(name: &str) -> Field {
    Field::new(name, Arrow::Utf8, false)
}

fn names(columns: &StructType) -> Vec<&str> {
    columns.fields().map(|field| field.name().as_str()).collect()
}

fn day() -> Vec<String> {
    vec!["day".to_owned()]
}

fn map() -> Arrow {
    let entries = Fields::from(vec![text("key"), Field::new("value", Arrow::Utf8, true)]);
    Arrow::Map(Arc::new(Field::new("entries", Arrow::Struct(entries), false)), false)
}

#[test]
fn a_new_table_has_its_partition_columns_and_those_of_the_files() {
    let time = Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let item = Arc::new(Field::new("item", Arrow::Utf8, true));
    let fields = vec![text("id"), Field::new("at", time, true), Field::new("tags", Arrow::List(item), true)];
    let table = first(&day(), [&file(fields), &file(vec![text("id"), Field::new("attributes", map(), true)])]).unwrap();
    assert_eq!(names(&table), ["day", "id", "at", "tags", "attributes"]);
    assert!(table.fields().all(|field| field.is_nullable()), "nothing is required, whatever a file says");
}

#[test]
fn columns_are_added_at_the_end_and_none_is_lost() {
    let table = first(&day(), [&file(vec![text("id"), text("verb")])]).unwrap();
    assert_eq!(grown(&table, &day(), [&file(vec![text("id")])]).unwrap(), None);
    let more = file(vec![Field::new("n", Arrow::Int64, true), text("verb")]);
    let grown = grown(&table, &day(), [&more]).unwrap().unwrap();
    assert_eq!(names(&grown), ["day", "id", "verb", "n"]);
}

#[test]
fn a_text_is_a_text_however_it_is_kept() {
    let table = first(&day(), [&file(vec![text("id")])]).unwrap();
    for kept in [Arrow::LargeUtf8, Arrow::Utf8View] {
        assert_eq!(grown(&table, &day(), [&file(vec![Field::new("id", kept, true)])]).unwrap(), None);
    }
}

#[test]
fn what_does_not_go_together_is_told() {
    let table = first(&day(), [&file(vec![text("id"), Field::new("attributes", map(), true)])]).unwrap();
    let nanos = Arrow::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let local = Arrow::Timestamp(TimeUnit::Microsecond, None);
    for (what, field) in [
        ("column id is long in the file and string in the table", Field::new("id", Arrow::Int64, true)),
        ("column attributes", text("attributes")),
        ("differs from column id of the table only in letter case", text("ID")),
        ("partitioned by it", text("day")),
        ("is not valid in a table", text("a b")),
        ("column at is Timestamp", Field::new("at", nanos, true)),
        ("column at is Timestamp", Field::new("at", local, true)),
        ("column n is UInt64", Field::new("n", Arrow::UInt64, true)),
    ] {
        let problem = grown(&table, &day(), [&file(vec![field])]).unwrap_err();
        assert!(problem.contains(what), "{problem}");
    }
}
