//! Negative controls: two ways to lose events that Weir must not have, brought about from outside. A checker that does not
//! see them sees nothing.

use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use weir_tests::child::Signal;
use weir_tests::cluster::BROKERS;
use weir_tests::process::Process;

use crate::run::Run;
use crate::system::PARTITIONS;
use crate::tail::Moment;

const PROCESSING: [&str; 2] = ["processing-0", "processing-1"];
const SECOND: Duration = Duration::from_secs(1);

async fn each(
    run: &Run<'_>,
    act: impl Fn(&mut Process) -> anyhow::Result<()> + Copy + Send + 'static,
) -> anyhow::Result<()> {
    for name in PROCESSING {
        run.system.on(name, act).await?;
    }
    Ok(())
}

/// What a stage leaves behind that stores offsets when it has read a record and not when its outputs are durable: it is
/// killed with records in its hands, and they are behind its offset.
pub(crate) async fn commit_early(run: &mut Run<'_>) -> anyhow::Result<()> {
    each(run, |process| process.signal(Signal::Stop)).await?;
    run.traffic.acknowledges(200, 30 * SECOND).await?;
    each(run, |process| process.kill().map(drop)).await?;
    run.kills += 2;
    // Offsets of a group can be moved once it has no members.
    tokio::time::sleep(run.system.options.session() + 2 * SECOND).await;
    let (brokers, prefix) = run
        .around
        .on_cluster(|cluster| Ok(cluster.bootstrap()))
        .await
        .map(|brokers| (brokers, run.system.prefix.clone()))?;
    tokio::task::spawn_blocking(move || commit_the_end(&brokers, &prefix)).await??;
    each(run, Process::restart).await?;
    run.ended(Moment::now());
    Ok(())
}

fn commit_the_end(brokers: &str, prefix: &str) -> anyhow::Result<()> {
    let group = format!("{prefix}weir-processing");
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", &group).create()?;
    let mut ends = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let topic = format!("{prefix}raw.meta");
        let (_, end) = consumer.fetch_watermarks(&topic, partition, 10 * SECOND)?;
        ends.add_partition_offset(&topic, partition, Offset::Offset(end))?;
    }
    consumer.commit(&ends, CommitMode::Sync).with_context(|| format!("cannot commit for {group}"))
}

/// What a stage leaves behind whose claims say that an id was seen and not where: it is killed when it has claimed and
/// nothing is durable yet.
pub(crate) async fn forget_places(run: &mut Run<'_>) -> anyhow::Result<()> {
    each(run, |process| process.signal(Signal::Stop)).await?;
    run.traffic.acknowledges(200, 30 * SECOND).await?;
    // Too few brokers to make anything durable, one to read what is.
    run.around.on_cluster(|cluster| (1..BROKERS).try_for_each(|broker| cluster.broker(broker).pause())).await?;
    each(run, |process| process.signal(Signal::Cont)).await?;
    tokio::time::sleep(2 * SECOND).await;
    each(run, |process| process.kill().map(drop)).await?;
    run.kills += 2;
    let script = "EVAL \"local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do if #k == 16 then \
                  redis.call('SET', k, redis.call('GET', k) .. '-seen', 'KEEPTTL') n = n + 1 end end return n\" 0";
    let changed = run.around.on_redis(move |redis| redis.ask(script)).await?;
    let count: u64 = changed.strip_prefix(':').and_then(|count| count.parse().ok()).unwrap_or_default();
    ensure!(count > 0, "no claims were found: {changed}");
    run.around.on_cluster(|cluster| (1..BROKERS).try_for_each(|broker| cluster.broker(broker).resume())).await?;
    each(run, Process::restart).await?;
    run.ended(Moment::now());
    Ok(())
}
