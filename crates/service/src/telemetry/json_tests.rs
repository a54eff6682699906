use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use proptest::prelude::*;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Written;

    fn make_writer(&'a self) -> Written {
        self.clone()
    }
}

/// What is logged, each line as JSON; spans are traced.
fn logged(run: impl FnOnce()) -> Vec<Value> {
    let written = Written::default();
    let provider = SdkTracerProvider::builder().build();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
        .with(tracing_subscriber::fmt::layer().event_format(Json).with_writer(written.clone()));
    tracing::subscriber::with_default(subscriber, run);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_has_its_fields_with_their_types() {
    let error = io::Error::other("disk \"full\"");
    let lines = logged(|| {
        tracing::warn!(
            target: "weir::test", n = 3_u64, below = -1_i64, ratio = 0.5, odd = f64::NAN, on = true, text = "a\nb",
            error = &error as &dyn std::error::Error, shown = %"x", debug = ?Some(1), absent = None::<u64>, "it happened"
        );
    });
    let line = &lines[0];
    assert!(common::time::from_rfc3339(line["timestamp"].as_str().unwrap()).is_some(), "{line}");
    let expected = serde_json::json!({
        "level": "warn", "target": "weir::test", "message": "it happened", "n": 3, "below": -1, "ratio": 0.5,
        "odd": "NaN", "on": true, "text": "a\nb", "error": "disk \"full\"", "shown": "x", "debug": "Some(1)",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key}");
    }
    assert_eq!(line.as_object().unwrap().len(), expected.as_object().unwrap().len() + 1, "{line}");
}

#[test]
fn a_line_within_a_span_names_its_trace() {
    let lines = logged(|| {
        tracing::info!("before");
        let span = tracing::info_span!("work");
        crate::trace::set_parent(&span, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        span.in_scope(|| tracing::info!("within"));
    });
    assert!(lines[0].get("trace_id").is_none(), "{}", lines[0]);
    assert_eq!(lines[1]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(lines[1]["span_id"].as_str().unwrap().len(), 16);
}

#[test]
fn a_field_does_not_hide_the_level() {
    let lines = logged(|| tracing::info!(level = "high", target = "moon", "x"));
    assert_eq!((&lines[0]["level"], &lines[0]["level_"]), (&"info".into(), &"high".into()));
    assert_eq!(lines[0]["target_"], "moon");
}

proptest! {
    #[test]
    fn a_line_is_one_line_of_json(text in ".{0,40}", control in any::<char>()) {
        let text = format!("{text}{control}\n");
        let lines = logged(|| tracing::info!(text, "{text}"));
        prop_assert_eq!(lines.len(), 1);
        prop_assert_eq!(&lines[0]["text"], &Value::from(text.clone()));
        prop_assert_eq!(&lines[0]["message"], &Value::from(text));
    }
}
