//! One run: a system, traffic, faults, and the verdict when nothing moves any more.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use simulate::Endpoints;

use crate::account::account;
use crate::check::{Verdict, check};
use crate::ledger::Ledger;
use crate::observe::{Facts, Observer, Place};
use crate::surroundings::Surroundings;
use crate::system::{Options, System};
use crate::tail::{Moment, Recovery, Tail};
use crate::traffic::{Plan, Traffic};

/// Traffic before the first fault, in deliveries.
const BEFORE: u64 = 100;
/// And after the last, in which everything should go on.
const AFTER: Duration = Duration::from_secs(12);
/// When everything has, for so long yet.
const CALM: Duration = Duration::from_secs(5);
const FIRST_WITHIN: Duration = Duration::from_secs(60);
/// For how long something that is missing may yet come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is told what is waited for.
const TELL: Duration = Duration::from_secs(10);
/// Where something is meant to be missing.
pub(crate) const SHORT_PATIENCE: Duration = Duration::from_secs(15);

/// A system with traffic.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) around: &'a Surroundings,
    pub(crate) system: System,
    pub(crate) traffic: Traffic,
    tail: Tail,
    /// When each fault began and ended.
    faults: Vec<Happened>,
    /// Records that the case itself put on raw topics, and the reason with which they are to be refused.
    pub(crate) injected: HashMap<Place, &'static str>,
    pub(crate) kills: u32,
    /// What else was sent.
    pub(crate) besides: Vec<Ledger>,
    /// What stood on topics that are there no more.
    pub(crate) gone: Facts,
    endpoints: Arc<Endpoints>,
}

/// A fault that happened.
#[derive(Debug)]
struct Happened {
    what: String,
    began: Instant,
    end: Moment,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) ledger: Ledger,
    pub(crate) verdict: Verdict,
    pub(crate) faults: usize,
    /// One for each fault that no other one followed before everything went on.
    pub(crate) recoveries: Vec<(String, Recovery)>,
    pub(crate) events: u64,
    pub(crate) kills: u32,
    /// Services whose own counts do not add up.
    pub(crate) unbalanced: Vec<String>,
    /// What the services say of themselves, where something is missing or wrong.
    pub(crate) account: Vec<String>,
}

pub(crate) fn plan(seed: u64) -> Plan {
    Plan { rate: 50.0, seed, redeliver: 0.05, twice: false, mixed: 0.4, broken: 0.02, mix: None, numbers: 0 }
}

