//! What a replay has done so far. Pure.

use std::collections::BTreeMap;

use common::deadletter::v1::{DeadLetter, Found, NotSent, ReplayResponse, ToSend};

use super::plan::ReplayRefusal;

/// So many ids are told of what is not sent, and so many examples of what would be.
const SOME: usize = 5;

/// The letters that one record is sent for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letters {
    stage: String,
    /// Each letter's id and reason.
    letters: Vec<(String, String)>,
}

impl Letters {
    /// One letter.
    pub fn one(letter: &DeadLetter) -> Self {
        Self { stage: letter.stage.clone(), letters: vec![(letter.id.clone(), letter.reason.clone())] }
    }

    /// One more of the same record.
    pub fn add(&mut self, letter: &DeadLetter) {
        self.letters.push((letter.id.clone(), letter.reason.clone()));
    }
}

/// The account of a replay.
#[derive(Debug, Default)]
pub struct Account {
    selected: u64,
    sent: u64,
    records: u64,
    to_send: BTreeMap<(String, String), u64>,
    not_sent: BTreeMap<&'static str, NotSent>,
    examples: Vec<Found>,
}

impl Account {
    /// A letter was selected; how many there are by now.
    pub fn select(&mut self) -> u64 {
        self.selected += 1;
        self.selected
    }

    /// A record is durable, or would have been sent.
    pub fn sent(&mut self, letters: Letters) {
        self.records += 1;
        for (_, reason) in letters.letters {
            self.sent += 1;
            *self.to_send.entry((letters.stage.clone(), reason)).or_default() += 1;
        }
    }

    /// These are not sent.
    pub fn refused(&mut self, letters: Letters, why: &ReplayRefusal) {
        let entry = self.not_sent.entry(why.code()).or_insert_with(|| NotSent {
            reason: why.code().to_owned(),
            message: why.to_string(),
            ..NotSent::default()
        });
        for (id, _) in letters.letters {
            entry.count += 1;
            if entry.ids.len() < SOME {
                entry.ids.push(id);
            }
        }
    }

    /// Whether more examples are wanted.
    pub fn wants_examples(&self) -> bool {
        self.examples.len() < SOME
    }

    /// An example of what would be sent.
    pub fn example(&mut self, found: Found) {
        self.examples.push(found);
    }

    /// Letters that were selected, letters that were sent, and those that were not, by why.
    pub fn totals(&self) -> (u64, u64, Vec<NotSent>) {
        (self.selected, self.sent, self.not_sent.values().cloned().collect())
    }

    /// As it is answered.
    pub fn answer(&self, replay_id: &str, done: bool) -> ReplayResponse {
        let to_send = |((stage, reason), count): (&(String, String), &u64)| ToSend {
            stage: stage.clone(),
            reason: reason.clone(),
            count: *count,
        };
        ReplayResponse {
            replay_id: replay_id.to_owned(),
            selected: self.selected,
            sent: self.sent,
            records: self.records,
            to_send: self.to_send.iter().map(to_send).collect(),
            not_sent: self.not_sent.values().cloned().collect(),
            // The last answer has them; before it they would come again with each.
            examples: if done { self.examples.clone() } else { Vec::new() },
            done,
            ..ReplayResponse::default()
        }
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
