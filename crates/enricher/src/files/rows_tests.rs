use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::*;

pub(in crate::files) fn row(offset: i64) -> Row {
    let actor = |id: &str| Actor { id: id.into(), name: "Ann".into(), handle: "ann".into(), r#type: "user".into() };
    let object = |id: &str| Object {
        id: id.into(),
        r#type: "comment".into(),
        url: "https://example.org/1".into(),
        title: "Title".into(),
        status: "open".into(),
        author: Some(actor("8")),
        number: None,
    };
    let named = |r#type: &str, title: &str| Object {
        r#type: r#type.into(),
        id: format!("{title} id"),
        url: format!("https://example.org/{title}"),
        title: title.into(),
        ..Object::default()
    };
    let received = Timestamp { seconds: 1_772_366_400, nanos: 123_456_789 };
    let context = Context {
        event_id: "e".repeat(32),
        tenant: "acme".into(),
        endpoint: "shop".into(),
        source: "facebook".into(),
        account_id: "7".into(),
        occurred_at: Some(received),
        time_quality: TimeQuality::Sent.into(),
        received_at: Some(received),
        delivery_id: "d".into(),
        index: 0,
    };
    let activity = Activity {
        id: format!("{offset}-1"),
        ordinal: 1,
        context: Some(context),
        event_type: "weir.facebook.v1.Comment".into(),
        actor: Some(actor("9")),
        verb: 4,
        object: Some(object("7_1")),
        target: Some(object("7_0")),
        text: Some("text".into()),
        reaction: Some("like".into()),
        links: vec!["https://example.org".into()],
        occurred_at: Some(received),
        action: "add".into(),
        account: Some(named("page", "Bakery")),
        instrument: Some(named("photo", "Bread")),
        thread: Some(Object { number: Some(42), ..named("post", "News") }),
        run: Some(Run { workflow: "CI".into(), id: "5".into(), url: "https://example.org/5".into(), attempt: Some(2) }),
        branch: "main".into(),
        commit: "c0ffee".into(),
    };
    Row {
        enriched: EnrichedActivity {
            activity: Some(activity),
            attributes: [("crm.tier".to_owned(), "gold".to_owned())].into(),
            language: "eng".into(),
            hashtags: vec!["weir".into(), "rust".into()],
            mentions: vec!["ann".into()],
            links: vec!["https://example.org".into()],
            partial: true,
            failed_steps: vec![],
            enriched_at: Some(received),
        },
        at: Coordinates { log: "log".into(), topic: "activities".into(), partition: 3, offset },
        traceparent: Some(format!("00-{}-{}-01", "a".repeat(32), "b".repeat(16))),
    }
}

#[test]
fn every_column_is_filled_from_its_field() {
    let batch = batch(&[row(41), Row { enriched: EnrichedActivity::default(), traceparent: None, ..row(42) }]).unwrap();
    let text = |name: &str| {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        assert!(column.is_null(1) || name.starts_with("weir_"), "{name} has nothing to say of the second row");
        column.value(0).to_owned()
    };
    let object = [("type", "comment"), ("url", "https://example.org/1"), ("title", "Title")];
    for (name, value) in object {
        assert_eq!((text(&format!("object_{name}")), text(&format!("target_{name}"))), (value.into(), value.into()));
    }
    for (name, value) in [
        ("id", "41-1"),
        ("event_id", &"e".repeat(32)),
        ("tenant", "acme"),
        ("endpoint", "shop"),
        ("source", "facebook"),
        ("account_id", "7"),
        ("event_type", "weir.facebook.v1.Comment"),
        ("verb", "comment"),
        ("actor_id", "9"),
        ("actor_name", "Ann"),
        ("actor_handle", "ann"),
        ("actor_type", "user"),
        ("object_id", "7_1"),
        ("object_status", "open"),
        ("object_author_id", "8"),
        ("object_author_name", "Ann"),
        ("object_author_handle", "ann"),
        ("target_id", "7_0"),
        ("target_status", "open"),
        ("target_author_id", "8"),
        ("target_author_name", "Ann"),
        ("target_author_handle", "ann"),
        ("action", "add"),
        ("url", "https://example.org/1"),
        ("account_name", "Bakery"),
        ("account_type", "page"),
        ("account_url", "https://example.org/Bakery"),
        ("instrument_id", "Bread id"),
        ("instrument_type", "photo"),
        ("instrument_url", "https://example.org/Bread"),
        ("instrument_title", "Bread"),
        ("thread_id", "News id"),
        ("thread_type", "post"),
        ("thread_url", "https://example.org/News"),
        ("thread_title", "News"),
        ("workflow", "CI"),
        ("run_id", "5"),
        ("run_url", "https://example.org/5"),
        ("branch", "main"),
        ("commit", "c0ffee"),
        ("text", "text"),
        ("reaction", "like"),
        ("language", "eng"),
        ("time_quality", "sent"),
        ("delivery_id", "d"),
        ("trace_id", &"a".repeat(32)),
        ("weir_log", "log"),
        ("weir_topic", "activities"),
    ] {
        assert_eq!(text(name), value, "{name}");
    }
    let ints = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int32Type>().values().to_vec();
    assert_eq!((ints("ordinal"), ints("weir_partition")), (vec![1, 0], vec![3, 3]));
    let offsets = batch.column_by_name("weir_offset").unwrap().as_primitive::<Int64Type>();
    assert_eq!(offsets.values(), &[41, 42]);
    for (name, value) in [("number", 42), ("run_attempt", 2)] {
        let numbers = batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        assert_eq!((numbers.value(0), numbers.is_null(1)), (value, true), "{name}");
    }
    for name in ["occurred_at", "received_at", "enriched_at"] {
        let times = batch.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>();
        assert_eq!((times.value(0), times.is_null(1)), (1_772_366_400_123_456, true), "{name}");
    }
    let partial = batch.column_by_name("partial").unwrap().as_boolean();
    assert_eq!((partial.value(0), partial.value(1)), (true, false));
    let hashtags = batch.column_by_name("hashtags").unwrap().as_list::<i32>();
    let first = hashtags.value(0);
    assert_eq!(first.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("weir"), Some("rust")]);
    assert_eq!(hashtags.value(1).len(), 0);
    let attributes = batch.column_by_name("attributes").unwrap().as_map();
    assert_eq!(attributes.value(0).column(0).as_string::<i32>().value(0), "crm.tier");
    assert_eq!(attributes.value(0).column(1).as_string::<i32>().value(0), "gold");
}

/// Columns only grow. Whoever changes this list changes tables that exist.
#[test]
fn the_schema_is_as_it_was() {
    let schema: Vec<String> =
        SCHEMA.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
    assert!(SCHEMA.fields().iter().all(|field| field.is_nullable()));
    let golden = include_str!("../../fixtures/schema.txt");
    assert_eq!(schema.join("\n"), golden.trim_end());
}

#[test]
fn a_traceparent_that_is_none_has_no_trace() {
    for bad in ["", "00", "00-xyz-1-01", &format!("00-{}-1-01", "g".repeat(32))] {
        assert_eq!(trace_id(bad), None, "{bad:?}");
    }
}
