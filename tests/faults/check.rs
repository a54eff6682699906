//! The verdict: what was acknowledged is compared with what came of it, id by id, stage by stage.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use common::load::v1::LoadRequest;

use crate::ledger::{Answer, Event, Ledger, What};
use crate::observe::{Facts, Place, Times};

/// One comparison.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    /// How many there have to be.
    pub(crate) wanted: u64,
    /// How many of them there are.
    pub(crate) found: u64,
    /// Examples of what is missing.
    pub(crate) missing: Examples,
    /// Examples of what nobody asked for, or is different.
    pub(crate) wrong: Examples,
    /// How often something is there once more than needed, where that is allowed.
    pub(crate) again: u64,
}

/// A count, and the first few.
#[derive(Debug, Default)]
pub(crate) struct Examples {
    pub(crate) count: u64,
    first: Vec<String>,
}

impl Examples {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < 3 {
            self.first.push(example());
        }
    }
}

/// All comparisons.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) rows: Vec<Row>,
}

impl Verdict {
    /// What is missing anywhere.
    pub(crate) fn lost(&self) -> u64 {
        self.rows.iter().map(|row| row.missing.count).sum()
    }

    /// What should not be.
    pub(crate) fn wrong(&self) -> u64 {
        self.rows.iter().map(|row| row.wrong.count).sum()
    }

    pub(crate) fn holds(&self) -> bool {
        self.lost() == 0 && self.wrong() == 0
    }

    /// What a topic holds once more than needed.
    pub(crate) fn again(&self) -> u64 {
        self.rows.iter().map(|row| row.again).sum()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<34} {:>8} {:>8} {:>8} {:>8} {:>8}", "", "wanted", "found", "missing", "wrong", "again")?;
        for row in &self.rows {
            let Row { what, wanted, found, missing, wrong, again } = row;
            writeln!(f, "  {what:<34} {wanted:>8} {found:>8} {:>8} {:>8} {again:>8}", missing.count, wrong.count)?;
            for (label, examples) in [("missing", missing), ("wrong", wrong)] {
                for example in &examples.first {
                    writeln!(f, "    {label}: {example}")?;
                }
            }
        }
        let verdict =
            if self.holds() { "nothing is lost, nothing is doubled" } else { "EVENTS ARE LOST, DOUBLED OR WRONG" };
        write!(f, "  {verdict}")
    }
}

fn row(what: &'static str) -> Row {
    Row { what, wanted: 0, found: 0, missing: Examples::default(), wrong: Examples::default(), again: 0 }
}

impl Row {
    fn want(&mut self, there: bool, name: impl FnOnce() -> String) {
        self.wanted += 1;
        if there {
            self.found += 1;
        } else {
            self.missing.add(name);
        }
    }

    fn again(&mut self, times: u64) {
        self.again += times.saturating_sub(1);
    }
}

/// Compares.
pub(crate) fn check(ledger: &Ledger, facts: &Facts, injected: &HashMap<Place, &'static str>) -> Verdict {
    let events = in_raw(ledger, facts);
    let rows = vec![
        acknowledged_is_raw(ledger, facts, injected),
        raw_is_typed(&events, facts),
        typed_has_activities(&events, facts),
        same_ids("activities enriched", &facts.activities, &facts.enriched),
        // The loader writes small files anew as larger ones, so how often an id is in files says nothing of the topics.
        Row { again: 0, ..same_ids("enriched in files", &facts.enriched, &facts.in_files) },
        ranges(&facts.requests),
        in_the_lake(&facts.enriched, &facts.in_lake),
        letters(ledger, facts, injected),
    ];
    Verdict { rows }
}

/// What all raw records mean, by topic and natural key.
fn in_raw<'a>(ledger: &'a Ledger, facts: &Facts) -> HashMap<(&'a str, &'a str), &'a Event> {
    let known = facts.raw.values().flatten().filter_map(|what| ledger.deliveries.get(what));
    known
        .flat_map(|delivered| &delivered.events)
        .map(|event| ((event.topic.as_str(), event.key.as_str()), event))
        .collect()
}

fn acknowledged_is_raw(ledger: &Ledger, facts: &Facts, injected: &HashMap<Place, &'static str>) -> Row {
    let mut row = row("acknowledged deliveries on raw");
    let mut there = Times::<&What>::new();
    for (place, what) in &facts.raw {
        match what {
            _ if injected.contains_key(place) => {}
            None => row.wrong.add(|| format!("{place:?} is not a delivery")),
            Some(what) => match ledger.deliveries.get(what) {
                None => row.wrong.add(|| format!("the record at {place:?} was never sent")),
                Some(delivered) if delivered.answer == Answer::Refused => {
                    row.wrong.add(|| format!("{place:?} was refused at the door"));
                }
                Some(_) => *there.entry(what).or_default() += 1,
            },
        }
    }
    for (what, delivered) in &ledger.deliveries {
        let found = there.get(what).copied().unwrap_or_default();
        let acknowledged = delivered.acknowledged.len() as u64;
        row.wanted += acknowledged;
        row.found += found.min(acknowledged);
        for _ in found..acknowledged {
            row.missing.add(|| {
                let answers: Vec<_> =
                    delivered.acknowledged.iter().map(|(door, at)| format!("door {door} at {at}")).collect();
                let answers = answers.join(" and ");
                format!("{} of a delivery to {} with a body of SHA-256 {}: {answers}", found, what.0, what.1)
            });
        }
        // Attempts of which the sender does not know that they were taken, and of such deliveries.
        row.again += found.saturating_sub(acknowledged);
    }
    row
}

