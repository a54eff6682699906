//! What was told of a group of alerts, and what follows from that: news, repeats, ends and escalation. Pure.
//!
//! One record for each receiver and each alert says what it was told: as what class, and surely or perhaps. An alert is news
//! to whoever was not surely told, or was told of something less bad. Whoever was told, perhaps or surely, hears the end.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Class, Fingerprint};
use crate::message::Message;
use crate::open::Open;
use crate::policy::{Policy, Route, Timing};

/// What was told of a group of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) route: String,
    pub(crate) cause: String,
    pub(crate) created_ms: i64,
    /// When somebody should have been told first: escalation counts from then. None: there is nothing that anybody must take.
    due_ms: Option<i64>,
    /// Steps of the route beyond the first that were taken.
    level: usize,
    /// By receiver.
    pub(crate) by: BTreeMap<String, Heard>,
}

/// What one receiver knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    pub(crate) alerts: BTreeMap<Fingerprint, Said>,
    last_ms: Option<i64>,
    /// Who is at it.
    acknowledged_by: Option<String>,
}

/// What one receiver was told of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// As it was told.
    pub(crate) alert: Alert,
    /// Not, if it is not known whether the receiver has it, or if nobody was to be told of it since.
    is_sure: bool,
    /// When the message was made.
    at_ms: i64,
}

/// What lasts of a group.
#[derive(Default)]
pub(crate) struct Members<'a> {
    /// Told, repeated and escalated.
    pub(crate) firing: BTreeMap<Fingerprint, &'a Open>,
    /// Those of them that were found in this round.
    pub(crate) present: BTreeSet<Fingerprint>,
    /// Those of them that nobody is at.
    pub(crate) unacknowledged: BTreeSet<Fingerprint>,
    /// Who is at one of the others.
    pub(crate) acknowledged_by: Option<String>,
    /// All that are not over, with those that nobody is to be told of.
    pub(crate) open: BTreeSet<Fingerprint>,
}

impl Members<'_> {
    /// Whether there is something of it that a receiver does not know.
    fn is_news(&self, heard: &Heard) -> bool {
        let is_new = |(one, open): (&Fingerprint, &&Open)| {
            let is_known = |said: &Said| said.is_sure && !open.alert.is_worse_than(&said.alert);
            self.present.contains(one) && !heard.alerts.get(one).is_some_and(is_known)
        };
        // Somebody has taken it, or has given it back.
        let is_taken = self.acknowledged_by().is_some() != heard.acknowledged_by.is_some();
        let knows = self.firing.keys().any(|one| heard.alerts.contains_key(one));
        self.firing.iter().any(is_new) || (knows && is_taken)
    }

    /// Whether people are told again: of what is so now, and nobody is at.
    fn asks_again(&self) -> bool {
        !self.present.is_empty() && !self.unacknowledged.is_empty()
    }

    /// Who is at it; none as long as nobody is at some of it.
    fn acknowledged_by(&self) -> Option<String> {
        self.acknowledged_by.clone().filter(|_| self.unacknowledged.is_empty())
    }
}

impl Told {
    pub(crate) fn new(route: &Route, alert: &Alert, now_ms: i64) -> Self {
        Self {
            route: route.name.clone(),
            cause: alert.cause().to_owned(),
            created_ms: now_ms,
            due_ms: None,
            level: 0,
            by: BTreeMap::new(),
        }
    }

    /// Whether anybody was told of this alert, perhaps or surely.
    pub(crate) fn is_known(&self, alert: &Fingerprint) -> bool {
        self.by.values().any(|heard| heard.alerts.contains_key(alert))
    }

    /// Whether there is nobody to be told of an end.
    pub(crate) fn is_settled(&self) -> bool {
        self.by.values().all(|heard| heard.alerts.is_empty())
    }

