//! Errors among the events of the log.

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::errors::{ErrorKind, note};

/// The crates whose events count. What libraries log may hold anything; and that nobody could be told of an alert is a check.
const OURS: &[&str] = &[
    "bus",
    "control",
    "database",
    "enricher",
    "health_check",
    "lake",
    "loader",
    "processing",
    "service",
    "stage",
    "streaming",
    "weir",
];
/// A check that fails is told as a check.
const CHECKS: &str = "service::health";
/// The hops, as groups and crates are called.
const HOPS: &[&str] = &["streaming", "processing", "enricher", "loader"];

/// Whether such an event is an error: by its level, or since it warns of one. A panic counts once, where it is; who comes upon
/// it says so without its place. What librdkafka says itself has a facility.
pub(super) fn is_error(metadata: &Metadata<'_>) -> bool {
    let has = |name: &str| metadata.fields().field(name).is_some();
    let has_error = || has("error") || has("why");
    metadata.is_event()
        && OURS.contains(&crate_of(metadata.target()))
        && metadata.target() != CHECKS
        && (!has("panic") || has("location"))
        && !has("facility")
        && (*metadata.level() == Level::ERROR || *metadata.level() == Level::WARN && has_error())
}

/// Counts events as errors.
pub(super) struct Logged {
    service: &'static str,
}

impl Logged {
    /// Of the process of this service.
    pub(super) fn of(service: &'static str) -> Self {
        Self { service }
    }
}

impl<S: Subscriber> Layer<S> for Logged {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let hop = hop(event.metadata().target(), [&said.stage, &said.group]).unwrap_or(self.service);
        let kind = if said.is_panic { ErrorKind::Panic } else { ErrorKind::Logged };
        note(hop, &said.endpoint, kind, &said.text());
    }
}

/// The hop, where the crate, the stage or the consumer group tells it: several hops may be in one process.
fn hop(target: &str, fields: [&str; 2]) -> Option<&'static str> {
    let by_crate = match crate_of(target) {
        "control" => Some("processing"),
        "health_check" => Some("health-check"),
        name => HOPS.iter().find(|hop| **hop == name).copied(),
    };
    by_crate.or_else(|| fields.iter().find_map(|field| HOPS.iter().find(|hop| field.contains(**hop)).copied()))
}

fn crate_of(target: &str) -> &str {
    target.split("::").next().unwrap_or_default()
}

/// What an event says: its message, its error, and of the other fields those that have few values.
#[derive(Default)]
struct Said {
    message: String,
    error: String,
    about: Vec<String>,
    endpoint: String,
    stage: String,
    group: String,
    is_panic: bool,
}

impl Said {
    fn text(&self) -> String {
        let mut text = self.message.clone();
        if !self.error.is_empty() {
            text = format!("{text}: {}", self.error);
        }
        if !self.about.is_empty() {
            text = format!("{text} ({})", self.about.join(", "));
        }
        text
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            // The text of the event comes first. A field of this name may quote anything.
            "message" if self.message.is_empty() => self.message = value,
            // Its message may quote what it was about, as that of `unwrap` does.
            "panic" => self.is_panic = true,
            "error" | "why" | "text" | "problem" => self.error = value,
            "endpoint" => self.endpoint = value,
            "stage" => self.stage = value,
            "group" => self.group = value,
            "step" | "lookup" | "table" | "topic" | "location" => self.about.push(format!("{name}={value}")),
            _ => {}
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value.to_owned());
    }
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
