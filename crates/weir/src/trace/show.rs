//! A trace for people and for programs.

use std::fmt::Write as _;

use bus::Coordinates;
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS};
use serde_json::{Value, json};

use super::{Found, Seen, Stage, Trace};
use crate::out;

impl Trace {
    /// How it stands, in one sentence.
    pub fn verdict(&self) -> String {
        if self.events.is_empty() && self.refused.is_empty() {
            return "The delivery holds no event, so it produces nothing.".to_owned();
        }
        let mut parts = Vec::new();
        let ways = || self.events.iter().flat_map(|event| event.activities.values());
        let mut of = |what: &str, there: usize, all: usize| {
            if all > 0 {
                parts.push(format!("{there} of {all} {what}"));
            }
        };
        of("typed events", self.events.iter().filter(|event| event.typed.is_some()).count(), self.events.len());
        of("activities", ways().filter(|way| way.activity.is_some()).count(), ways().count());
        of("enriched", ways().filter(|way| way.enriched.is_some()).count(), ways().count());
        of("in the lake", ways().filter(|way| way.rows > 0).count(), ways().count());
        of("dead letters", self.refused.iter().filter(|r| r.seen.is_some()).count(), self.refused.len());
        let said = parts.join(", ");
        if self.is_complete() {
            return format!("Everything has arrived: {said}.");
        }
        let missing = self.events.iter().any(|event| event.typed.is_none());
        let hint = match &self.lake {
            Some(error) => format!("The lake cannot be read: {error}."),
            None if !self.waiting.is_empty() => self.in_flight(),
            None if missing => {
                "Their stage has read the delivery, so missing events repeat events that have expired from \
                                their topic."
                    .to_owned()
            }
            None => "The rest is in flight: files are written and loaded at intervals (weir health shows the lag)."
                .to_owned(),
        };
        format!("Not everything has arrived: {said}. {hint}")
    }

    /// What has not been read yet: of each stage the record that waits the longest.
    fn in_flight(&self) -> String {
        let mut said = Vec::new();
        for (stage, name) in [(Stage::Processing, "processing"), (Stage::Enricher, "the enricher")] {
            let awaited = self.awaited().into_iter().filter(|(of, _)| *of == stage);
            let waits = awaited.filter_map(|(_, at)| self.waiting.get(&at).map(|before| (*before, at)));
            if let Some((before, at)) = waits.max() {
                let records =
                    if before == 1 { "1 record".to_owned() } else { format!("{} records", out::count(before)) };
                said.push(format!("{name} has not read {} yet ({records} before it)", place(&at)));
            }
        }
        format!("In flight: {}. weir health says whether the stage works.", said.join(", and "))
    }

    /// For people.
    pub fn pretty(&self) -> String {
        let Found { record, delivery } = &self.found;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "delivery  {}", delivery.delivery_id);
        let received = delivery.received_at.map(|at| at.to_string()).unwrap_or_default();
        let _ = writeln!(text, "received  {received}   endpoint {}   tenant {}", delivery.endpoint, delivery.tenant);
        if let Some(trace) = record.headers.traceparent.as_deref().and_then(|parent| parent.split('-').nth(1)) {
            let _ = writeln!(text, "trace     {trace}");
        }
        let size = out::count(delivery.body.len() as u64);
        let _ = writeln!(text, "\n  {}   {size} bytes, verified by {}", place(&record.coordinates), delivery.scheme);
        for event in &self.events {
            let _ = writeln!(text, "  └─ {}   {}", show(event.typed.as_ref(), &event.topic), event.id);
            if let Some(other) = &event.came_with {
                let _ = writeln!(text, "     repeats an event of delivery {other}");
            }
            for (id, way) in &event.activities {
                let _ = writeln!(text, "     └─ {}   {id}", show(way.activity.as_ref(), ACTIVITIES.name()));
                let _ = writeln!(text, "        └─ {}", show(way.enriched.as_ref(), ACTIVITIES_ENRICHED.name()));
                let _ = writeln!(text, "           └─ lake   {}", rows(way.rows));
            }
        }
        for refused in &self.refused {
            let _ = writeln!(text, "  └─ {}   {}", show(refused.seen.as_ref(), DEAD_LETTERS.name()), refused.reason);
        }
        let _ = write!(text, "\n{}", self.verdict());
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Found { record, delivery } = &self.found;
        let seen = |seen: &Option<Seen>| {
            seen.as_ref()
                .map(|seen| json!({"at": seen.at.to_string(), "after_ms": seen.after_ms, "times": seen.times()}))
        };
        let events: Vec<_> = self
            .events
            .iter()
            .map(|event| {
                let activities = event.activities.iter().map(|(id, way)| {
                    json!({"id": id, "activity": seen(&way.activity), "enriched": seen(&way.enriched), "lake_rows": way.rows})
                });
                json!({
                    "id": event.id, "topic": event.topic, "typed": seen(&event.typed), "came_with": event.came_with,
                    "activities": activities.collect::<Vec<_>>(),
                })
            })
            .collect();
        let refused =
            self.refused.iter().map(|r| json!({"index": r.index, "reason": r.reason, "dead_letter": seen(&r.seen)}));
        json!({
            "delivery_id": delivery.delivery_id,
            "received_at": delivery.received_at.map(|at| at.to_string()),
            "endpoint": delivery.endpoint,
            "tenant": delivery.tenant,
            "raw": record.coordinates.to_string(),
            "traceparent": record.headers.traceparent,
            "events": events,
            "refused": refused.collect::<Vec<_>>(),
            "waiting": self.waiting.iter().map(|(at, before)| json!({"at": at.to_string(), "before": before}))
                .collect::<Vec<_>>(),
            "looked_at": self.looked_at,
            "complete": self.is_complete(),
            "verdict": self.verdict(),
        })
    }
}

fn place(at: &Coordinates) -> String {
    format!("{}/{}/{}", at.topic, at.partition, at.offset)
}

fn show(seen: Option<&Seen>, topic: &str) -> String {
    let Some(seen) = seen else { return format!("{topic}   not found") };
    let times = if seen.times() > 1 { format!(", {} times", seen.times()) } else { String::new() };
    format!("{}   {:+} ms{times}", place(&seen.at), seen.after_ms)
}

fn rows(rows: usize) -> String {
    match rows {
        0 => "not found".to_owned(),
        1 => "1 row".to_owned(),
        more => format!("{more} rows: duplicates, which are a fault"),
    }
}
