//! The run: capacity, overload, what comes after it, slow clients, and what became of everything.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use simulate::Endpoints;
use weir_tests::usage;

use crate::Plan;
use crate::check::{Verdict, check};
use crate::load::{Load, Tally, quantile};
use crate::memory::Memory;
use crate::report::Report;
use crate::slow::{Manner, Slow};
use crate::stock::Stock;
use crate::system::{BODY_TIMEOUT, HEADER_TIMEOUT, IDLE_TIMEOUT, MAX_CONNECTIONS, MAX_IN_FLIGHT, System, lock};

/// How much more than the capacity is offered.
const TIMES: f64 = 10.0;
/// Over so many connections.
const CONNECTIONS: usize = 200;
/// Ordinary traffic is this part of the capacity, over so many connections.
const ORDINARY: f64 = 0.3;
const ORDINARY_CONNECTIONS: usize = 8;
/// What is still ordinary for one answer beside slow clients or right after an overload.
const ORDINARY_ANSWER: Duration = Duration::from_secs(1);
/// On a machine that does other things too.
const ANY_ANSWER: Duration = Duration::from_secs(5);
/// Slow clients, all of which the door cannot hold at once; and so many that it can.
const TOO_MANY: usize = MAX_CONNECTIONS * 3 / 2;
const FEW: usize = 50;
/// The most memory that a service may have, in MiB.
const MEMORY: u64 = 256;
const ACCEPTED_PART: f64 = 0.8;
const WINDOW: Duration = Duration::from_secs(1);

pub(crate) async fn run(plan: Plan, logs: Option<&Path>) -> anyhow::Result<Report> {
    let (began, endpoints) = (Instant::now(), Arc::new(Endpoints::for_tests()));
    let system = tokio::task::spawn_blocking(System::start).await??;
    system.register(&endpoints).await?;
    println!("services started in {:.1} s", began.elapsed().as_secs_f64());
    let memory = Memory::watch(system.pids());
    let stock = Arc::new(Stock::new(&endpoints)?);
    let load = Load { door: system.door()?, stock: Arc::clone(&stock), thanked: Arc::default() };
    let door = system.pid("streaming")?;
    let mut run = Run { plan, load, door, report: Report::default(), capacity: 0.0, ordinary: Duration::ZERO };
    let ran = run.phases().await;
    if let Some(folder) = logs {
        system.keep_logs(folder)?;
    }
    ran?;
    let thanked = std::mem::take(&mut *lock(&run.load.thanked));
    let verdict = check(&system, &thanked).await?;
    run.kept(&verdict);
    run.memory(&memory);
    let ended = system.ended()?;
    run.report.judge("services that ended", format!("{ended:?}"), "none", ended.is_empty());
    Ok(run.report)
}

struct Run {
    plan: Plan,
    load: Load,
    /// Its process.
    door: u32,
    report: Report,
    /// Accepted in a second, and the 99th percentile of ordinary answers.
    capacity: f64,
    ordinary: Duration,
}

impl Run {
    async fn phases(&mut self) -> anyhow::Result<()> {
        self.capacity().await?;
        self.overload().await?;
        self.back_to_normal().await;
        self.too_many_slow_clients().await?;
        self.few_slow_clients().await?;
        Ok(())
    }

    async fn prepare(&self, count: f64) -> anyhow::Result<()> {
        let (stock, left) = (Arc::clone(&self.load.stock), self.load.stock.left());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let more = (count as usize).saturating_sub(left);
        tokio::task::spawn_blocking(move || stock.prepare(more)).await?
    }

