use std::sync::Arc;

use deltalake_core::arrow::array::{
    ArrayRef, BooleanArray, Int32Array, ListBuilder, MapBuilder, RecordBatch, StringArray, StringBuilder,
};
use deltalake_core::parquet::arrow::ArrowWriter;
use deltalake_core::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use deltalake_core::parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::*;

fn footer(columns: Vec<(&str, ArrayRef)>) -> Footer {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    // Several row groups, so that they are put together.
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let bytes = bytes::Bytes::from(writer.into_inner().unwrap());
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let read = ArrowReaderMetadata::load(&bytes, options).unwrap();
    Footer { metadata: Arc::clone(read.metadata()), schema: Arc::clone(read.schema()) }
}

fn told(columns: Vec<(&str, ArrayRef)>) -> Value {
    serde_json::from_str(&footer(columns).statistics(["text", "later"])).unwrap()
}

#[test]
fn texts_numbers_lists_maps_and_flags_are_told() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("m"), None, None, None, Some("b"), Some("z")]));
    let none: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 6]));
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, None, None, Some(false), None]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), Some(-1), None, None, None, None]));
    let mut lists = ListBuilder::new(StringBuilder::new());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    // Two are null, one is empty, and one has an element that is null.
    for n in 0..6 {
        if n == 1 {
            lists.values().append_null();
        } else if n > 3 {
            lists.values().append_value("x");
        }
        lists.append(n != 0 && n != 3);
        if n == 5 {
            maps.keys().append_value("k");
            maps.values().append_null();
        }
        maps.append(n % 2 == 1).unwrap();
    }
    let told = told(vec![
        ("text", texts),
        ("none", none),
        ("flag", flags),
        ("n", numbers),
        ("list", Arc::new(lists.finish())),
        ("map", Arc::new(maps.finish())),
    ]);
    assert_eq!(told["numRecords"], 6);
    assert_eq!(told["minValues"], json!({ "text": "b", "n": -1 }));
    assert_eq!(told["maxValues"], json!({ "text": "z", "n": 3 }));
    let nulls = json!({ "text": 3, "none": 6, "flag": 4, "n": 4, "list": 2, "map": 3, "later": 6 });
    assert_eq!(told["nullCount"], nulls, "of what the file lacks, all are null");
}

#[test]
fn what_is_cut_is_not_smaller_than_what_it_was() {
    let long = "x".repeat(40);
    assert_eq!((below(&long), above(&long)), ("x".repeat(32), format!("{}y", "x".repeat(31))));
    assert_eq!((below("short"), above("short")), ("short".into(), "short".into()));
    // The last character of all has none after it, and before the surrogates there is a gap.
    let end = format!("{}\u{10FFFF}\u{10FFFF}", "é".repeat(31));
    assert_eq!(above(&end), format!("{}ê", "é".repeat(30)));
    assert_eq!(above(&"\u{D7FF}".repeat(33)), format!("{}\u{E000}", "\u{D7FF}".repeat(31)));
    let only = "\u{10FFFF}".repeat(33);
    assert_eq!(above(&only), only, "nothing shorter is as large");
}

proptest! {
    #[test]
    fn every_text_is_between_what_is_told(texts in prop::collection::vec(any::<Option<String>>(), 1..20), longer in 1_usize..30) {
        let texts: Vec<_> = texts.into_iter().map(|text| text.map(|text| text.repeat(longer))).collect();
        let told = told(vec![("text", Arc::new(StringArray::from(texts.clone())) as ArrayRef)]);
        let (min, max) = (told["minValues"]["text"].as_str(), told["maxValues"]["text"].as_str());
        prop_assert_eq!(min.is_some(), texts.iter().any(Option::is_some));
        for text in texts.iter().flatten() {
            prop_assert!(min.unwrap() <= text.as_str() && text.as_str() <= max.unwrap(), "{:?} {:?} {:?}", min, text, max);
            prop_assert!(min.unwrap().chars().count() <= CHARACTERS);
        }
    }
}
