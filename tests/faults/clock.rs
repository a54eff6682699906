//! The clock of the machine is set: an installation on the embedded log, whose `weir up` sees another time than the rest.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;
use weir_tests::clock::{self, RIGHT};
use weir_tests::process::Launch;

use crate::installation::{Installation, WITHIN};

/// The keeper of the log looks once a minute.
const A_LOOK: Duration = Duration::from_secs(75);
/// 40 days ahead for a look of the keeper, and two hours ahead for a moment; each time it is set right again. Everything
/// that was acknowledged is there, and is found.
pub(crate) async fn set() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("clock");
    let set = |to: &str| clock::set(&file, to);
    let preloaded = clock::preload(&file)?;
    let preload = |launch| preloaded.into_iter().fold(launch, |launch: Launch, (name, value)| launch.env(name, value));
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
