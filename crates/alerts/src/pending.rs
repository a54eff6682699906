//! What has lasted for long enough that somebody is told: as long as the rules of Prometheus wait. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Class};
use crate::inhibition::{PROBES, is_called};

const MINUTE: i64 = 60_000;

/// For how many minutes something must be found without a break: `for` of the rules in k8s/components/monitoring/rules.yaml.
/// By the end of the name of a check, or by its whole name.
const MINUTES: &[(Class, &str, i64)] = &[
    // A group that waits for a member that was killed makes it fail for 105 s.
    (Class::Page, "_progress", 2),
    // A roll-out takes less.
    (Class::Page, "consumer", 5),
    (Class::Page, "instances", 5),
    (Class::Page, "ready", 5),
    // The rule has 600 s in its expression.
    (Class::Ticket, "in_work", 10),
    // What was done without a person has lasted before.
    (Class::Ticket, "healing", 0),
    (Class::Log, "healing", 0),
];

/// For how long an alert must last before it is told in this class. A less urgent class never takes less.
fn lasts_ms(alert: &Alert, class: Class) -> i64 {
    let is_it =
        |(of, end, _): &&(Class, &str, i64)| *of == class && alert.stage != PROBES && is_called(&alert.check, end);
    let others = if class == Class::Page { 1 } else { 15 };
    MINUTES.iter().find(is_it).map_or(others, |(_, _, minutes)| *minutes) * MINUTE
}

/// Something that was found in the last round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// As it was found.
    pub(crate) alert: Alert,
    /// Since when it is found without a break in this class or a more urgent one.
    since_ms: BTreeMap<Class, i64>,
}

impl Pending {
    /// It was found again; `before`: in the round before.
    pub(crate) fn new(alert: Alert, before: Option<Self>, now_ms: i64) -> Self {
        let mut since_ms = before.map(|before| before.since_ms).unwrap_or_default();
        since_ms.retain(|class, _| *class <= alert.class);
        for class in [Class::Log, Class::Ticket, Class::Page].into_iter().filter(|class| *class <= alert.class) {
            // A clock that was set back begins anew.
            let since = since_ms.entry(class).or_insert(now_ms);
            *since = (*since).min(now_ms);
        }
        Self { alert, since_ms }
    }

    /// The most urgent class in which it has lasted for long enough; none: it is too early.
    pub(crate) fn class(&self, now_ms: i64) -> Option<Class> {
        let has_lasted = |(class, since): &(&Class, &i64)| now_ms - *since >= lasts_ms(&self.alert, **class);
        self.since_ms.iter().rev().find(has_lasted).map(|(class, _)| *class)
    }
}
