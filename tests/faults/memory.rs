//! A service at its limit of memory: the kernel kills it, and whoever looks after it starts it again.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::{Instant, sleep};
use weir_tests::memory::MemoryLimit;
use weir_tests::process::Process;
use weir_tests::usage;

use crate::run::Run;
use crate::system::System;
use crate::tail::Moment;

/// Of what it has in peace: some do not get far with that, and some work for a while.
const PART: f64 = 0.4;

/// One service after the other; each is killed.
pub(crate) async fn each(run: &mut Run<'_>) -> anyhow::Result<()> {
    for name in ["streaming-0", "processing-0", "enricher-0", "loader-0"] {
        let (end, killed) = limited(&run.system, name, Duration::from_secs(8)).await?;
        ensure!(killed > 0, "{name} was not killed with {PART} of its memory: the case tested nothing");
        run.ended(end);
    }
    Ok(())
}

/// For a time a service may have less than it has, and then as much as it wants. When that was, and how often it was killed.
pub(crate) async fn limited(system: &System, name: &str, time: Duration) -> anyhow::Result<(Moment, u64)> {
    let group =
        MemoryLimit::make()?.context("only root can limit memory, and only where the kernel has control groups")?;
    let pid = system.on(name, |process| Ok(process.pid())).await?;
    group.set((usage::memory(pid)?.own as f64 * PART) as u64)?;
    // What it has taken before does not count: it is started again within the limit.
    let restart = |process: &mut Process| {
        process.restart()?;
        Ok(process.pid())
    };
    group.take(system.on(name, restart).await?)?;
    let until = Instant::now() + time;
    while Instant::now() < until {
        let again = |process: &mut Process| match process.exited()? {
            Some(_) => process.restart().map(|()| Some(process.pid())),
            None => Ok(None),
        };
        if let Some(pid) = system.on(name, again).await? {
            group.take(pid)?;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let killed = group.killed()?;
    println!("  the memory limit killed {name} {killed} times");
    // Out of the group, with a limit that nobody set.
    system.on(name, |process| process.restart()).await?;
    Ok((Moment::now().later(system.session_of(name)), killed))
}
