//! Nobody reads what the services log: a log driver hangs, and the pipes are full.

use std::time::Duration;

use anyhow::{Context, ensure};
use weir_tests::process::Process;

use crate::run::Run;
use crate::tail::Moment;

const SECOND: Duration = Duration::from_secs(1);
/// Of 400 deliveries each: with all that is logged at the finest level, 8,000 lines wait after the first or second.
const ROUNDS: u32 = 20;

/// All go on while nothing that they log is read, and one that is told to end ends in good order.
pub(crate) async fn logs(run: &mut Run<'_>) -> anyhow::Result<()> {
    for name in run.system.names() {
        run.system.on(&name, |process| process.hold_output()).await?;
    }
    // What waits to be written fills, and lines are dropped.
    let mut dropped = 0;
    for _ in 0..ROUNDS {
        run.traffic.acknowledges(400, 60 * SECOND).await?;
        dropped = dropped_lines(run).await?;
        if dropped > 0 {
            break;
        }
    }
    ensure!(dropped > 0, "the logs were not read, and no line was dropped");
    for name in run.system.names() {
        for path in ["/livez", "/readyz"] {
            let (status, said) = run.system.on(&name, move |process| process.get(path)).await?;
            ensure!(status == 200, "{name} answers {status} at {path}: {said}");
        }
    }
    for name in ["streaming-1", "processing-1", "enricher-0", "loader-0"] {
        // The default deadline, and a little.
        let status = run.system.on(name, |process| process.stop(28 * SECOND)).await?;
        ensure!(status.success(), "{name} ended with {status}");
        run.system.on(name, Process::restart).await?;
    }
    run.traffic.acknowledges(400, 60 * SECOND).await?;
    for name in run.system.names() {
        let release = |process: &mut Process| {
            process.release_output();
            Ok(())
        };
        run.system.on(&name, release).await?;
    }
    println!("  {dropped} log lines were dropped and counted");
    run.ended(Moment::now());
    Ok(())
}

/// So many lines the services say they have dropped.
async fn dropped_lines(run: &mut Run<'_>) -> anyhow::Result<u64> {
    let mut dropped = 0;
    for name in run.system.names() {
        let (_, metrics) = run.system.on(&name, |process| process.get("/metrics")).await?;
        let lines =
            metrics.lines().find_map(|line| line.strip_prefix("weir_log_lines_dropped_total ")?.parse::<u64>().ok());
        dropped += lines.with_context(|| format!("{name} does not report how many lines it dropped"))?;
    }
    Ok(dropped)
}