impl<'a> Run<'a> {
    pub(crate) async fn start(
        name: &str,
        around: &'a Surroundings,
        options: Options,
        plan: Plan,
    ) -> anyhow::Result<Self> {
        let began = Instant::now();
        around.mend().await.context("cannot undo the faults of the last case")?;
        let endpoints = Arc::new(Endpoints::for_tests());
        let system = System::start(name, around, &endpoints, options).await?;
        let tail = Tail::start(&system).await?;
        let traffic = Traffic::start(&endpoints, &system.doors, plan, &system.ledger())?;
        let mut run = Self {
            around,
            system,
            traffic,
            tail,
            faults: Vec::new(),
            injected: HashMap::new(),
            kills: 0,
            besides: Vec::new(),
            gone: Facts::default(),
            endpoints,
        };
        let started = began.elapsed();
        run.traffic.acknowledges(BEFORE, FIRST_WITHIN).await?;
        // Every topic has been found, and what waited for it has come out.
        while run.tail.count() < BEFORE as usize {
            ensure!(began.elapsed() < FIRST_WITHIN, "no event is produced");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if run.system.store.is_some() {
            run.system.table()?.begins(FIRST_WITHIN).await?;
        }
        println!(
            "\n{name}: services started in {:.1} s, traffic after {:.1} s",
            started.as_secs_f64(),
            began.elapsed().as_secs_f64()
        );
        Ok(run)
    }

    /// Where what has happened is to be looked at.
    pub(crate) async fn keep_logs(&self, folder: Option<&Path>) -> anyhow::Result<()> {
        match folder {
            Some(folder) => self.system.keep_logs(folder).await.context("cannot keep the logs"),
            None => Ok(()),
        }
    }

    /// A fault, to its end.
    pub(crate) async fn fault(&mut self, fault: &crate::fault::Fault) -> anyhow::Result<()> {
        let began = Instant::now();
        let end = fault.happen(self.around, &self.system).await.with_context(|| format!("{fault:?}"))?;
        self.faults.push(Happened { what: format!("{fault:?}"), began, end });
        self.kills += fault.kills();
        Ok(())
    }

    /// Sends something else beside the traffic.
    pub(crate) fn besides(&self, plan: Plan) -> anyhow::Result<Traffic> {
        Traffic::start(&self.endpoints, &self.system.doors, plan, &self.system.folder().join("besides.jsonl"))
    }

    /// A fault ended at this moment.
    pub(crate) fn ended(&mut self, end: Moment) {
        self.faults.push(Happened { what: "fault of the case".to_owned(), began: end.at, end });
    }

    /// Until everything has gone on for a while after the last fault, or should have.
    async fn goes_on(&self) {
        let last = self.faults.iter().map(|fault| fault.end).max_by_key(|end| end.at).unwrap_or_else(Moment::now);
        while Instant::now() < last.at + AFTER {
            let recovery = self.tail.recovery(last, &self.traffic.taken(), self.system.doors.len());
            if recovery.whole().is_some_and(|whole| last.at + whole + CALM < Instant::now()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Stops the traffic a while after the last fault, waits until nothing moves any more, and judges. `patience`: for how
    /// long something that is missing may yet come.
    ///
    /// `keep`: where the services' logs are copied to.
    pub(crate) async fn finish(self, patience: Duration, keep: Option<&Path>) -> anyhow::Result<Report> {
        self.goes_on().await;
        let around = self.around;
        let Self { system, traffic, tail, faults, injected, kills, besides, gone, .. } = self;
        let (mut ledger, taken) = traffic.stop().await?;
        besides.into_iter().for_each(|other| ledger.absorb(other));
        let (stopped, mut told) = (Instant::now(), Instant::now());
        let mut observer = Observer::new(&system, gone)?;
        let (mut moved, mut waited, table) = (Instant::now(), Vec::new(), system.table()?);
        let verdict = loop {
            let waiting = waiting(&system).await;
            let settled = waiting.is_empty();
            if told.elapsed() > TELL {
                told = Instant::now();
                println!("  waiting after {:.0} s: {}", stopped.elapsed().as_secs_f64(), waiting.join(", "));
            }
            // While something waits it makes no sense to read all there is: that would only be in its way.
            if waiting != waited || (settled && observer.read().await? > 0) {
                (moved, waited) = (Instant::now(), waiting);
            }
            let patient = moved.elapsed() < patience;
            if settled || !patient {
                observer.read().await?;
                observer.read_lake(&table).await?;
                let verdict = check(&ledger, &observer.facts, &injected);
                if (settled && verdict.holds()) || !patient {
                    break verdict;
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let recoveries: Vec<(String, Recovery)> = faults
            .iter()
            .map(|fault| (fault, tail.recovery(fault.end, &taken, system.doors.len())))
            .filter(|(fault, recovery)| !is_followed(fault.end.at, *recovery, &faults))
            .map(|(fault, recovery)| (fault.what.clone(), recovery))
            .collect();
        let unbalanced = unbalanced(&system).await.unwrap_or_else(|error| vec![format!("{error:#}")]);
        let events = observer.facts.typed.len() as u64;
        let goes_on = recoveries.iter().all(|(_, recovery)| recovery.whole().is_some());
        let well = verdict.holds() && unbalanced.is_empty() && goes_on;
        let account = if well { Vec::new() } else { account(&system).await };
        println!("  idle {:.1} s after the traffic", stopped.elapsed().as_secs_f64());
        if let Some(folder) = keep {
            system.keep_logs(folder).await.context("cannot keep the logs")?;
            if !verdict.holds() {
                let (topics, folder) =
                    (format!("{}raw.", system.prefix), folder.join(format!("{}brokers", system.prefix)));
                around
                    .on_cluster(move |cluster| cluster.keep(&topics, &folder))
                    .await
                    .context("cannot keep the logs and topics of the brokers")?;
            }
        }
        Ok(Report { ledger, verdict, faults: faults.len(), recoveries, events, kills, unbalanced, account })
    }
}

/// Whether another fault came before everything went on, and ended later: then its recovery is that of both.
fn is_followed(end: Instant, recovery: Recovery, faults: &[Happened]) -> bool {
    let recovered = recovery.whole().map(|whole| end + whole);
    faults.iter().any(|other| other.end.at > end && recovered.is_none_or(|recovered| other.began < recovered))
}

/// What services that run say that waits for them.
pub(crate) async fn waiting(system: &System) -> Vec<String> {
    let digests = match system.digests().await {
        Ok(digests) => digests,
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut waiting = Vec::new();
    let mut groups = BTreeSet::new();
    for (name, digest) in &digests {
        for queue in digest["queues"].as_array().into_iter().flatten() {
            if queue["lag"].as_i64() != Some(0) {
                waiting.push(format!("{name}: {} of {}/{}", queue["lag"], queue["topic"], queue["partition"]));
            }
            groups.insert(queue["group"].as_str().unwrap_or_default());
        }
    }
    // Both lanes of processing, enricher and loader, each with somebody who has its partitions.
    if groups.len() < 4 {
        waiting.push(format!("groups with members: {groups:?}"));
    }
    waiting
}

/// What each service counted since it was started: everything that it took in has its end.
async fn unbalanced(system: &System) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (name, digest) in system.digests().await? {
        for count in digest["counts"].as_array().into_iter().flatten() {
            let number = |field: &str| count[field].as_u64().unwrap_or_default();
            let dropped = count["dropped"].as_object().into_iter().flatten();
            let dropped: u64 = dropped.filter_map(|(_, count)| count.as_u64()).sum();
            let ended = number("sent_on") + number("dead_lettered") + dropped;
            if number("taken_in") != ended {
                wrong.push(format!("{name} took in {} and finished {ended}: {count}", number("taken_in")));
            }
        }
    }
    Ok(wrong)
}
