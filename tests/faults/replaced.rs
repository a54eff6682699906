//! The log is replaced: a topic is there again under its name, and its offsets begin anew.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use common::topics::ACTIVITIES;
use rdkafka::admin::AdminOptions;
use weir_tests::process::Process;

use crate::observe::{Facts, Observer};
use crate::run::{Run, waiting};
use crate::tail::Moment;

const PROCESSING: [&str; 2] = ["processing-0", "processing-1"];
const WITHIN: Duration = Duration::from_secs(60);

/// The topic that the enricher reads. It has read all of the old one; of the new one nothing may be skipped because
/// its offsets were seen before, nor swallowed because their ranges are in the lake.
pub(crate) async fn topic(run: &mut Run<'_>) -> anyhow::Result<()> {
    for name in PROCESSING {
        run.system.on(name, |process| process.stop(Duration::from_secs(30)).map(drop)).await?;
    }
    let began = Instant::now();
    loop {
        let waiting = waiting(&run.system).await;
        // Processing is away, and with it its group.
        if waiting.iter().all(|what| what.starts_with("groups")) {
            break;
        }
        if began.elapsed() > WITHIN {
            bail!("enricher and loader still have work: {}", waiting.join(", "));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut observer = Observer::new(&run.system, Facts::default())?;
    observer.read().await?;
    run.gone = observer.facts.of_activities();
    delete(run, ACTIVITIES.name()).await?;
    // They make it again as it has to be.
    for name in PROCESSING {
        run.system.on(name, Process::restart).await?;
    }
    // The enricher says that its topic is another one and ends, or that its offsets are not there: either way it is started again
    // by whoever looks after it, and never goes on by itself as if all were well.
    let told = async {
        loop {
            let ended = run.system.on("enricher-0", |process| process.exited()).await?;
            let log = run.system.on("enricher-0", |process| process.logged()).await?;
            if ended.is_some() || log.contains("a partition is stalled") {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(WITHIN, told).await.context("the enricher did not notice that its topic was replaced")??;
    run.system.on("enricher-0", Process::restart).await?;
    run.ended(Moment::now());
    Ok(())
}

async fn delete(run: &Run<'_>, topic: &str) -> anyhow::Result<()> {
    let (admin, name) = (run.around.admin()?, format!("{}{topic}", run.system.prefix));
    let options = AdminOptions::new().operation_timeout(Some(WITHIN)).request_timeout(Some(WITHIN));
    for deleted in admin.delete_topics(&[&name], &options).await? {
        deleted.map_err(|(topic, code)| anyhow!("topic {topic} was not deleted: {code}"))?;
    }
    Ok(())
}
