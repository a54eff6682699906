//! Who is told of what, and when: what the settings and the file of silences say, ready to be asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::Alert;
use crate::calendar::{Acknowledgement, Maintenance, Rotation, Silence};
use crate::matcher::Matcher;

/// When a receiver is told, in milliseconds, as Alertmanager has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From the first alert of a group to its first message: what begins together is told together.
    pub group_wait_ms: i64,
    /// Between two messages of a group of which something has changed.
    pub group_interval_ms: i64,
    /// Between two messages of a group of which nothing has changed.
    pub repeat_interval_ms: i64,
}

/// Receivers that are told when the ones before them have done nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From the time at which the first ones should have been told.
    pub after_ms: i64,
    /// Names of receivers and of rotations.
    pub receivers: Vec<String>,
}

/// Which alerts go to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// As the state calls it: another name is another route.
    pub name: String,
    /// Which alerts. An alert goes to the first route that takes it, and no other.
    pub about: Matcher,
    /// The first is told at once; the others, one after the other, of what nobody has acknowledged.
    pub steps: Vec<Step>,
    /// When they are told.
    pub timing: Timing,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// In the order in which they are asked.
    pub routes: Vec<Route>,
    /// Whom a rotation's name stands for.
    pub rotations: Vec<Rotation>,
    /// Receivers with times of their own, whatever the route says.
    pub own_timing: BTreeMap<String, Timing>,
    /// Times in which nobody is told.
    pub maintenance: Vec<Maintenance>,
    /// What nobody is told of for a time.
    pub silences: Vec<Silence>,
    /// What somebody is at.
    pub acknowledgements: Vec<Acknowledgement>,
    /// For so long something must be gone to be over.
    pub resolve_after_ms: i64,
    /// Whether something must last for a time before it is told, which depends on its check.
    pub must_last: bool,
    /// What the installation is called; empty: it has no name.
    pub installation: String,
}

impl Policy {
    /// The way of an alert; none: nobody is told.
    pub(crate) fn route(&self, alert: &Alert) -> Option<&Route> {
        self.routes.iter().find(|route| route.about.takes(alert))
    }

    /// Who is told, after so many steps beyond the first. Whoever stands in several is told once.
    pub(crate) fn receivers(&self, route: &Route, level: usize, now_ms: i64) -> BTreeSet<String> {
        let names = route.steps.iter().take(level + 1).flat_map(|step| &step.receivers);
        names.filter_map(|name| self.receiver(name, now_ms)).map(str::to_owned).collect()
    }

    fn receiver<'a>(&'a self, name: &'a str, now_ms: i64) -> Option<&'a str> {
        match self.rotations.iter().find(|rotation| rotation.name == name) {
            Some(rotation) => rotation.on_call(now_ms),
            None => Some(name),
        }
    }

    pub(crate) fn timing(&self, route: &Route, receiver: &str) -> Timing {
        self.own_timing.get(receiver).copied().unwrap_or(route.timing)
    }

    /// Whether somebody said that nobody is to be told of it now.
    pub(crate) fn is_silenced(&self, alert: &Alert, now_ms: i64) -> bool {
        self.silences.iter().any(|silence| silence.covers(alert, now_ms))
            || self.maintenance.iter().any(|window| window.about.takes(alert) && window.is_on(now_ms))
    }

    /// Who is at it, and knew of it as urgent as it is since `raised_ms`.
    pub(crate) fn acknowledged_by(&self, alert: &Alert, raised_ms: i64) -> Option<&str> {
        let mut of_it = self.acknowledgements.iter().filter(|one| raised_ms <= one.at_ms && one.about.takes(alert));
        of_it.next_back().map(|one| one.by.as_str())
    }
}
