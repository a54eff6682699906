//! From what a round found to what is to be sent to whom. Pure: the time is an argument.
//!
//! The router keeps no queue. As long as a message was not delivered, each round makes it anew, of what is so then. So what
//! cannot be delivered takes no room, and nobody is told late of what is long over.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Class, Fingerprint, joined};
use crate::group::{Members, Told};
use crate::inhibition::{follows, hides_others, stands_alone};
use crate::message::Message;
use crate::open::Open;
use crate::pending::Pending;
use crate::policy::{Policy, Route};

/// What has to be remembered between rounds, and over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Router {
    /// What the last round found, told or not yet.
    pending: BTreeMap<Fingerprint, Pending>,
    open: BTreeMap<Fingerprint, Open>,
    groups: BTreeMap<String, Told>,
}

impl Router {
    /// Everything that is not over.
    pub fn open(&self) -> impl Iterator<Item = &Open> {
        self.open.values()
    }

    /// What was found now; answers what is due. A message that is not [`delivered`](Self::delivered) is due in the next round
    /// again.
    pub fn round(&mut self, policy: &Policy, found: Vec<Alert>, now_ms: i64) -> Vec<Message> {
        // What comes after an end is another story.
        let lasting: BTreeSet<_> =
            self.open.values().filter_map(|open| Some(key(policy, policy.route(&open.alert)?, &open.alert))).collect();
        self.groups.retain(|key, told| lasting.contains(key) || !told.is_settled());
        let found = self.lasting(policy, joined(found), now_ms);
        let here = self.find(policy, found, now_ms);
        let mut members: BTreeMap<String, Members<'_>> = BTreeMap::new();
        for (fingerprint, open) in &self.open {
            let Some(route) = policy.route(&open.alert) else { continue };
            let key = key(policy, route, &open.alert);
            let is_told = open.alert.class == Class::Page && stands_alone(&open.alert.check);
            let is_muted = policy.is_silenced(&open.alert, now_ms) || (self.follows_another(&open.alert) && !is_told);
            let told = self.groups.entry(key.clone()).or_insert_with(|| Told::new(route, &open.alert, now_ms));
            let of_group = members.entry(key).or_default();
            of_group.open.insert(fingerprint.clone());
            if is_muted {
                told.mute(fingerprint);
                continue;
            }
            // What came and went before anybody was told is not told.
            if here.contains(fingerprint) {
                of_group.present.insert(fingerprint.clone());
            } else if !told.is_known(fingerprint) {
                continue;
            }
            of_group.firing.insert(fingerprint.clone(), open);
            match policy.acknowledged_by(&open.alert, open.raised_ms) {
                Some(by) => of_group.acknowledged_by = Some(by.to_owned()),
                None => _ = of_group.unacknowledged.insert(fingerprint.clone()),
            }
        }
        let mut messages = Vec::new();
        for (key, told) in &mut self.groups {
            let of_group = members.remove(key).unwrap_or_default();
            messages.extend(told.due(key, policy, &of_group, now_ms));
        }
        messages
    }

    /// A message is about to be sent: its receiver may take it although nobody hears that it did.
    pub fn sending(&mut self, message: &Message) {
        self.groups.get_mut(&message.group).into_iter().for_each(|told| told.sending(message));
    }

    /// The receiver does not have it.
    pub fn not_taken(&mut self, message: &Message) {
        self.groups.get_mut(&message.group).into_iter().for_each(|told| told.not_taken(message));
    }

    /// The receiver has it.
    pub fn delivered(&mut self, message: &Message, now_ms: i64) {
        self.groups.get_mut(&message.group).into_iter().for_each(|told| told.delivered(message, now_ms));
    }

    /// Forgets what was told to those that there are no more: they can be told of no end.
    pub fn forget_receivers(&mut self, is_there: impl Fn(&str) -> bool) {
        self.groups.values_mut().for_each(|told| told.forget_receivers(&is_there));
    }

    /// Those that were found for long enough, each as urgent as it has been for long enough.
    fn lasting(&mut self, policy: &Policy, found: Vec<Alert>, now_ms: i64) -> Vec<Alert> {
        if !policy.must_last {
            self.pending.clear();
            return found;
        }
        let mut before = std::mem::take(&mut self.pending);
        let mut lasting = Vec::new();
        for alert in found {
            let fingerprint = alert.fingerprint();
            let pending = Pending::new(alert.clone(), before.remove(&fingerprint), now_ms);
            // What is told already does not wait.
            let told = self.open.get(&fingerprint).map(|open| open.alert.class.min(alert.class));
            lasting.extend(pending.class(now_ms).max(told).map(|class| Alert { class, ..alert }));
            self.pending.insert(fingerprint, pending);
        }
        lasting
    }

    /// Takes in what was found, and lets go what has been gone for long enough. Answers which were found.
    fn find(&mut self, policy: &Policy, found: Vec<Alert>, now_ms: i64) -> BTreeSet<Fingerprint> {
        let mut here = BTreeSet::new();
        for alert in found {
            let fingerprint = alert.fingerprint();
            here.insert(fingerprint.clone());
            match self.open.get_mut(&fingerprint) {
                Some(open) => open.again(alert, policy.resolve_after_ms, now_ms),
                None => _ = self.open.insert(fingerprint, Open::new(alert, now_ms)),
            }
        }
        // Nothing is known of what follows from another, and of what nobody answers for: it is not over.
        let hidden: BTreeSet<_> = self
            .open
            .values()
            .filter(|open| self.is_hidden(&open.alert))
            .map(|open| open.alert.fingerprint())
            .collect();
        for (fingerprint, open) in self.open.iter_mut().filter(|(fingerprint, _)| !here.contains(*fingerprint)) {
            open.gone(hidden.contains(fingerprint), now_ms);
        }
        let lasts = |open: &Open| open.gone_since_ms.is_none_or(|since| now_ms - since < policy.resolve_after_ms);
        self.open.retain(|_, open| lasts(open));
        here
    }

    /// Whether it is told with another alert of its stage.
    fn follows_another(&self, alert: &Alert) -> bool {
        self.open.values().any(|open| is_explained(alert, &open.alert))
    }

    /// Also by what has not lasted for long enough to be told.
    fn is_hidden(&self, alert: &Alert) -> bool {
        let pending = self.pending.values().map(|pending| &pending.alert);
        self.open.values().map(|open| &open.alert).chain(pending).any(|other| {
            let is_silent = other.stage == alert.stage && hides_others(&other.check) && !hides_others(&alert.check);
            is_silent || is_explained(alert, other)
        })
    }
}

/// Whether another alert wakes somebody, and explains this one.
fn is_explained(alert: &Alert, other: &Alert) -> bool {
    let is_ticket = alert.class == Class::Ticket;
    other.stage == alert.stage
        && other.class == Class::Page
        && follows(&alert.stage, &alert.check, is_ticket, &other.check)
}

/// Which group an alert belongs to. Several installations may tell one receiver.
fn key(policy: &Policy, route: &Route, alert: &Alert) -> String {
    let installation = if policy.installation.is_empty() { String::new() } else { format!("{}/", policy.installation) };
    format!("{installation}{}/{}", route.name, alert.cause())
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