    async fn capacity(&mut self) -> anyhow::Result<()> {
        self.prepare(10_000.0).await?;
        // Connections, topics and caches are there afterwards.
        self.load.closed(MAX_IN_FLIGHT, WINDOW).await;
        let tally = self.load.closed(MAX_IN_FLIGHT, self.plan.capacity).await;
        self.capacity = tally.accepted_per_second();
        ensure!(self.capacity >= 1.0, "the door accepts nothing: {tally:?}");
        self.report.tell("capacity, accepted/s", format!("{:.0}", self.capacity));
        self.report.tell("mean body, bytes", format!("{}", tally.bytes / tally.offered.max(1)));
        let mut ordinary = self.ordinary_traffic(self.plan.ordinary).await;
        self.ordinary = quantile(&mut ordinary.accepted_took, 0.99);
        let median = quantile(&mut ordinary.accepted_took, 0.5);
        self.report.tell("ordinary traffic before: p50, p99, ms", format!("{}, {}", ms(median), ms(self.ordinary)));
        Ok(())
    }

    async fn ordinary_traffic(&self, lasts: Duration) -> Tally {
        self.load.open(ORDINARY_CONNECTIONS, lasts, self.capacity * ORDINARY).await
    }

    async fn overload(&mut self) -> anyhow::Result<()> {
        let seconds = self.plan.overload.as_secs_f64() + 4.0 * self.plan.ordinary.as_secs_f64() + 20.0;
        self.prepare(self.capacity * seconds * 1.3).await?;
        let used = |pid| usage::processor_time(pid).unwrap_or_default();
        let before = (used(self.door), used(std::process::id()));
        let mut tally = self.load.open(CONNECTIONS, self.plan.overload, self.capacity * TIMES).await;
        let share = |now: Duration, before: Duration| {
            format!("{:.2}", (now.saturating_sub(before)).as_secs_f64() / self.plan.overload.as_secs_f64())
        };
        let shares = [share(used(self.door), before.0), share(used(std::process::id()), before.1)];
        let times = tally.offered_per_second() / self.capacity;
        let part = tally.accepted_per_second() / self.capacity;
        let fast = |holds: bool| holds || !self.plan.speed;
        let report = &mut self.report;
        report.tell("overload, s", format!("{:.0}", self.plan.overload.as_secs_f64()));
        let offered = format!("{:.1} × ({:.0}/s)", times, tally.offered_per_second());
        report.judge("offered, of the capacity", offered, "10 ×", fast(times > TIMES * 0.95));
        report.tell("planned, but not sent", format!("{}", tally.planned.saturating_sub(tally.offered)));
        report.tell("largest sending delay, ms", ms(tally.latest));
        let accepted = format!("{:.0}% ({:.0}/s)", part * 100.0, tally.accepted_per_second());
        report.judge("accepted, of the capacity", accepted, "≥ 80%", fast(part >= ACCEPTED_PART));
        let (p50, p99) = (quantile(&mut tally.accepted_took, 0.5), quantile(&mut tally.accepted_took, 0.99));
        report.tell("accepted: p50, p99, ms", format!("{}, {}", ms(p50), ms(p99)));
        let (p50, p99) = (quantile(&mut tally.shed_took, 0.5), quantile(&mut tally.shed_took, 0.99));
        let shed = format!("{} ({}, {} ms)", tally.shed, ms(p50), ms(p99));
        report.tell("429 or 503 with Retry-After (p50, p99)", shed);
        report.tell("processors used: the door, the generator", shares.join(", "));
        report.judge("other answers", format!("{:?}", tally.other), "none", tally.other.is_empty());
        let lost = format!("{}, {}", tally.not_connected, tally.cut_off);
        let none = tally.not_connected + tally.cut_off == 0;
        report.judge("not connected, connections cut off", lost, "none", none);
        Ok(())
    }

    /// Ordinary traffic, until it is served as before.
    async fn back_to_normal(&mut self) {
        let began = Instant::now();
        let within = self.plan.recovered_within;
        let mut after = None;
        while after.is_none() && began.elapsed() < within + WINDOW {
            let start = began.elapsed();
            let mut tally = self.ordinary_traffic(WINDOW).await;
            let slowest = quantile(&mut tally.accepted_took, 0.99);
            if tally.accepted == tally.offered && tally.offered > 0 && slowest < self.answer() {
                after = Some(start);
            }
        }
        let found = after.map_or("never".to_owned(), |after| format!("{:.1} s", after.as_secs_f64()));
        let holds = after.is_some_and(|after| after <= within);
        self.report.judge("all answered with 200 again after", found, format!("≤ {within:?}"), holds);
    }

