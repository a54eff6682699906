//! Random faults, one after the other, in systems that run for several of them.

use std::time::{Duration, Instant};

use fastrand::Rng;
use weir_tests::memory::MemoryLimit;

use crate::Arguments;
use crate::failover::Former;
use crate::fault::{Fault, SEES_CLOCK};
use crate::load;
use crate::report::Line;
use crate::run::{self, Run, plan};
use crate::surroundings::Surroundings;
use crate::system::Options;

/// Faults before all of it is compared, and another system begins.
const STRETCH: u32 = 10;

/// A fault that a machine, a network or an operator could bring about.
fn any(rng: &mut Rng, in_store: bool, limits_memory: bool) -> Fault {
    if in_store && rng.u32(0..4) == 0 {
        return crate::store::any(rng);
    }
    const SERVICES: [&str; 6] =
        ["streaming-0", "streaming-1", "processing-0", "processing-1", "enricher-0", "loader-0"];
    let service = rng.choice(SERVICES).unwrap_or("processing-0").to_owned();
    let time = Duration::from_millis(rng.u64(500..6000));
    match rng.u32(0..100) {
        0..3 if limits_memory => Fault::MemoryLimited(service, time),
        0..31 => Fault::Kill(service),
        31..33 => Fault::BrokersRemove(service),
        33..41 => Fault::Restart(service),
        41..50 => Fault::BrokerKilled(rng.usize(0..3), time),
        50..54 => Fault::BrokersAway,
        54..60 => Fault::Freeze(service),
        60..66 => Fault::Slow(Duration::from_millis(rng.u64(20..200)), time),
        66..72 => Fault::Cuts(rng.u32(1..4)),
        72..77 => Fault::Silence(time),
        77..81 => Fault::RedisKilled(time),
        81..83 => Fault::RedisEmptied,
        83..84 => Fault::Rebalances(2),
        84..89 => Fault::Unread(service, time),
        89..95 => Fault::ClockSet(service, rng.choice(["+40d", "+2h", "+90s"]).unwrap_or("+2h"), time + SEES_CLOCK),
        95..97 => Fault::DatabaseAway(time),
        _ => Fault::DatabaseFailsOver(if rng.bool() { Former::Killed } else { Former::ReadOnly }),
    }
}

pub(crate) async fn run(
    around: &Surroundings,
    rounds: u32,
    arguments: &Arguments,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    let seed = arguments.seed;
    let limits_memory = MemoryLimit::make()?.is_some();
    if !limits_memory {
        println!("memory cannot be limited on this machine: these rounds have no memory limits");
    }
    let mut rng = Rng::with_seed(seed);
    let mut done = 0;
    while done < rounds {
        let count = STRETCH.min(rounds - done);
        // One stretch of three has its lake in an object store, which is slower than a folder.
        let store = (rng.u32(0..3) == 0).then(|| rng.u64(..));
        let faults: Vec<(Duration, Fault)> = (0..count)
            .map(|_| (Duration::from_millis(rng.u64(0..3000)), any(&mut rng, store.is_some(), limits_memory)))
            .collect();
        let (plan, options) = (plan(rng.u64(..)), Options { store, clocks: true, ..Options::default() });
        done += count;
        if done <= arguments.skip {
            continue;
        }
        let name = format!("rounds {} to {done}", done - count + 1);
        println!("\n{name}, seed {seed}{}:", if store.is_some() { ", the lake in an object store" } else { "" });
        let began = Instant::now();
        let logs = arguments.logs_of(&name);
        let keep = Some(logs.as_path());
        let outcome = async {
            let mut run = Run::start("rounds", around, options, plan).await?;
            let broken = async {
                for (before, fault) in &faults {
                    // At any moment of what goes on.
                    tokio::time::sleep(*before).await;
                    println!("  {fault:?}");
                    run.fault(fault).await?;
                }
                anyhow::Ok(())
            };
            if let Err(error) = broken.await {
                run.keep_logs(keep).await?;
                return Err(error);
            }
            run.finish(run::PATIENCE, keep).await
        };
        let outcome = load::during(outcome).await;
        let line = Line::new(name, false, outcome, began.elapsed(), arguments.recovered_within());
        line.print();
        arguments.tidy(&logs, &line);
        lines.push(line);
    }
    Ok(())
}
