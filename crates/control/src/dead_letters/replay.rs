//! Sends what was selected, and keeps account of it.

use std::collections::BTreeMap;

use bus::{Bus, Coordinates, Stored};
use common::deadletter::v1::{DeadLetter, Replay, ReplayResponse};

use super::account::{Account, Letters};
use super::originals::{At, Originals};
use super::plan::{self, Aim, ReplayRefusal, Way};
use super::scan::{self, Scan};
use super::select::Filter;
use crate::replay::course::{Broken, Course, Work};

/// Letters that are replayed.
#[derive(Debug)]
pub(super) struct Again {
    filter: Filter,
    /// Letters at the most.
    limit: u64,
    originals: Originals,
    account: Account,
}

impl Again {
    pub(super) fn new(bus: &Bus, filter: Filter, limit: u64) -> Self {
        Self { filter, limit, originals: Originals::new(bus), account: Account::default() }
    }
}

/// So many letters wait for the others of their records. Where there are more, a record may be sent once more for the rest
/// of its letters, and what came out before is dropped by its claims.
const MOST_LETTERS: usize = 100_000;

/// What is sent whole is sent once, for all of its letters.
#[derive(Default)]
struct Groups {
    records: BTreeMap<At, Group>,
    letters: usize,
}

/// The letters of a record that is sent whole: all of them with one record.
struct Group {
    letters: Letters,
    items: Vec<u32>,
    /// One of them is about all of the record.
    all: bool,
    attempts: u32,
}

impl Work for Again {
    type What = Letters;
    type Answer = ReplayResponse;

    async fn all(course: &mut Course<Self>) -> Result<(), Broken> {
        let filter = course.work.filter.clone();
        let mut scan = Scan::open(&course.tools.letters, &filter).await?;
        let mut groups = Groups::default();
        while let Some((stored, letter)) = scan.next().await? {
            let selected = course.work.account.select();
            match plan::aim(&letter, &course.tools.limits) {
                Err(why) => course.work.account.refused(Letters::one(&letter), &why),
                Ok(Aim { topic, partition, offset, way: Way::Item }) => {
                    course.item(&stored, letter, &(topic, partition, offset)).await?;
                }
                Ok(Aim { topic, partition, offset, way }) => {
                    course.maybe_example(&stored, &letter);
                    groups.add((topic, partition, offset), way, &letter);
                    if groups.letters >= MOST_LETTERS {
                        course.groups(&mut groups).await?;
                    }
                }
            }
            course.tell().await?;
            if selected >= course.work.limit {
                break;
            }
        }
        course.groups(&mut groups).await?;
        course.settle(0).await;
        Ok(())
    }

    fn sent(&mut self, what: Letters, _at: Option<&Coordinates>) {
        self.account.sent(what);
    }

    fn refused(&mut self, what: Letters, why: &ReplayRefusal) {
        self.account.refused(what, why);
    }

    fn answer(&self, replay_id: &str, done: bool) -> ReplayResponse {
        ReplayResponse { originals: self.originals.read(), ..self.account.answer(replay_id, done) }
    }

    fn keep(&self, replay: &mut Replay) {
        (replay.selected, replay.sent, replay.not_sent) = self.account.totals();
    }
}

impl Course<Again> {
    async fn item(&mut self, stored: &Stored, letter: DeadLetter, at: &At) -> Result<(), Broken> {
        let original = self.work.originals.at(at).await?.ok_or(ReplayRefusal::OriginalGone);
        let record = original.and_then(|original| plan::item(&letter, &at.0, &original, &self.tools.limits));
        if record.is_ok() {
            self.maybe_example(stored, &letter);
        }
        self.send(record, Letters::one(&letter)).await
    }

    async fn groups(&mut self, groups: &mut Groups) -> Result<(), Broken> {
        for (at, group) in std::mem::take(groups).records {
            let Group { letters, items, all, attempts } = group;
            let items = if all { Vec::new() } else { items };
            let record = self.work.originals.at(&at).await?.ok_or(ReplayRefusal::OriginalGone);
            let limits = &self.tools.limits;
            let record = record.and_then(|original| {
                let record = plan::whole(&at.0, &original, attempts, items, limits)?;
                Ok(if all { plan::instead(record, &original) } else { record })
            });
            self.send(record, letters).await?;
            self.tell().await?;
        }
        Ok(())
    }

    fn maybe_example(&mut self, stored: &Stored, letter: &DeadLetter) {
        if self.order.dry_run && self.work.account.wants_examples() {
            self.work.account.example(scan::found(stored, letter.clone(), false));
        }
    }
}

impl Groups {
    fn add(&mut self, at: At, way: Way, letter: &DeadLetter) {
        let attempts = letter.attempts;
        self.letters += 1;
        let group = match self.records.entry(at) {
            std::collections::btree_map::Entry::Occupied(entry) => {
                let group = entry.into_mut();
                group.letters.add(letter);
                group
            }
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Group { letters: Letters::one(letter), items: Vec::new(), all: false, attempts })
            }
        };
        group.attempts = group.attempts.max(attempts);
        match way {
            Way::ItemWithin(index) => group.items.push(index),
            Way::Item | Way::Whole => group.all = true,
        }
    }
}
