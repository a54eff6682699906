//! What was acknowledged and what it means, and the comparison with what came out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use common::activity::v1::Activity;
use common::event::v1::Context;
use simulate::sender::{SendOutcome, Sent};
use simulate::{Expected, Fate};

/// A topic and the natural key of an event on it.
pub(crate) type Key = (String, String);

/// What the platforms know: the answers, and what they had sent.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) answered: u64,
    pub(crate) acknowledged: u64,
    /// Events of acknowledged deliveries: each must come out, once.
    pub(crate) expected: HashMap<Key, Arc<Expected>>,
    /// Events of deliveries without a whole answer: each may come out, once.
    pub(crate) possible: HashMap<Key, Arc<Expected>>,
    /// Items of acknowledged deliveries that are broken on purpose.
    pub(crate) dead_letters: u64,
    /// Answers that the delivery was not meant to get.
    pub(crate) unexpected: Vec<String>,
}

impl Ledger {
    pub(crate) fn record(&mut self, sent: &Sent) {
        self.answered += 1;
        let meaning = &sent.delivery.meaning;
        let keyed = meaning.events.iter().map(|event| ((event.topic.to_owned(), event.key.clone()), event.clone()));
        match sent.outcome {
            SendOutcome::Acknowledged => {
                self.acknowledged += 1;
                self.expected.extend(keyed);
                if let Fate::DeadLetters(count) = meaning.fate {
                    self.dead_letters += u64::from(count);
                }
            }
            SendOutcome::Indeterminate => self.possible.extend(keyed),
            SendOutcome::Refused => {}
        }
        if !sent.as_meant() && sent.outcome != SendOutcome::Indeterminate {
            self.unexpected.push(format!("{:?} got {:?}", meaning.fate, sent.status));
        }
    }

    /// Fails where something is missing, came out differently, or was never sent.
    pub(crate) fn compare(&self, outcome: &Outcome) {
        let mut wrong = Vec::new();
        let missing: Vec<_> = self.expected.keys().filter(|key| !outcome.events.contains_key(*key)).collect();
        for key in missing.iter().take(5) {
            wrong.push(format!("missing: {key:?}"));
        }
        let mut ids = BTreeSet::new();
        for (key, found) in &outcome.events {
            let Some(expected) = self.expected.get(key).or_else(|| self.possible.get(key)) else {
                wrong.push(format!("nobody sent {key:?}"));
                continue;
            };
            if found.ids.len() != 1 {
                wrong.push(format!("{key:?} came out as {} events: {:?}", found.ids.len(), found.ids));
            }
            ids.extend(&found.ids);
            same(key, expected, found, &mut wrong);
        }
        if ids.len() != outcome.events.len() {
            wrong.push(format!("{} ids for {} events: two events share one", ids.len(), outcome.events.len()));
        }
        let orphans = outcome.activities.keys().filter(|id| !ids.contains(id)).count();
        if orphans > 0 {
            wrong.push(format!("{orphans} events have activities and no typed event"));
        }
        for found in outcome.events.values() {
            let id = found.ids.first().map_or("", String::as_str);
            let activities = outcome.activities.get(id).map_or(0, BTreeMap::len);
            if activities != found.expected_activities(self) {
                wrong.push(format!("{id}: {activities} activities"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} missing of {}, {} differences:\n{}",
            missing.len(),
            self.expected.len(),
            wrong.len(),
            wrong[..wrong.len().min(20)].join("\n")
        );
        assert!(self.expected.len() as u64 > self.acknowledged / 2, "the run has too few events to mean anything");
    }
}

/// A difference for each field that is not as it was meant.
fn same(key: &Key, expected: &Expected, found: &Found, wrong: &mut Vec<String>) {
    let context = &found.context;
    let mut field = |what: &str, is: &str, should: &str| {
        if is != should {
            wrong.push(format!("{key:?}: {what} is {is:?}, should be {should:?}"));
        }
    };
    field("tenant", &context.tenant, &expected.tenant);
    field("source", &context.source, expected.platform);
    field("account", &context.account_id, &expected.account);
    let occurred_at = context.occurred_at.as_ref().map(common::time::to_millis);
    field("time", &format!("{occurred_at:?}"), &format!("{:?}", expected.occurred_at_ms));
}

/// What came out.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) raw: u64,
    pub(crate) raw_by_partition: BTreeMap<String, BTreeMap<i32, u64>>,
    pub(crate) events: HashMap<Key, Found>,
    /// By event id, then by ordinal.
    pub(crate) activities: HashMap<String, BTreeMap<u32, Activity>>,
    /// Dead letters, each once however often it was written.
    pub(crate) dead_letters: u64,
    /// Ids that a topic holds more than once, counted for each further time.
    pub(crate) repeated: u64,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut by_topic = BTreeMap::<&str, u64>::new();
        for (topic, _) in self.events.keys() {
            *by_topic.entry(topic).or_default() += 1;
        }
        writeln!(f, "raw {} {:?}", self.raw, self.raw_by_partition)?;
        for (topic, count) in by_topic {
            writeln!(f, "{topic} {count}")?;
        }
        write!(
            f,
            "activities of {} events, {} dead letters, {} repeated",
            self.activities.len(),
            self.dead_letters,
            self.repeated
        )
    }
}

/// The typed event of one natural key.
pub(crate) struct Found {
    pub(crate) key: Key,
    pub(crate) context: Context,
    pub(crate) ids: BTreeSet<String>,
}

impl Found {
    fn expected_activities(&self, ledger: &Ledger) -> usize {
        let expected = ledger.expected.get(&self.key).or_else(|| ledger.possible.get(&self.key));
        expected.map_or(0, |expected| expected.activities.len())
    }
}

/// A difference for each activity that is not as it was meant.
pub(crate) fn compare_activities(ledger: &Ledger, outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, found) in &outcome.events {
        let Some(expected) = ledger.expected.get(key).or_else(|| ledger.possible.get(key)) else { continue };
        let Some(activities) = found.ids.first().and_then(|id| outcome.activities.get(id)) else { continue };
        for (expected, activity) in expected.activities.iter().zip(activities.values()) {
            let is = (
                activity.verb(),
                activity.actor.as_ref().map_or("", |actor| actor.id.as_str()),
                activity.object.as_ref().map_or("", |object| object.id.as_str()),
                activity.text.as_deref(),
                activity.context.as_ref().map_or("", |context| context.tenant.as_str()),
            );
            let should = (
                expected.verb,
                expected.actor.as_str(),
                expected.object.as_str(),
                expected.text.as_deref(),
                found.context.tenant.as_str(),
            );
            if is != should {
                wrong.push(format!("{key:?}: activity is {is:?}, should be {should:?}"));
            }
        }
    }
    wrong
}