    /// Nobody is to be told of this alert for a time. Whoever was told before may take it for over: it is news after that.
    pub(crate) fn mute(&mut self, alert: &Fingerprint) {
        for said in self.by.values_mut().filter_map(|heard| heard.alerts.get_mut(alert)) {
            said.is_sure = false;
        }
    }

    /// A receiver is about to be told, and may take the message although nobody hears that it did.
    pub(crate) fn sending(&mut self, message: &Message) {
        let heard = self.by.entry(message.receiver.clone()).or_default();
        for alert in &message.firing {
            let said = || Said { alert: alert.clone(), is_sure: false, at_ms: message.at_ms };
            heard.alerts.entry(alert.fingerprint()).or_insert_with(said);
        }
    }

    /// The receiver does not have it.
    pub(crate) fn not_taken(&mut self, message: &Message) {
        if let Some(heard) = self.by.get_mut(&message.receiver) {
            heard.alerts.retain(|_, said| said.is_sure || said.at_ms != message.at_ms);
        }
    }

    /// The receiver has it.
    pub(crate) fn delivered(&mut self, message: &Message, now_ms: i64) {
        let heard = self.by.entry(message.receiver.clone()).or_default();
        for alert in &message.resolved {
            heard.alerts.remove(&alert.fingerprint());
        }
        for alert in &message.firing {
            let said = Said { alert: alert.clone(), is_sure: true, at_ms: message.at_ms };
            heard.alerts.insert(alert.fingerprint(), said);
        }
        heard.last_ms = Some(now_ms);
        heard.acknowledged_by.clone_from(&message.acknowledged_by);
    }

    pub(crate) fn forget_receivers(&mut self, is_there: impl Fn(&str) -> bool) {
        self.by.retain(|receiver, _| is_there(receiver));
    }

    /// What is to be sent to whom.
    pub(crate) fn due(&mut self, key: &str, policy: &Policy, members: &Members<'_>, now_ms: i64) -> Vec<Message> {
        if members.unacknowledged.is_empty() {
            // Nobody else is called until there is something that nobody is at.
            self.due_ms = None;
        }
        if members.firing.is_empty() {
            // Over, or nobody is to be told: it begins anew with the first step.
            self.level = 0;
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
            let said = |is_it: &dyn Fn(&Fingerprint) -> bool| -> Vec<Alert> {
                heard.alerts.iter().filter(|(one, _)| is_it(one)).map(|(_, said)| said.alert.clone()).collect()
            };
            let resolved = said(&|one| !members.open.contains(one));
            let muted = said(&|one| members.open.contains(one) && !members.firing.contains_key(one));
            let changed = !resolved.is_empty() || is_current && members.is_news(heard);
            let again = is_current
                && if policy.own_timing.contains_key(&receiver) {
                    // Whoever forgets what it is not told again is told of all that is not over.
                    !(members.firing.is_empty() && muted.is_empty())
                } else {
                    members.asks_again()
                };
            if !(changed && timing.may_tell(self.created_ms, heard, now_ms)
                || again && timing.may_repeat(heard, now_ms))
            {
                continue;
            }
            // Whoever is not on call any more hears of the end of what he knows, and of nothing else.
            let lasts = members.firing.iter().filter(|(one, _)| is_current || heard.alerts.contains_key(one));
            let mut firing: Vec<_> = lasts.map(|(_, open)| open.alert.clone()).collect();
            firing.sort_by(|a, b| in_order(a).cmp(&in_order(b)));
            let message = Message {
                id: String::new(),
                installation: policy.installation.clone(),
                receiver,
                group: key.to_owned(),
                cause: self.cause.clone(),
                acknowledged_by: members.acknowledged_by().filter(|_| !firing.is_empty()),
                firing,
                resolved,
                muted,
                after_ms: heard.last_ms,
                at_ms: now_ms,
            };
            messages.push(message.identified(self.created_ms));
        }
        if !members.unacknowledged.is_empty() && messages.iter().any(|message| !message.firing.is_empty()) {
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
