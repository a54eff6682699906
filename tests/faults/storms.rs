//! Dead-letter storms: what one endpoint sends cannot be read, or what all send.

use std::time::Duration;

use anyhow::ensure;
use simulate::Mix;

use crate::run::{Run, plan};
use crate::tail::Moment;
use crate::traffic::Plan;

const PROCESSING: [&str; 2] = ["processing-0", "processing-1"];
const DOORS: [&str; 2] = ["streaming-0", "streaming-1"];
const WITHIN: Duration = Duration::from_secs(60);

/// The defaults look at a minute and at hundreds of deliveries.
pub(crate) const OF_ONE: &[(&str, &str)] = &[
    ("WEIR__PROCESSING__STORM__WINDOW_MS", "10000"),
    ("WEIR__PROCESSING__STORM__MIN_DELIVERIES", "40"),
    ("WEIR__PROCESSING__STORM__HOLD_MS", "5000"),
];

/// The door is not told: else it held all of them back, one by one, before the stage has seen that it is all.
pub(crate) const OF_ALL: &[(&str, &str)] = &[
    ("WEIR__PROCESSING__STORM__WINDOW_MS", "10000"),
    ("WEIR__PROCESSING__STORM__MIN_DELIVERIES", "100"),
    ("WEIR__PROCESSING__STORM__RATIO", "0.3"),
    ("WEIR__PROCESSING__STORM__HOLD_MS", "0"),
];

/// What nobody can read.
fn noise() -> Plan {
    Plan { rate: 250.0, redeliver: 0.0, broken: 1.0, numbers: 500_000_000, ..plan(2) }
}

/// The endpoint is held back at both doors while it lasts; processing goes on, and so do the others.
pub(crate) async fn of_one(run: &mut Run<'_>) -> anyhow::Result<()> {
    let mix: Mix = "standard=1".parse()?;
    let noise = run.besides(Plan { rate: 60.0, mix: Some(mix), ..noise() })?;
    for door in DOORS {
        run.system.until_check(door, "streaming_storms", |state| state == "warning", WITHIN).await?;
    }
    // The others are served meanwhile, and processing does not stop.
    run.traffic.acknowledges(300, WITHIN).await?;
    for name in PROCESSING {
        run.system.until_check(name, "processing_dead_letter_storm", |state| state == "ok", WITHIN).await?;
    }
    run.besides.push(noise.stop().await?.0);
    // Its sender is told when to come again, and does.
    let held_back: u64 = run.system.digests().await?.iter().map(|(_, digest)| held_back(digest)).sum();
    ensure!(held_back > 0, "both doors report that they hold the endpoint back, and answered no request with 429");
    for door in DOORS {
        run.system.until_check(door, "streaming_storms", |state| state == "ok", WITHIN).await?;
    }
    run.ended(Moment::now());
    Ok(())
}

/// What a door has answered with 429 because of a storm.
fn held_back(digest: &serde_json::Value) -> u64 {
    let counts = digest["counts"].as_array().into_iter().flatten();
    counts.filter_map(|count| count["dropped"]["dead_letter_storm"].as_u64()).sum()
}

/// Processing stops with its input untouched, while the doors go on; it goes on when it is started as one that takes it.
pub(crate) async fn of_all(run: &mut Run<'_>) -> anyhow::Result<()> {
    all_stop(run).await?;
    all_go_on(run).await?;
    run.ended(Moment::now());
    Ok(())
}

/// Processing stops.
pub(crate) async fn all_stop(run: &mut Run<'_>) -> anyhow::Result<()> {
    let noise = run.besides(noise())?;
    for name in PROCESSING {
        run.system.until_check(name, "processing_dead_letter_storm", |state| state == "failing", WITHIN).await?;
    }
    run.traffic.acknowledges(200, WITHIN).await?;
    run.besides.push(noise.stop().await?.0);
    Ok(())
}

/// It takes what it stopped before.
pub(crate) async fn all_go_on(run: &Run<'_>) -> anyhow::Result<()> {
    for name in PROCESSING {
        // What an operator does who has looked at the dead letters, and wants them as such.
        run.system.on(name, |process| process.restart_with("WEIR__PROCESSING__STORM__RATIO", "1")).await?;
    }
    Ok(())
}
