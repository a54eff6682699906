//! What is missing of a delivery, and whether anything is known of it. Pure.

use std::collections::BTreeSet;

use bus::Coordinates;
use prost_types::Timestamp;

use super::{Event, Trace, Way};

/// What makes something of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Typed events, activities and dead letters of deliveries.
    Processing,
    /// Enriched activities of activities.
    Enricher,
}

/// How far a stage is with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It has not finished it, and finishes so many before.
    Waits {
        /// Offsets from where its group stands to the record.
        before: u64,
        /// It may have made something of it all the same: later ones of the partition are out.
        begun: bool,
    },
    /// It has finished it.
    Finished,
    /// That cannot be told, for this reason.
    Unknown(String),
}

/// Something that has to come of a record and was not found on the topics.
pub(super) struct Gap<'a> {
    pub(super) stage: Stage,
    pub(super) at: &'a Coordinates,
    /// None: it is a dead letter.
    event: Option<&'a Event>,
}

impl Gap<'_> {
    /// The lake has all that had to come of the event: what is not on a topic has expired there.
    pub(super) fn is_in_lake(&self) -> bool {
        self.event
            .is_some_and(|event| !event.activities.is_empty() && event.activities.values().all(|way| way.rows > 0))
    }
}

impl Trace {
    pub(super) fn gaps(&self) -> impl Iterator<Item = Gap<'_>> {
        let raw = &self.found.record.coordinates;
        let of_events = self.expected().flat_map(move |event| {
            let ways = event.activities.values();
            let lacks = event.typed.is_none() || ways.clone().any(|way| way.activity.is_none());
            let of_raw = lacks.then_some(Gap { stage: Stage::Processing, at: raw, event: Some(event) });
            let not_enriched = ways.filter(|way| way.enriched.is_none() && !self.is_refused(way));
            let of_activities = not_enriched.filter_map(|way| way.activity.as_ref());
            let gap = move |at| Gap { stage: Stage::Enricher, at, event: Some(event) };
            of_raw.into_iter().chain(of_activities.map(move |seen| gap(&seen.at)))
        });
        let letters = self.refused.iter().filter(|refused| refused.seen.is_none());
        of_events.chain(letters.map(move |_| Gap { stage: Stage::Processing, at: raw, event: None }))
    }

    /// The events that were not refused.
    pub(super) fn expected(&self) -> impl Iterator<Item = &Event> {
        let is_refused = |event: &Event| {
            let mut letters =
                self.refused.iter().filter(|refused| refused.seen.is_some() && refused.activity.is_none());
            letters.any(|refused| refused.is_all || refused.index == event.index)
        };
        self.events.iter().filter(move |event| !is_refused(event))
    }

    /// What has to be in the lake.
    pub(super) fn ways(&self) -> impl Iterator<Item = &Way> {
        self.expected().flat_map(|event| event.activities.values()).filter(|way| !self.is_refused(way))
    }

    /// The enricher has refused the activity.
    fn is_refused(&self, way: &Way) -> bool {
        let Some(seen) = &way.activity else { return false };
        self.refused.iter().any(|refused| refused.activity.as_ref() == Some(&seen.at))
    }

    /// Nothing is left to be looked for on the topics.
    pub fn is_found_on_topics(&self) -> bool {
        self.gaps().next().is_none()
    }

    /// Nothing need be looked for: all was found, cannot be there yet, or has expired.
    pub fn is_settled(&self) -> bool {
        let cannot_be_there =
            |gap: &Gap<'_>| matches!(self.progress.get(gap.at), Some(Progress::Waits { begun: false, .. }));
        self.gaps().all(|gap| (gap.is_in_lake() && !self.is_kept) || cannot_be_there(&gap))
    }

    /// All that has to come of it has arrived.
    pub fn is_complete(&self) -> bool {
        self.is_found_on_topics() && self.ways().all(|way| way.rows > 0) && self.lake.is_none()
    }

    /// The records of which something has to come that was not found, with the stage that makes it.
    pub fn awaited(&self) -> BTreeSet<(Stage, Coordinates)> {
        self.gaps().map(|gap| (gap.stage, gap.at.clone())).collect()
    }

    /// How far the stage of this record is; what was known before is forgotten with [`nothing_known`](Self::nothing_known).
    pub fn is_at(&mut self, at: Coordinates, progress: Progress) {
        self.progress.insert(at, progress);
    }

    /// The stages are asked anew.
    pub fn nothing_known(&mut self) {
        self.progress.clear();
    }

    /// The activities without a row of events that may have come with another delivery.
    pub fn repeated(&self) -> Vec<String> {
        let waits = matches!(self.progress.get(&self.found.record.coordinates), Some(Progress::Waits { .. }));
        let may_be = |event: &&Event| event.came_with.is_some() || (event.typed.is_none() && !waits);
        let ways = self.expected().filter(may_be).flat_map(|event| &event.activities);
        ways.filter(|(_, way)| way.rows == 0).map(|(id, _)| id.clone()).collect()
    }

    /// When that was worked on which is not on the topics where it was looked for, as the lake has it: of a repetition long
    /// before, of a backlog long after. One of several within a second.
    pub fn worked_on(&self) -> Vec<Timestamp> {
        let events = self.gaps().filter_map(|gap| gap.event);
        let times = events.flat_map(|event| event.activities.values()).filter_map(|way| way.enriched_at);
        let seconds: BTreeSet<i64> = times.map(|time| time.seconds).collect();
        seconds.into_iter().map(|seconds| Timestamp { seconds, nanos: 0 }).collect()
    }
}
