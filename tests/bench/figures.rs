//! What was measured, and what is made of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::turns::Build;

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

/// What a slice of work came to, as the one says that did it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) records: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latency: Option<Quantiles>,
}

/// What a slice of work has used.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Slice {
    #[serde(flatten)]
    pub(crate) done: Done,
    /// Processor time of the process that did it.
    pub(crate) cpu: Duration,
    /// Processor time of the server behind it, where there is one: the broker, or Redis.
    pub(crate) server_cpu: Option<Duration>,
}

/// One who does the work, or a part of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Contender {
    pub(crate) name: String,
    /// Those that count, one of each round.
    pub(crate) slices: Vec<Slice>,
    /// Of its process, where that holds nothing but what the work needs.
    pub(crate) peak_memory: Option<u64>,
}

impl Contender {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), slices: Vec::new(), peak_memory: None }
    }

    /// One that every build has.
    pub(crate) fn of_build(name: &str, build: Option<&Build>) -> Self {
        Self::new(&build.map_or_else(|| name.to_owned(), |build| format!("{name}, {}", build.name)))
    }

    /// Processor seconds for a million records.
    pub(crate) fn cost(&self) -> f64 {
        per_million(self.slices.iter().map(|slice| slice.cpu).sum(), self.records())
    }

    /// The same of the server behind it.
    pub(crate) fn server_cost(&self) -> Option<f64> {
        let of: Option<Vec<Duration>> = self.slices.iter().map(|slice| slice.server_cpu).collect();
        Some(per_million(of?.into_iter().sum(), self.records()))
    }

    fn cost_in(&self, round: usize) -> f64 {
        self.slices.get(round).map_or(0.0, |slice| per_million(slice.cpu, slice.done.records))
    }

    /// Records in a second of real time.
    pub(crate) fn rate(&self) -> f64 {
        let elapsed: Duration = self.slices.iter().map(|slice| slice.done.elapsed).sum();
        self.records() as f64 / elapsed.as_secs_f64()
    }

    /// The median of the rounds, of each quantile.
    pub(crate) fn latency(&self) -> Option<Quantiles> {
        let all: Vec<Quantiles> = self.slices.iter().filter_map(|slice| slice.done.latency).collect();
        let median = |of: fn(&Quantiles) -> u64| {
            let mut values: Vec<u64> = all.iter().map(of).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied()
        };
        Some(Quantiles {
            p50_us: median(|one| one.p50_us)?,
            p99_us: median(|one| one.p99_us)?,
            max_us: all.iter().map(|one| one.max_us).max()?,
        })
    }

    fn records(&self) -> u64 {
        self.slices.iter().map(|slice| slice.done.records).sum()
    }
}

fn per_million(cpu: Duration, records: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / records as f64
}

/// A measurement: a service, the parts that its work has at least, and what is told beside.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    /// What a record is, for the heading of the table.
    pub(crate) record: &'static str,
    /// What "server" is.
    pub(crate) server: &'static str,
    pub(crate) whole: Contender,
    /// What the whole is compared with, together.
    pub(crate) parts: Vec<Contender>,
    pub(crate) beside: Vec<Contender>,
    /// What was counted where, so that the run can be believed: each pair was found equal.
    pub(crate) checks: BTreeMap<String, u64>,
}

/// The whole by the sum of its parts.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Ratio {
    /// Of all rounds together.
    pub(crate) overall: f64,
    /// Of the round where it is lowest, and where it is highest.
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Section {
    pub(crate) fn ratio(&self) -> Ratio {
        let parts = |cost: &dyn Fn(&Contender) -> f64| self.parts.iter().map(cost).sum::<f64>();
        let rounds = 0..self.whole.slices.len();
        let each = rounds.map(|round| self.whole.cost_in(round) / parts(&|part| part.cost_in(round)));
        let (lowest, highest) =
            each.fold((f64::INFINITY, 0.0_f64), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
        Ratio { overall: self.whole.cost() / parts(&Contender::cost), lowest, highest }
    }
}

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// A smoke test, whose figures mean nothing.
    pub(crate) quick: bool,
    pub(crate) machine: String,
    /// Of the whole run.
    pub(crate) took: Duration,
    pub(crate) sections: Vec<Figured>,
}

/// A section with its figures.
#[derive(Debug, Serialize)]
pub(crate) struct Figured {
    #[serde(flatten)]
    pub(crate) section: Section,
    pub(crate) ratio: Ratio,
    /// Processor seconds for a million records, by contender.
    pub(crate) cpu_seconds_per_million: BTreeMap<String, f64>,
}

impl Report {
    pub(crate) fn new(quick: bool, took: Duration, sections: Vec<Section>) -> Self {
        let sections = sections.into_iter().map(|section| {
            let all = [&section.whole].into_iter().chain(&section.parts).chain(&section.beside);
            let costs = all.map(|one| (one.name.clone(), one.cost())).collect();
            Figured { ratio: section.ratio(), cpu_seconds_per_million: costs, section }
        });
        Self { quick, machine: machine(), took, sections: sections.collect() }
    }
}

/// The machine, without its name.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let system = if cfg!(target_os = "linux") { "Linux" } else { std::env::consts::OS };
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    format!("{cores} cores, {}, {system}, {build}", std::env::consts::ARCH.replace('_', "-"))
}
