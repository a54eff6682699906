//! What the page says of the present moment, in Prometheus' text format 0.0.4. The recorder keeps for ever what was counted
//! once; here is only what is known now, so that a series ends with what it is about.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use common::health::v1::{Count, Membership, Queue};

use crate::digest_json::{action_name, membership_name};
use crate::health::State;
use crate::{Counts, Health, clock};

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Goes up only, while the process runs.
    Counter,
    /// As it is now.
    Gauge,
}

/// One metric on the page. Without a sample there is nothing of it.
#[derive(Debug)]
pub struct Family<'a> {
    page: &'a mut String,
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
    begun: bool,
}

impl<'a> Family<'a> {
    /// `name` ends in the unit, or in `_total` where it is a counter. `help` is one line. The samples of a metric stand
    /// together.
    #[must_use]
    pub fn new(page: &'a mut String, name: &'static str, kind: MetricKind, help: &'static str) -> Self {
        Self { page, name, kind, help, begun: false }
    }

    /// A sample. No two of a family have the same labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        if !self.begun {
            self.begun = true;
            let kind = match self.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
            };
            self.page.extend(["# HELP ", self.name, " ", self.help, "\n# TYPE ", self.name, " ", kind, "\n"]);
        }
        self.page.push_str(self.name);
        for (n, (label, text)) in labels.iter().enumerate() {
            self.page.extend([if n == 0 { "{" } else { "," }, label, "=\""]);
            escape(self.page, text);
            self.page.push('"');
        }
        if !labels.is_empty() {
            self.page.push('}');
        }
        // Writing to a String does not fail. Rust's own words for these are others.
        let _ = match value {
            f64::INFINITY => writeln!(self.page, " +Inf"),
            f64::NEG_INFINITY => writeln!(self.page, " -Inf"),
            value => writeln!(self.page, " {value}"),
        };
    }

    /// A sample, where it is known.
    pub fn known(&mut self, labels: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.sample(labels, value);
        }
    }
}

/// Names may come from outside.
fn escape(page: &mut String, text: &str) {
    if !text.contains(['\\', '"', '\n']) {
        return page.push_str(text);
    }
    for c in text.chars() {
        match c {
            '\\' => page.push_str("\\\\"),
            '"' => page.push_str("\\\""),
            '\n' => page.push_str("\\n"),
            c => page.push(c),
        }
    }
}

/// Adds what is known now.
pub(super) fn write(page: &mut String, health: &Health) {
    checks(page, health);
    consumers(page, health.counts());
    work(page, health.counts());
    items(page, health.counts());
    health.write_measures(page);
}

fn checks(page: &mut String, health: &Health) {
    let digests = health.all_checks();
    let each = || digests.iter().flat_map(|digest| digest.checks.iter().map(|check| (digest.service.as_str(), check)));
    if let Some(own) = digests.first() {
        let service = own.service.as_str();
        Family::new(page, "weir_build_info", MetricKind::Gauge, "1, with the version as label.")
            .sample(&[("service", service), ("version", &own.version)], 1.0);
        Family::new(page, "weir_ready", MetricKind::Gauge, "Whether the service is ready: 1, or 0.")
            .sample(&[("service", service)], f64::from(u8::from(own.ready)));
    }
    let mut states = Family::new(
        page,
        "weir_check_state",
        MetricKind::Gauge,
        "State of a check: 0 ok, 1 warning, 2 failing, 3 unknown; with the action if it fails.",
    );
    for (service, check) in each() {
        let state = match check.state() {
            State::Ok => 0.0,
            State::Warning => 1.0,
            State::Failing => 2.0,
            State::Unknown | State::Unspecified => 3.0,
        };
        // Whom an alert is for.
        states.sample(&[("service", service), ("check", &check.name), ("action", action_name(check.action()))], state);
    }
    let mut values = Family::new(
        page,
        "weir_check_value",
        MetricKind::Gauge,
        "What a check measured, in the unit of the check. Not there where that is not known.",
    );
    for (service, check) in each() {
        values.known(&[("service", service), ("check", &check.name)], check.value);
    }
}

