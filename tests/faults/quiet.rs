//! A time in which nothing is wrong, at load that changes: nobody is woken, and nobody gets a ticket.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::alerts;
use crate::fault::Fault;
use crate::receiver::{Receiver, Told};
use crate::run::{self, Run};
use crate::surroundings::Surroundings;
use crate::system::Options;
use crate::tail::Moment;
use crate::traffic::Plan;

const WELL_WITHIN: Duration = Duration::from_secs(120);
/// Minutes of it beside the quick cases: without a roll-out.
pub(crate) const SHORT: f64 = 0.25;
/// Of a load: what the generator sends in this time, and what the services then have to do.
const STRETCH: Duration = Duration::from_secs(20);
/// Numbers of one sender, which no other one has.
const APART: u64 = 10_000_000;

/// For so long. What was told as a page or a ticket is an error; what was logged is printed.
pub(crate) async fn run(around: &Surroundings, minutes: f64, logs: &Path) -> anyhow::Result<()> {
    let options = Options { look_ups: true, ..Options::default() };
    let mut run = Run::start("quiet", around, options, Plan { rate: 10.0, ..run::plan(1) }).await?;
    let time = Duration::from_secs_f64(minutes * 60.0);
    let outcome = watch(&mut run, time).await;
    if outcome.is_err() {
        run.keep_logs(Some(logs)).await?;
    }
    outcome?;
    let report = run.finish(run::PATIENCE, None).await?;
    ensure!(report.verdict.holds(), "{}", report.verdict);
    Ok(())
}

async fn watch(run: &mut Run<'_>, time: Duration) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    run.system.add_health_check(&receiver.settings(), None, WELL_WITHIN).await?;
    let (began, stretch) = (Instant::now(), STRETCH.min(time / 6));
    let mut turn = 0;
    while began.elapsed() < time {
        turn += 1;
        println!("  turn {turn}, after {:.0} s", began.elapsed().as_secs_f64());
        let burst = Plan { rate: 100.0, numbers: 2 * turn * APART, ..alerts::plan() };
        let bodies = Plan { rate: 20.0, mixed: 1.0, numbers: (2 * turn + 1) * APART, ..alerts::plan() };
        for load in [burst, bodies] {
            let sender = run.besides(load)?;
            tokio::time::sleep(stretch).await;
            run.besides.push(sender.stop().await?.0);
            // And a lull.
            tokio::time::sleep(stretch / 2).await;
        }
        run.fault(&Fault::Rebalances(1)).await?;
        // A short time has no roll-out.
        for name in
            run.system.names().into_iter().filter(|name| time > 6 * STRETCH && !name.starts_with("health-check"))
        {
            run.fault(&Fault::Restart(name.clone())).await?;
            run.system.on(&name, |process| process.ready(WELL_WITHIN)).await?;
        }
    }
    run.ended(Moment::now());
    run.system.is_well(WELL_WITHIN).await?;
    let told = receiver.told();
    let (logged, others): (Vec<&Told>, Vec<&Told>) = told.iter().partition(|told| told.class == "log");
    println!("  {turn} turns in {:.0} s; for the record: {logged:#?}", began.elapsed().as_secs_f64());
    ensure!(others.is_empty(), "somebody was told although nothing was wrong: {others:#?}");
    Ok(())
}