fn raw_is_typed(events: &HashMap<(&str, &str), &Event>, facts: &Facts) -> Row {
    let mut row = row("events of raw deliveries typed");
    let mut ids = HashSet::new();
    for event in events.values() {
        let found = facts.typed.get(&(event.topic.clone(), event.key.clone()));
        row.want(found.is_some(), || format!("{} {}", event.topic, event.key));
        let found = found.into_iter().flatten();
        for (number, (id, times)) in found.enumerate() {
            row.again(*times);
            if number > 0 {
                row.wrong.add(|| format!("{} was produced as two events, {id} is one", event.key));
            }
            if !ids.insert(id) {
                row.wrong.add(|| format!("{id} is the id of two events, one is {}", event.key));
            }
        }
    }
    for (topic, key) in facts.typed.keys() {
        if !events.contains_key(&(topic.as_str(), key.as_str())) {
            row.wrong.add(|| format!("no raw delivery contains {topic} {key}"));
        }
    }
    row
}

fn typed_has_activities(events: &HashMap<(&str, &str), &Event>, facts: &Facts) -> Row {
    let mut row = row("activities of the events");
    let mut made = HashSet::new();
    for event in events.values() {
        for id in facts.typed.get(&(event.topic.clone(), event.key.clone())).into_iter().flat_map(BTreeMap::keys) {
            made.insert(id);
            let found = facts.activities_of.get(id).map_or(0, |ordinals| ordinals.len());
            for ordinal in 0..event.activities.max(found) {
                if ordinal < event.activities {
                    row.want(ordinal < found, || format!("activity {ordinal} of {id}, {}", event.key));
                } else {
                    row.wrong.add(|| format!("activity {ordinal} of {id}, {}", event.key));
                }
            }
        }
    }
    for event in facts.activities_of.keys().filter(|event| !made.contains(event)) {
        row.wrong.add(|| format!("activities of {event}, which is not an event"));
    }
    facts.activities.values().for_each(|times| row.again(*times));
    row
}

fn same_ids(what: &'static str, wanted: &Times<String>, found: &Times<String>) -> Row {
    let mut row = row(what);
    for id in wanted.keys() {
        row.want(found.contains_key(id), || id.clone());
    }
    for (id, times) in found {
        row.again(*times);
        if !wanted.contains_key(id) {
            row.wrong.add(|| format!("{id} has no origin"));
        }
    }
    row
}

/// Each partition's requests together cover its offsets, from the first to the last, without a gap.
fn ranges(requests: &[LoadRequest]) -> Row {
    let mut row = row("load requests without a gap");
    let mut partitions = BTreeMap::<(&str, i32), Vec<(i64, i64)>>::new();
    for request in requests {
        partitions.entry((&request.topic_id, request.partition)).or_default().push((request.from, request.to));
    }
    for ((_, partition), mut ranges) in partitions {
        ranges.sort_unstable();
        let mut covered = 0;
        for (from, to) in ranges {
            row.want(from <= covered, || format!("partition {partition}: offsets {covered} to {from}"));
            row.again += u64::from(to <= covered);
            covered = covered.max(to);
        }
    }
    row
}

/// Where an id stands once, whatever happened.
fn in_the_lake(wanted: &Times<String>, found: &Times<String>) -> Row {
    let mut row = same_ids("enriched in the lake, once", wanted, found);
    row.again = 0;
    for (id, times) in found.iter().filter(|(_, times)| **times > 1) {
        row.wrong.add(|| format!("{id} is there {times} times"));
    }
    row
}

fn letters(ledger: &Ledger, facts: &Facts, injected: &HashMap<Place, &'static str>) -> Row {
    let mut row = row("dead letters of broken deliveries");
    let none = BTreeMap::new();
    for (place, what) in &facts.raw {
        let delivered = what.as_ref().and_then(|what| ledger.deliveries.get(what));
        let reason = injected.get(place);
        let wanted = delivered.map_or(0, |delivered| delivered.dead_letters).max(u32::from(reason.is_some()));
        let found = facts.letters.get(place).unwrap_or(&none);
        for number in 0..wanted {
            row.want((number as usize) < found.len(), || format!("letter {number} of {place:?}"));
        }
        for (number, ((stage, told, index), times)) in found.iter().enumerate() {
            row.again(*times);
            if number >= wanted as usize || reason.is_some_and(|reason| reason != told) {
                row.wrong.add(|| format!("{stage} refused item {index} of {place:?}: {told}"));
            }
        }
    }
    for place in facts.letters.keys().filter(|place| !facts.raw.contains_key(*place)) {
        row.wrong.add(|| format!("a dead letter of {place:?}, which is not a raw record"));
    }
    row
}