/// Who takes the work, and how much waits, where that is known.
fn consumers(page: &mut String, counts: &Counts) {
    let all = counts.consumers();
    let mut membership = Family::new(
        page,
        "weir_stage_consumers",
        MetricKind::Gauge,
        "Consumers of a stage, by what they are in their group: starting, away, joining, member, spare.",
    );
    let mut groups: BTreeMap<[&str; 3], f64> = BTreeMap::new();
    for (consumer, _) in &all {
        let state = membership_name(consumer.membership());
        *groups.entry([&consumer.hop, &consumer.group, state]).or_default() += 1.0;
    }
    for ([stage, group, state], count) in groups {
        membership.sample(&[("stage", stage), ("group", group), ("membership", state)], count);
    }
    let mut stages = Family::new(
        page,
        "weir_stage_lag_records",
        MetricKind::Gauge,
        "Records that wait for a stage. Not there where that is not known.",
    );
    let mut waiting: BTreeMap<[&str; 2], Option<i64>> = BTreeMap::new();
    for (consumer, queues) in &all {
        let is_in = matches!(consumer.membership(), Membership::Member | Membership::Spare);
        let lags = queues.iter().map(|queue| (is_in && !queue.lag_unknown).then_some(queue.lag));
        let lag = if is_in { lags.sum::<Option<i64>>() } else { None };
        let sum = waiting.entry([&consumer.hop, &consumer.group]).or_insert(Some(0));
        *sum = sum.zip(lag).map(|(sum, lag)| sum + lag);
    }
    for ([stage, group], lag) in waiting {
        stages.known(&[("stage", stage), ("group", group)], lag.map(|lag| lag as f64));
    }
    let mut partitions = Family::new(
        page,
        "weir_consumer_lag_records",
        MetricKind::Gauge,
        "Records of a partition that its group has not finished. Not there where that is not known.",
    );
    for queue in all.iter().flat_map(|(_, queues)| queues) {
        let partition = queue.partition.to_string();
        partitions.known(
            &[("group", &queue.group), ("topic", &queue.topic), ("partition", &partition)],
            (!queue.lag_unknown).then_some(queue.lag as f64),
        );
    }
    let mut seconds = Family::new(
        page,
        "weir_consumer_lag_seconds",
        MetricKind::Gauge,
        "Age of the oldest record of a partition that its group has not finished; 0: none waits. Not there where that is not known.",
    );
    let now = clock::now();
    for (consumer, queue) in all.iter().flat_map(|(consumer, queues)| queues.iter().map(move |queue| (consumer, queue)))
    {
        let partition = queue.partition.to_string();
        seconds.known(
            &[("stage", &consumer.hop), ("group", &queue.group), ("topic", &queue.topic), ("partition", &partition)],
            waits_for(queue, now),
        );
    }
}

/// For how long the oldest record of a partition has been waiting, where that is known.
fn waits_for(queue: &Queue, now: SystemTime) -> Option<f64> {
    let Some(oldest_at) = queue.oldest_at else {
        return (!queue.lag_unknown && queue.lag == 0).then_some(0.0);
    };
    // The clock of who wrote it may be ahead.
    let age = now.duration_since(SystemTime::try_from(oldest_at).ok()?).unwrap_or_default();
    Some(age.as_secs_f64())
}

/// What is in work, and for how long the oldest of it has been.
fn work(page: &mut String, counts: &Counts) {
    let works = counts.works();
    let mut in_work = Family::new(
        page,
        "weir_stage_in_work_items",
        MetricKind::Gauge,
        "Items that a stage has taken in, and that have no end yet.",
    );
    for work in &works {
        in_work.sample(&[("stage", &work.hop)], work.in_work as f64);
    }
    let mut oldest = Family::new(
        page,
        "weir_stage_oldest_in_work_seconds",
        MetricKind::Gauge,
        "For how long the oldest item has been in work. Not there where nothing is.",
    );
    for work in &works {
        oldest.known(&[("stage", &work.hop)], work.oldest_seconds);
    }
}

fn items(page: &mut String, counts: &Counts) {
    let mut stages = Family::new(
        page,
        "weir_stage_items_total",
        MetricKind::Counter,
        "What a stage took in, sent on, dead-lettered and dropped, by reason.",
    );
    for (stage, count) in counts.totals() {
        each(&count, true, |what, reason, n| stages.sample(&[("stage", stage), ("what", what), ("reason", reason)], n));
    }
    let mut endpoints = Family::new(
        page,
        "weir_endpoint_items_total",
        MetricKind::Counter,
        "What a stage took in, sent on, dead-lettered and dropped, by endpoint; (others): beyond telemetry.endpoint_series.",
    );
    for (endpoint, stage, count) in counts.by_endpoint() {
        each(&count, false, |what, reason, n| {
            endpoints.sample(&[("stage", stage), ("endpoint", &endpoint), ("what", what), ("reason", reason)], n);
        });
    }
}

/// Each number of a count. That nothing was sent on or dead-lettered yet is said where `zeros` says so.
fn each(count: &Count, zeros: bool, mut tell: impl FnMut(&'static str, &str, f64)) {
    tell("taken_in", "", count.taken_in as f64);
    for (what, n) in [("sent_on", count.sent_on), ("dead_lettered", count.dead_lettered)] {
        if zeros || n > 0 {
            tell(what, "", n as f64);
        }
    }
    for (reason, n) in &count.dropped {
        tell("dropped", reason, *n as f64);
    }
}

#[cfg(test)]
#[path = "families_tests.rs"]
mod tests;
