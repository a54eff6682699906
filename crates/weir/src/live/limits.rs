//! What is beyond a limit of health-check, in which no check of the process fails: the lag, the age of the work, what stays in
//! work. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::SystemTime;

use common::few::NAMED;
use common::health::v1::{Count, Digest};
use health_check::HealthCheckSettings;
use health_check::flow::Flow;
use health_check::pipeline::{Model, Watched};

/// The process, for the model.
const PROCESS: &str = "weir";
/// What health-check finds by itself. That checks fail is told without it.
const FOUND: [&str; 5] = ["lag", "age", "in_work", "consumer", "dead_letters"];

/// What the digests of this process told so far.
#[derive(Debug)]
pub struct Limits(Model);

impl Limits {
    /// Of a process with these stages, of which nothing is known yet.
    pub fn new(settings: &HealthCheckSettings, stages: &[&str]) -> Self {
        let watched = vec![Watched { service: PROCESS.to_owned(), expected: 1 }];
        Self(Model::new(watched, settings.limits()).in_order(stages))
    }

    /// A line for each limit, as `weir health --check` names it: the most urgent ones, and how many there are.
    pub fn look(&mut self, digest: &Digest, now: SystemTime) -> String {
        // Endpoints and hours change no limit, and there may be thousands.
        let mut flows: BTreeMap<&str, Flow> = BTreeMap::new();
        for count in &digest.counts {
            flows.entry(&count.hop).or_default().add(&Flow::from(count));
        }
        let counts: Vec<Count> = flows.into_iter().map(|(hop, flow)| flow.count(hop, "", None)).collect();
        let told = Digest { counts, ..without_counts(digest) };
        self.0.observe(PROCESS, PROCESS, Ok(told), now);
        self.0.end_round(&BTreeSet::from([(PROCESS.to_owned(), PROCESS.to_owned())]), now);
        let problems = self.0.view(now).problems;
        let found: Vec<_> = problems.iter().filter(|problem| FOUND.contains(&problem.check.as_str())).collect();
        let mut text = String::new();
        for problem in found.iter().take(NAMED) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {}/{}: {}", problem.hops.join(", "), problem.check, problem.found);
        }
        if found.len() > NAMED {
            let _ = writeln!(text, "  and {} more limits: see the status page", found.len() - NAMED);
        }
        text
    }
}

/// A copy of the rest.
fn without_counts(digest: &Digest) -> Digest {
    Digest {
        service: digest.service.clone(),
        version: digest.version.clone(),
        instance: digest.instance.clone(),
        started_at: digest.started_at,
        at: digest.at,
        ready: digest.ready,
        checks: digest.checks.clone(),
        counts: Vec::new(),
        queues: digest.queues.clone(),
        ages: digest.ages.clone(),
        consumers: digest.consumers.clone(),
        works: digest.works.clone(),
        canaries: digest.canaries.clone(),
        // They are in the log, and have no limit here.
        errors: Vec::new(),
        errors_forgotten: 0,
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
