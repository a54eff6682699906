//! Trace context in and out of headers, as W3C `traceparent`.
//!
//! Where traces are not exported, spans are disabled where they are made, and what came in is passed on as it is: others
//! may export. Where they are, a record of a trace that is not sampled gets no span by [`continue_from`], and [`onward`]
//! passes the decision on.

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// The `traceparent` of the current span; none where traces are not exported.
#[must_use]
pub fn current_traceparent() -> Option<String> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let mut found = Carrier(None);
    TraceContextPropagator::new().inject_context(&span.context(), &mut found);
    found.0
}

/// The trace that a request belongs to: its `traceparent`, as the version of today writes it. None where it has none that
/// is well-formed.
#[must_use]
pub fn of_request(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    let propagator = TraceContextPropagator::new();
    // Not the context of the current span: it would stand for what is malformed.
    let context = propagator.extract_with_context(&Context::new(), &Carrier(Some(text.to_owned())));
    let mut found = Carrier(None);
    propagator.inject_context(&context, &mut found);
    found.0
}

/// Makes `span` the child of the span that `traceparent` names. Does nothing if it is absent or malformed, or if traces
/// are not exported. To be called before the span is entered.
pub fn set_parent(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    if span.is_disabled() {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Carrier(Some(traceparent.to_owned())));
    if !context.span().span_context().is_valid() {
        tracing::debug!(traceparent, "malformed trace context ignored");
        return;
    }
    if let Err(error) = span.set_parent(context) {
        tracing::debug!(%error, "a span was entered before it got its parent");
    }
}

/// A span for work that a record or a request asks for: `make`'s span as the child of the span that `traceparent`
/// names. If that trace is not sampled no span is made, which costs nothing. Without a `traceparent` a trace begins.
pub fn continue_from(traceparent: Option<&str>, make: impl FnOnce() -> Span) -> Span {
    if traceparent.is_some_and(|traceparent| !is_sampled(traceparent)) {
        return Span::none();
    }
    let span = make();
    set_parent(&span, traceparent);
    span
}

/// The `traceparent` for what goes on from here: that of the current span, else the one that came in, so that what was
/// decided about a trace holds to its end.
#[must_use]
pub fn onward(incoming: Option<&str>) -> Option<String> {
    current_traceparent().or_else(|| incoming.map(str::to_owned))
}

/// The span of a gRPC call that belongs to a trace. A call of none gets none: else each look at health would begin one.
pub(crate) fn of_call(call: &http::Request<()>) -> Span {
    let Some(traceparent) = call.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()) else {
        return Span::none();
    };
    continue_from(Some(traceparent), || tracing::info_span!("call", method = call.uri().path()))
}

/// The flag of a `traceparent`: `00-<trace>-<span>-<flags>`. A malformed one does not decide anything: sampled.
fn is_sampled(traceparent: &str) -> bool {
    let flags = traceparent.split('-').nth(3).and_then(|flags| u8::from_str_radix(flags, 16).ok());
    flags.is_none_or(|flags| flags & 1 == 1)
}

struct Carrier(Option<String>);

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACEPARENT { self.0.as_deref() } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
