//! A log line as one JSON object.

use std::fmt::{self, Debug};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use prost_types::Timestamp;
use serde_json::{Map, Number, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// `{"timestamp", "level", "target", "message", …the fields of the event…, "trace_id", "span_id"}`. A field that would
/// hide one of these gets an underscore.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let line = line(event, &crate::clock::timestamp());
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn line(event: &Event<'_>, now: &Timestamp) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), now.to_string().into());
    line.insert("level".to_owned(), event.metadata().level().as_str().to_lowercase().into());
    line.insert("target".to_owned(), event.metadata().target().into());
    // The thread's own, which entering a span sets; where nothing is traced there is none.
    let context = Context::current();
    let span = context.span();
    let span = span.span_context();
    if span.is_valid() {
        line.insert("trace_id".to_owned(), span.trace_id().to_string().into());
        line.insert("span_id".to_owned(), span.span_id().to_string().into());
    }
    event.record(&mut Fields(&mut line));
    line
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        let mut name = field.name().to_owned();
        while self.0.contains_key(&name) {
            name.push('_');
        }
        self.0.insert(name, value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Not a number and the infinities are no JSON.
        match Number::from_f64(value) {
            Some(number) => self.insert(field, Value::Number(number)),
            None => self.insert(field, value.to_string()),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.insert(field, value.to_string());
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
