use std::sync::{Arc, Mutex};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use proptest::prelude::*;
use tracing::info_span;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Keeps names and trace ids.
#[derive(Clone, Debug, Default)]
struct Exported(Arc<Mutex<Vec<(String, String)>>>);

impl SpanExporter for Exported {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        let spans = spans.iter().map(|span| (span.name.to_string(), span.span_context.trace_id().to_string()));
        self.0.lock().unwrap().extend(spans);
        Ok(())
    }
}

/// Runs with traces exported; the names of the spans that were, with their trace ids.
fn exported(sampler: Sampler, run: impl FnOnce()) -> Vec<(String, String)> {
    let exporter = Exported::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_sampler(Sampler::ParentBased(Box::new(sampler)))
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
    exporter.0.lock().unwrap().clone()
}

#[test]
fn a_trace_goes_from_header_to_header() {
    let mut out = None;
    let spans = exported(Sampler::AlwaysOff, || {
        let span = info_span!("work");
        set_parent(&span, Some(PARENT));
        out = span.in_scope(current_traceparent);
    });
    let out = out.unwrap();
    assert!(out.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && out.ends_with("-01"), "{out}");
    assert_ne!(out, PARENT, "a span of its own");
    assert_eq!(spans, [("work".to_owned(), "4bf92f3577b34da6a3ce929d0e0e4736".to_owned())]);
}

#[test]
fn what_was_decided_at_the_beginning_holds() {
    let spans = exported(Sampler::AlwaysOn, || {
        let span = info_span!("work");
        set_parent(&span, Some(UNSAMPLED));
        let out = span.in_scope(current_traceparent).unwrap();
        assert!(out.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && out.ends_with("-00"), "{out}");

        let span = continue_from(Some(UNSAMPLED), || panic!("no span is made"));
        assert!(span.is_none());
        assert_eq!(span.in_scope(|| onward(Some(UNSAMPLED))).as_deref(), Some(UNSAMPLED));
    });
    assert_eq!(spans, []);
}

#[test]
fn without_a_parent_a_trace_begins() {
    let spans = exported(Sampler::AlwaysOn, || {
        for parent in [None, Some("nonsense"), Some(""), Some("00-0-0-01")] {
            let span = continue_from(parent, || info_span!("root"));
            let out = span.in_scope(|| onward(parent)).unwrap();
            assert!(out.ends_with("-01") && out.len() == PARENT.len(), "{out}");
        }
    });
    let ids: std::collections::BTreeSet<_> = spans.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 4, "each its own trace");
}

#[test]
fn nothing_happens_where_nothing_is_exported() {
    assert_eq!(current_traceparent(), None);
    set_parent(&Span::none(), Some(PARENT));
    let span = info_span!("work");
    assert!(span.is_disabled(), "no layer wants spans");
    set_parent(&span, Some(PARENT));
    assert_eq!(span.in_scope(current_traceparent), None);
    assert_eq!(onward(Some(PARENT)).as_deref(), Some(PARENT), "others may export");
}

#[test]
fn a_request_belongs_to_the_trace_that_it_names_well() {
    let trace_of = |text: &str| {
        let value = http::HeaderValue::from_str(text).unwrap();
        of_request(&HeaderMap::from_iter([(http::HeaderName::from_static(TRACEPARENT), value)]))
    };
    let whole = [
        (PARENT, PARENT),
        (UNSAMPLED, UNSAMPLED),
        // Of a later version: what this one knows of it.
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-what-the-future-adds", PARENT),
    ];
    let malformed = [
        "",
        "nonsense",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ];
    let all = || {
        assert_eq!(of_request(&HeaderMap::new()), None);
        for (sent, seen) in whole {
            assert_eq!(trace_of(sent).as_deref(), Some(seen), "{sent}");
        }
        for sent in malformed {
            assert_eq!(trace_of(sent), None, "{sent}");
        }
    };
    all();
    // A span of another trace changes nothing.
    exported(Sampler::AlwaysOn, || info_span!("work").in_scope(all));
}

#[test]
fn a_call_is_a_span_of_the_trace_that_it_comes_from_and_begins_none() {
    let call = |traceparent: Option<&str>| {
        let mut call = http::Request::post("/weir.health.v1.HealthService/GetDigest");
        if let Some(traceparent) = traceparent {
            call = call.header(TRACEPARENT, traceparent);
        }
        call.body(()).unwrap()
    };
    let spans = exported(Sampler::AlwaysOn, || {
        for traceparent in [None, Some(UNSAMPLED), Some(PARENT)] {
            of_call(&call(traceparent)).in_scope(|| ());
        }
    });
    assert_eq!(spans, [("call".to_owned(), "4bf92f3577b34da6a3ce929d0e0e4736".to_owned())]);
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(text in ".{0,60}") {
        exported(Sampler::AlwaysOff, || {
            let span = continue_from(Some(&text), || info_span!("work"));
            span.in_scope(current_traceparent);
        });
    }
}
