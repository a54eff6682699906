//! A trace for people and for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bus::Coordinates;
use common::few::few;
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS};
use serde_json::{Value, json};

use super::{Found, Progress, Seen, Stage, Trace};
use crate::out;

impl Trace {
    /// How it stands, in one sentence.
    pub fn verdict(&self) -> String {
        if self.events.is_empty() && self.refused.is_empty() {
            return "The delivery holds no event, so it produces nothing.".to_owned();
        }
        let mut parts = Vec::new();
        let mut of = |what: &str, there: usize, all: usize| {
            if all > 0 {
                parts.push(format!("{there} of {all} {what}"));
            }
        };
        of("typed events", self.expected().filter(|event| event.typed.is_some()).count(), self.expected().count());
        let activities = || self.expected().flat_map(|event| event.activities.values());
        of("activities", activities().filter(|way| way.activity.is_some()).count(), activities().count());
        of("enriched", self.ways().filter(|way| way.enriched.is_some()).count(), self.ways().count());
        of("in the lake", self.ways().filter(|way| way.rows > 0).count(), self.ways().count());
        of("dead letters", self.refused.iter().filter(|r| r.seen.is_some()).count(), self.refused.len());
        let said = parts.join(", ");
        if self.is_complete() {
            return format!("Everything has arrived: {said}.");
        }
        format!("Not everything has arrived: {said}. {}", self.hints().join(" "))
    }

    /// What is known of that which is missing.
    fn hints(&self) -> Vec<String> {
        let (mut hints, mut expired, mut finished) = (self.in_flight(), false, BTreeSet::new());
        let mut unknown = BTreeSet::new();
        for gap in self.gaps() {
            match self.progress.get(gap.at) {
                _ if gap.is_in_lake() => expired = true,
                Some(Progress::Waits { .. }) => {}
                Some(Progress::Finished) => {
                    finished.insert(format!("{} has finished {}", name(gap.stage), place(gap.at)));
                }
                Some(Progress::Unknown(why)) => {
                    unknown.insert(format!("It cannot be told how far {} is: {why}.", name(gap.stage)));
                }
                None => {}
            }
        }
        if expired {
            hints.push("The lake has what is not on its topic any more.".to_owned());
        }
        if !finished.is_empty() {
            let stages: Vec<_> = finished.into_iter().collect();
            hints.push(format!(
                "{}, and what has to come of it was not found: `weir replay raw` processes the delivery again.",
                first_upper(&few(&stages, ", "))
            ));
        }
        hints.extend(unknown);
        if self.is_found_on_topics() && self.lake.is_none() {
            hints.push(
                "The rest is in flight: files are written and loaded at intervals (weir health shows the lag)."
                    .to_owned(),
            );
        }
        hints.extend(self.lake.as_ref().map(|error| format!("The lake cannot be read: {error}.")));
        hints
    }

    /// Of each stage the record that waits the longest.
    fn in_flight(&self) -> Vec<String> {
        let mut said = Vec::new();
        for stage in [Stage::Processing, Stage::Enricher] {
            let gaps = self.gaps().filter(|gap| gap.stage == stage);
            let waits = gaps.filter_map(|gap| match self.progress.get(gap.at)? {
                Progress::Waits { before, .. } => Some((*before, gap.at)),
                Progress::Finished | Progress::Unknown(_) => None,
            });
            if let Some((before, at)) = waits.max() {
                let records =
                    if before == 1 { "1 record".to_owned() } else { format!("{} records", out::count(before)) };
                said.push(format!("{} has not finished {} yet ({records} before it)", name(stage), place(at)));
            }
        }
        if said.is_empty() {
            return Vec::new();
        }
        vec![format!("In flight: {}. weir health says whether the stage works.", said.join(", and "))]
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
        let waiting = self.progress.iter().filter_map(|(at, progress)| match progress {
            Progress::Waits { before, .. } => Some(json!({"at": at.to_string(), "before": before})),
            Progress::Finished | Progress::Unknown(_) => None,
        });
        json!({
            "delivery_id": delivery.delivery_id,
            "received_at": delivery.received_at.map(|at| at.to_string()),
            "endpoint": delivery.endpoint,
            "tenant": delivery.tenant,
            "raw": record.coordinates.to_string(),
            "traceparent": record.headers.traceparent,
            "events": events,
            "refused": refused.collect::<Vec<_>>(),
            "waiting": waiting.collect::<Vec<_>>(),
            "looked_at": self.looked_at,
            "complete": self.is_complete(),
            "verdict": self.verdict(),
        })
    }
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Processing => "processing",
        Stage::Enricher => "the enricher",
    }
}

fn first_upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
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
