//! The brokers keep so many bytes of each topic that does not say otherwise, as managed clusters and charts have it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::time::{Instant, sleep};
use weir_tests::cluster::BROKERS;
use weir_tests::process::Process;

use crate::surroundings::Surroundings;
use crate::system::{PARTITIONS, System};
use crate::tail::Moment;

const SECOND: Duration = Duration::from_secs(1);
/// The brokers look each second, and close segments as often.
const REMOVED_WITHIN: Duration = Duration::from_secs(60);

/// What all brokers do with topics that do not say otherwise; nothing: as they were started.
pub(crate) async fn defaults(around: &Surroundings, values: &[(&str, &str)]) -> anyhow::Result<()> {
    let (admin, options) = (around.admin()?, AdminOptions::new().request_timeout(Some(30 * SECOND)));
    for node in (1..).take(BROKERS) {
        let mut change = AlterConfig::new(ResourceSpecifier::Broker(node));
        change.entries = values.iter().copied().collect::<HashMap<_, _>>();
        for changed in
            admin.alter_configs([&change], &options).await.context("cannot set the defaults of the brokers")?
        {
            changed.map_err(|(_, code)| anyhow!("broker {node} refuses {values:?}: {code}"))?;
        }
    }
    Ok(())
}

/// A service is away while the brokers remove all but the last bytes of what does not say otherwise. Of a topic beside ours
/// records go; of ours, unread, none.
pub(crate) async fn of_brokers(around: &Surroundings, system: &System, name: &str) -> anyhow::Result<Moment> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Without the prefix of the system: what is on its topics is compared.
    let witness = format!("beside-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let admin = around.admin()?;
    let topic = NewTopic::new(&witness, 1, TopicReplication::Fixed(3));
    for made in admin.create_topics([&topic], &AdminOptions::new()).await? {
        made.map_err(|(topic, code)| anyhow!("{topic} was not created: {code}"))?;
    }
    system.on(name, |process| process.stop(30 * SECOND).map(drop)).await?;
    defaults(around, &[("log.retention.bytes", "1"), ("log.roll.ms", "500")]).await?;
    let removed = witness_loses(around, &witness).await;
    let first = of_ours(around, system).await;
    defaults(around, &[]).await?;
    system.on(name, Process::restart).await?;
    removed?;
    let first = first?;
    ensure!(first.iter().all(|(_, first)| *first == 0), "unread records of Weir were removed: {first:?}");
    Ok(Moment::now())
}

/// Waits until records of a topic that says nothing were removed.
async fn witness_loses(around: &Surroundings, witness: &str) -> anyhow::Result<()> {
    let (brokers, topic) = (around.bootstrap.clone(), witness.to_owned());
    let producer: Arc<BaseProducer> = Arc::new(ClientConfig::new().set("bootstrap.servers", &brokers).create()?);
    let until = Instant::now() + REMOVED_WITHIN;
    loop {
        let sent = producer.send(BaseRecord::<[u8], [u8]>::to(&topic).payload(&[7; 100]));
        sent.map_err(|(error, _)| error).context("cannot write to the other topic")?;
        producer.poll(Duration::ZERO);
        let (client, name) = (Arc::clone(&producer), topic.clone());
        let ask = move || client.client().fetch_watermarks(&name, 0, 10 * SECOND);
        let (first, end) = tokio::task::spawn_blocking(ask).await??;
        if first > 0 {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "the brokers removed none of the {end} records of {topic}: their limit has no effect"
        );
        sleep(Duration::from_millis(200)).await;
    }
}

/// Where the partitions of what stages read begin.
async fn of_ours(around: &Surroundings, system: &System) -> anyhow::Result<Vec<(String, i64)>> {
    let (brokers, prefix) = (around.bootstrap.clone(), system.prefix.clone());
    let ask = move || {
        let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &brokers).create()?;
        let mut first = Vec::new();
        for topic in ["raw.meta", "raw.github", "activities", "loads"] {
            let topic = format!("{prefix}{topic}");
            for partition in 0..PARTITIONS {
                let (low, _) = client.fetch_watermarks(&topic, partition, 10 * SECOND)?;
                first.push((format!("{topic}/{partition}"), low));
            }
        }
        anyhow::Ok(first)
    };
    tokio::task::spawn_blocking(ask).await?
}