    fn answer(&self) -> Duration {
        if self.plan.speed { ORDINARY_ANSWER } else { ANY_ANSWER }
    }

    /// More than the door has room for, each opened again when it is closed.
    async fn too_many_slow_clients(&mut self) -> anyhow::Result<()> {
        let request = self.load.stock.take().context("nothing left to send")?;
        let slow = Slow::hold(self.load.door, TOO_MANY, &request, true);
        // Until all were there once.
        while slow.held().values().map(|held| held.opened).sum::<u64>() < TOO_MANY as u64 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut tally = self.ordinary_traffic(self.plan.ordinary * 2).await;
        let (p50, p99) = (quantile(&mut tally.accepted_took, 0.5), quantile(&mut tally.accepted_took, 0.99));
        let held = format!("{} of {MAX_CONNECTIONS}", slow.open());
        self.report.tell("slow connections, of max_connections", held);
        let all = format!("{} of {}", tally.accepted, tally.offered);
        let holds = tally.accepted == tally.offered && tally.offered > 0;
        self.report.judge("ordinary traffic beside them: accepted", all, "all", holds);
        let took = format!("{}, {}", ms(p50), ms(p99));
        self.report.judge("p50, p99, ms", took, format!("p99 < {:?}", self.answer()), p99 < self.answer());
        Ok(())
    }

    /// Few enough for all of them to have room: now it is time that ends them.
    async fn few_slow_clients(&mut self) -> anyhow::Result<()> {
        let request = self.load.stock.take().context("nothing left to send")?;
        let slow = Slow::hold(self.load.door, FEW, &request, false);
        let (began, longest) = (Instant::now(), IDLE_TIMEOUT.max(BODY_TIMEOUT).max(HEADER_TIMEOUT));
        let closed = |slow: &Slow| slow.held().values().map(|held| held.closed_by_door).sum::<u64>();
        while closed(&slow) < FEW as u64 && began.elapsed() < longest * 4 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let slack = if self.plan.speed { Duration::from_secs(1) } else { ANY_ANSWER };
        for (manner, held) in slow.held() {
            let limit = match manner {
                Manner::Head | Manner::Silent => HEADER_TIMEOUT,
                Manner::Body | Manner::HalfABody => BODY_TIMEOUT,
                Manner::Idle => IDLE_TIMEOUT,
            };
            let found = format!("{} of {} after {:.1} s", held.closed_by_door, held.opened, held.longest.as_secs_f64());
            let holds = held.closed_by_door == held.opened && held.longest < limit + slack;
            self.report.judge(format!("closed: {}", manner.name()), found, format!("all, {limit:?}"), holds);
        }
        Ok(())
    }

    fn kept(&mut self, verdict: &Verdict) {
        let report = &mut self.report;
        let lost = verdict.not_on_raw.len();
        let on_raw = format!("{} of {}", verdict.thanked - lost as u64, verdict.thanked);
        report.judge("acknowledged ids on raw topics", on_raw, "all", lost == 0);
        let typed = format!("{} of {}", verdict.events - verdict.not_typed.len() as u64, verdict.events);
        report.judge("their events on typed topics", typed, "all", verdict.not_typed.is_empty());
        report.tell("raw records that were not acknowledged", verdict.beyond.to_string());
        report.tell("drained after, s", format!("{:.1}", verdict.drained.as_secs_f64()));
        for missing in verdict.not_on_raw.iter().chain(&verdict.not_typed).take(5) {
            println!("    missing: {missing}");
        }
    }

    fn memory(&mut self, memory: &Memory) {
        let (services, gap) = memory.seen();
        for (name, seen) in services {
            let found = format!("{} ({} in {} samples)", seen.peak, seen.sampled, seen.samples);
            self.report.judge(format!("peak memory, MiB: {name}"), found, "< 256", seen.peak < MEMORY);
        }
        self.report.tell("longest time between two samples, ms", ms(gap));
    }
}

fn ms(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1000.0)
}
