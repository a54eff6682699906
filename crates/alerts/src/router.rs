//! From what a round found to what is to be sent to whom. Pure: the time is an argument.
//!
//! The router keeps no queue. As long as a message was not delivered, each round makes it anew, of what is so then. So what
//! cannot be delivered takes no room, and nobody is told late of what is long over.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Class, Fingerprint, joined};
use crate::inhibition::{follows, hides_others, stands_alone};
use crate::message::Message;
use crate::policy::{Policy, Route, Timing};

/// What has to be remembered between rounds, and over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Router {
    open: BTreeMap<Fingerprint, Open>,
    groups: BTreeMap<String, Told>,
}

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// As it was last found; its class is that in which it is told.
    pub alert: Alert,
    /// When it was first found.
    pub opened_ms: i64,
    /// Since when it is not found any more.
    pub gone_since_ms: Option<i64>,
    /// Since when it is less urgent than that.
    lower_since_ms: Option<i64>,
}

/// What was told of a group of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    route: String,
    cause: String,
    created_ms: i64,
    /// When somebody should have been told first: escalation counts from then.
    due_ms: Option<i64>,
    /// Steps of the route beyond the first that were taken.
    level: usize,
    /// By receiver.
    by: BTreeMap<String, Heard>,
}

/// What one receiver knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    alerts: BTreeMap<Fingerprint, Alert>,
    last_ms: Option<i64>,
    /// Who is at it.
    acknowledged_by: Option<String>,
}

/// What lasts of a group.
struct Members<'a> {
    /// Told, repeated and escalated.
    firing: BTreeMap<Fingerprint, &'a Open>,
    /// Those of them that were found in this round.
    found: BTreeSet<Fingerprint>,
    /// Those of them that nobody is at.
    unacknowledged: BTreeSet<Fingerprint>,
    /// Who is at one of the others.
    acknowledged_by: Option<String>,
    /// All that are not over, with those that nobody is to be told of.
    open: BTreeSet<Fingerprint>,
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
            self.open.values().filter_map(|open| Some(key(policy.route(&open.alert)?, &open.alert))).collect();
        self.groups.retain(|key, told| lasting.contains(key) || told.by.values().any(|heard| !heard.alerts.is_empty()));
        let here = self.find(policy, joined(found), now_ms);
        let mut members: BTreeMap<String, Members<'_>> = BTreeMap::new();
        for (fingerprint, open) in &self.open {
            let Some(route) = policy.route(&open.alert) else { continue };
            let key = key(route, &open.alert);
            let told = self.groups.entry(key.clone()).or_insert_with(|| Told {
                route: route.name.clone(),
                cause: open.alert.cause().to_owned(),
                created_ms: now_ms,
                due_ms: None,
                level: 0,
                by: BTreeMap::new(),
            });
            let of_group = members.entry(key).or_insert_with(Members::none);
            let knows = |heard: &Heard| heard.alerts.contains_key(fingerprint);
            let is_known = told.by.values().any(knows);
            let is_told = open.alert.class == Class::Page && stands_alone(&open.alert.check);
            let is_muted = policy.is_silenced(&open.alert, now_ms) || (self.follows_another(&open.alert) && !is_told);
            of_group.open.insert(fingerprint.clone());
            if is_muted {
                continue;
            }
            // What came and went before anybody was told is not told.
            if here.contains(fingerprint) {
                of_group.found.insert(fingerprint.clone());
            } else if !is_known {
                continue;
            }
            of_group.firing.insert(fingerprint.clone(), open);
            match policy.acknowledged_by(&open.alert, open.opened_ms) {
                Some(by) => of_group.acknowledged_by = Some(by.to_owned()),
                None => _ = of_group.unacknowledged.insert(fingerprint.clone()),
            }
        }
        let mut messages = Vec::new();
        for (key, told) in &mut self.groups {
            let of_group = members.remove(key).unwrap_or_else(Members::none);
            messages.extend(told.due(key, policy, &of_group, now_ms));
        }
        messages
    }

    /// The receiver has it.
    pub fn delivered(&mut self, message: &Message, now_ms: i64) {
        let Some(told) = self.groups.get_mut(&message.group) else { return };
        let heard = told.by.entry(message.receiver.clone()).or_default();
        for alert in &message.resolved {
            heard.alerts.remove(&alert.fingerprint());
        }
        heard.alerts.extend(message.firing.iter().map(|alert| (alert.fingerprint(), alert.clone())));
        heard.last_ms = Some(now_ms);
        heard.acknowledged_by.clone_from(&message.acknowledged_by);
    }

    /// Forgets what was told to those that there are no more: they can be told of no end.
    pub fn forget_receivers(&mut self, is_there: impl Fn(&str) -> bool) {
        for told in self.groups.values_mut() {
            told.by.retain(|receiver, _| is_there(receiver));
        }
    }

    /// Takes in what was found, and lets go what has been gone for long enough. Answers which were found.
    fn find(&mut self, policy: &Policy, found: Vec<Alert>, now_ms: i64) -> BTreeSet<Fingerprint> {
        let mut here = BTreeSet::new();
        for alert in found {
            let fingerprint = alert.fingerprint();
            here.insert(fingerprint.clone());
            match self.open.get_mut(&fingerprint) {
                Some(open) => open.again(alert, policy.resolve_after_ms, now_ms),
                None => {
                    let open = Open { alert, opened_ms: now_ms, gone_since_ms: None, lower_since_ms: None };
                    self.open.insert(fingerprint, open);
                }
            }
        }
        // Nothing is known of what follows from another, and of what nobody answers for: it is not over.
        let hidden: BTreeSet<_> = self
            .open
            .values()
            .filter(|open| self.is_hidden(&open.alert))
            .map(|open| open.alert.fingerprint())
            .collect();
        for (fingerprint, open) in &mut self.open {
            if !here.contains(fingerprint) {
                // A clock that was set back begins anew.
                let since = open.gone_since_ms.map_or(now_ms, |since| since.min(now_ms));
                open.gone_since_ms = (!hidden.contains(fingerprint)).then_some(since);
                open.lower_since_ms = None;
            }
        }
        let lasts = |open: &Open| open.gone_since_ms.is_none_or(|since| now_ms - since < policy.resolve_after_ms);
        self.open.retain(|_, open| lasts(open));
        here
    }

    /// Whether it is told with another alert of its stage.
    fn follows_another(&self, alert: &Alert) -> bool {
        let is_cause = |other: &Alert| follows(&alert.stage, &alert.check, &other.check);
        self.of_stage(alert).any(|other| other.class == Class::Page && is_cause(other))
    }

    fn is_hidden(&self, alert: &Alert) -> bool {
        self.follows_another(alert)
            || self.of_stage(alert).any(|other| hides_others(&other.check) && !hides_others(&alert.check))
    }

    fn of_stage<'a>(&'a self, alert: &'a Alert) -> impl Iterator<Item = &'a Alert> {
        self.open.values().map(|open| &open.alert).filter(|other| other.stage == alert.stage)
    }
}

