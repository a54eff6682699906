//! The clock of the machine is set: an installation on the embedded log, whose `weir up` sees another time than the rest.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::time::sleep;
use weir_tests::process::Launch;

use crate::installation::{Installation, WITHIN};

/// The keeper of the log looks once a minute.
const A_LOOK: Duration = Duration::from_secs(75);
/// What Debian's `faketime` preloads; `scripts/install.sh test` gets it.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];

/// What is preloaded reads the file of a clock once a second: for a shorter time it may not show what stood there at all.
pub(crate) const SHOWN: Duration = Duration::from_secs(2);
/// What stands in the file of a clock that is right.
pub(crate) const RIGHT: &str = "+0";

/// What a program is launched with whose clock is what a file says, as "+40d".
pub(crate) fn faked(file: &Path) -> anyhow::Result<[(&'static str, String); 4]> {
    let library = LIBRARIES.iter().find(|library| Path::new(library).exists());
    let library = library.context("libfaketime is not installed: scripts/install.sh test installs it")?;
    Ok([
        ("LD_PRELOAD", (*library).to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ])
}

/// 40 days ahead for a look of the keeper, and two hours ahead for a moment; each time it is set right again. Everything
/// that was acknowledged is there, and is found.
pub(crate) async fn set() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clock = folder.path().join("clock");
    let set = |to: &str| std::fs::write(&clock, to).context("setting the clock");
    set(RIGHT)?;
    let faked = faked(&clock)?;
    let preload = |launch| faked.into_iter().fold(launch, |launch: Launch, (name, value)| launch.env(name, value));
    let own = Installation::start(preload).await?;

    let mut ids = Vec::new();
    ids.extend(own.deliver(1..6).await?);
    set("+40d")?;
    sleep(A_LOOK).await;
    ids.extend(own.deliver(6..8).await?);
    let log = own.up.logged()?;
    ensure!(log.contains("the clock jumped") && log.contains("+40 days"), "the log does not report the clock: {log}");
    let (_, health) = own.up.get("/health")?;
    ensure!(health.contains("the clock jumped by +40 days"), "/health does not report the clock: {health}");
    set(RIGHT)?;
    sleep(A_LOOK).await;
    ids.extend(own.deliver(8..10).await?);
    set("+2h")?;
    sleep(Duration::from_secs(3)).await;
    ids.extend(own.deliver(10..13).await?);
    set(RIGHT)?;
    sleep(Duration::from_secs(3)).await;
    ids.extend(own.deliver(13..17).await?);

    own.found(&ids).await?;
    let (_, records) = own.weir(&["tail", "raw.github", "-n", "1000", "--json"])?;
    ensure!(
        records.lines().count() == ids.len(),
        "{} deliveries were acknowledged, and the topic has: {records}",
        ids.len()
    );
    let (_, groups) = own.weir(&["groups", "list"])?;
    ensure!(groups.contains("weir-processing") && !groups.contains("OUT OF RANGE"), "{groups}");
    own.up.stop(WITHIN)?;
    Ok(())
}