impl Open {
    fn again(&mut self, alert: Alert, resolve_after_ms: i64, now_ms: i64) {
        let class = if alert.class >= self.alert.class {
            self.lower_since_ms = None;
            alert.class
        } else {
            // What is urgent now and then is urgent.
            let since = self.lower_since_ms.map_or(now_ms, |since| since.min(now_ms));
            let is_lower = now_ms - since >= resolve_after_ms;
            self.lower_since_ms = (!is_lower).then_some(since);
            if is_lower { alert.class } else { self.alert.class }
        };
        self.gone_since_ms = None;
        self.alert = Alert { class, since_ms: alert.since_ms.min(self.alert.since_ms), ..alert };
    }
}

impl Members<'_> {
    fn none() -> Self {
        Self {
            firing: BTreeMap::new(),
            found: BTreeSet::new(),
            unacknowledged: BTreeSet::new(),
            acknowledged_by: None,
            open: BTreeSet::new(),
        }
    }

    /// Whether there is something of it that a receiver does not know.
    fn is_news(&self, heard: &Heard) -> bool {
        let is_new = self.found.iter().any(|one| !heard.alerts.contains_key(one));
        let is_taken = !self.firing.is_empty() && self.acknowledged_by().is_some() && heard.acknowledged_by.is_none();
        is_new || is_taken
    }

    /// Whether people are told again: of what is so now, and nobody is at.
    fn asks_again(&self) -> bool {
        !self.found.is_empty() && !self.unacknowledged.is_empty()
    }

    /// Who is at it; none as long as nobody is at some of it.
    fn acknowledged_by(&self) -> Option<String> {
        self.acknowledged_by.clone().filter(|_| self.unacknowledged.is_empty())
    }
}

impl Told {
    fn due(&mut self, key: &str, policy: &Policy, members: &Members<'_>, now_ms: i64) -> Vec<Message> {
        if members.open.is_empty() {
            (self.due_ms, self.level) = (None, 0);
        } else if members.acknowledged_by().is_some() {
            // Nobody else is called until there is something that nobody is at.
            self.due_ms = None;
        }
        let route = policy.routes.iter().find(|route| route.name == self.route);
        let current = route.map_or_else(BTreeSet::new, |route| self.current(policy, route, members, now_ms));
        let names: BTreeSet<_> = current.iter().chain(self.by.keys()).cloned().collect();
        let nothing = Heard::default();
        let mut messages = Vec::new();
        for receiver in names {
            let heard = self.by.get(&receiver).unwrap_or(&nothing);
            let timing = route.map_or(AT_ONCE, |route| policy.timing(route, &receiver));
            let is_current = current.contains(&receiver);
            let over = heard.alerts.iter().filter(|(one, _)| !members.open.contains(one));
            let resolved: Vec<_> = over.map(|(_, alert)| alert.clone()).collect();
            let changed = !resolved.is_empty() || is_current && members.is_news(heard);
            let is_told_again = policy.own_timing.contains_key(&receiver) || members.asks_again();
            let again = is_current && !members.firing.is_empty() && is_told_again;
            if !(changed && timing.may_tell(self.created_ms, heard, now_ms)
                || again && timing.may_repeat(heard, now_ms))
            {
                continue;
            }
            // Whoever is not on call any more hears of the end of what he knows, and of nothing else.
            let lasts = members.firing.iter().filter(|(one, _)| is_current || heard.alerts.contains_key(one));
            let mut firing: Vec<_> = lasts.map(|(_, open)| open.alert.clone()).collect();
            firing.sort_by(|a, b| in_order(a).cmp(&in_order(b)));
            messages.push(Message {
                id: Message::id(key, &receiver, heard.last_ms, &firing, &resolved),
                receiver,
                group: key.to_owned(),
                cause: self.cause.clone(),
                acknowledged_by: members.acknowledged_by().filter(|_| !firing.is_empty()),
                firing,
                resolved,
                at_ms: now_ms,
            });
        }
        if !members.unacknowledged.is_empty() && messages.iter().any(|message| !message.is_over()) {
            self.due_ms.get_or_insert(now_ms);
        }
        messages
    }

    /// Who is to be told now. Steps that are due are taken.
    fn current(&mut self, policy: &Policy, route: &Route, members: &Members<'_>, now_ms: i64) -> BTreeSet<String> {
        if let Some(due) = self.due_ms.filter(|_| !members.unacknowledged.is_empty()) {
            let reached = route.steps.iter().rposition(|step| now_ms.saturating_sub(due) >= step.after_ms);
            self.level = self.level.max(reached.unwrap_or_default());
        }
        policy.receivers(route, self.level, now_ms)
    }
}

/// The most urgent first, and of those what began first.
fn in_order(alert: &Alert) -> (Reverse<Class>, i64, &str, &str) {
    (Reverse(alert.class), alert.since_ms, &alert.stage, &alert.check)
}

/// Of a route that is not there any more: what it has told is ended.
const AT_ONCE: Timing = Timing { group_wait_ms: 0, group_interval_ms: 0, repeat_interval_ms: i64::MAX };

impl Timing {
    /// Whether it is time to tell what has changed.
    fn may_tell(self, created_ms: i64, heard: &Heard, now_ms: i64) -> bool {
        let (wait, since) = match heard.last_ms {
            None => (self.group_wait_ms, created_ms),
            Some(last) => (self.group_interval_ms, last),
        };
        // A clock that was set back holds nothing up.
        now_ms < since || now_ms - since >= wait
    }

    /// Whether it is time to tell it again.
    fn may_repeat(self, heard: &Heard, now_ms: i64) -> bool {
        heard.last_ms.is_some_and(|last| now_ms < last || now_ms - last >= self.repeat_interval_ms)
    }
}

/// Which group an alert belongs to.
fn key(route: &Route, alert: &Alert) -> String {
    format!("{}/{}", route.name, alert.cause())
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
