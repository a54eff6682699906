//! What the services stand on, from the first case to the last: a cluster of three brokers, Redis and PostgreSQL, each
//! behind a proxy.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use weir_tests::cluster::{BROKERS, Cluster, Listeners};
use weir_tests::ports;
use weir_tests::postgres::Postgres;
use weir_tests::proxy::{Mode, Proxy};
use weir_tests::redis::{self, Redis};

/// What the brokers may take to delete some hundred topics.
const ANSWER: Duration = Duration::from_secs(30);

/// What the services need around them; it outlives a case.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) cluster: Arc<Mutex<Cluster>>,
    pub(crate) to_brokers: Vec<Proxy>,
    pub(crate) redis: Arc<Mutex<Redis>>,
    pub(crate) to_redis: Proxy,
    pub(crate) postgres: Arc<Mutex<Postgres>>,
    /// Those in whose place another one is now, and that live on.
    pub(crate) retired: Mutex<Vec<Postgres>>,
    pub(crate) to_postgres: Proxy,
    pub(crate) bootstrap: String,
    /// What the services log, where it is said.
    pub(crate) log: Option<String>,
}

impl Surroundings {
    pub(crate) async fn start(log: Option<String>) -> anyhow::Result<Self> {
        let listener = || Ok::<_, anyhow::Error>(Listeners { behind: ports::free()?, proxy: ports::free()? });
        let listeners = [listener()?, listener()?, listener()?];
        let mut to_brokers = Vec::with_capacity(BROKERS);
        for Listeners { behind, proxy } in listeners {
            to_brokers.push(Proxy::start(proxy, behind).await?);
        }
        let (cluster, redis, postgres) = tokio::task::spawn_blocking(move || {
            let redis = Redis::start(redis::Options { appendonly: true, ..redis::Options::default() })?;
            anyhow::Ok((Cluster::start(listeners)?, redis, Postgres::start()?))
        })
        .await??;
        let (to_redis, to_postgres) =
            (Proxy::start(ports::free()?, redis.port()).await?, Proxy::start(ports::free()?, postgres.port()).await?);
        let bootstrap = cluster.bootstrap();
        let (cluster, redis) = (Arc::new(Mutex::new(cluster)), Arc::new(Mutex::new(redis)));
        let (postgres, retired) = (Arc::new(Mutex::new(postgres)), Mutex::default());
        Ok(Self { cluster, to_brokers, redis, to_redis, postgres, retired, to_postgres, bootstrap, log })
    }

    /// As it was at the start, for the next case.
    pub(crate) async fn mend(&self) -> anyhow::Result<()> {
        for proxy in self.to_brokers.iter().chain([&self.to_redis, &self.to_postgres]) {
            proxy.set(Mode::Pass);
        }
        let retired = std::mem::take(&mut *lock(&self.retired));
        let (cluster, redis) = (Arc::clone(&self.cluster), Arc::clone(&self.redis));
        tokio::task::spawn_blocking(move || {
            drop(retired);
            let mut cluster = lock(&cluster);
            for broker in 0..BROKERS {
                // One that has ended cannot go on.
                let _ = cluster.broker(broker).resume();
            }
            cluster.restart_ended()?;
            let mut redis = lock(&redis);
            let _ = redis.resume();
            if redis.ask("PING").is_err() {
                redis.restart()?;
            }
            // Each case has claims of its own; the oldest need no memory.
            redis.ask("FLUSHALL").map(drop)
        })
        .await??;
        crate::retention::defaults(self, &[]).await?;
        self.delete_topics().await
    }

    pub(crate) fn admin(&self) -> anyhow::Result<AdminClient<DefaultClientContext>> {
        Ok(ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create()?)
    }

    /// Each case has topics of its own, about a hundred with three partitions: with those of the cases before it the
    /// brokers would have ever more to do.
    async fn delete_topics(&self) -> anyhow::Result<()> {
        let client = Arc::new(self.admin()?);
        let asked = Arc::clone(&client);
        let metadata = tokio::task::spawn_blocking(move || asked.inner().fetch_metadata(None, ANSWER)).await?;
        let metadata = metadata.context("cannot list the topics")?;
        let names: Vec<_> = metadata.topics().iter().map(MetadataTopic::name).collect();
        let old: Vec<_> = names.into_iter().filter(|name| !name.starts_with("__")).collect();
        if old.is_empty() {
            return Ok(());
        }
        let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
        for deleted in
            client.delete_topics(&old, &options).await.context("cannot delete the topics of the last case")?
        {
            deleted.map_err(|(topic, code)| anyhow!("topic {topic} was not deleted: {code}"))?;
        }
        Ok(())
    }

    /// Which broker, from 0, coordinates a group: the one that leads the partition in which the group is kept.
    pub(crate) async fn coordinator(&self, group: &str) -> anyhow::Result<usize> {
        const GROUPS: &str = "__consumer_offsets";
        let client = self.admin()?;
        let metadata =
            tokio::task::spawn_blocking(move || client.inner().fetch_metadata(Some(GROUPS), ANSWER)).await??;
        let partitions = metadata.topics().first().map(MetadataTopic::partitions).unwrap_or_default();
        // As Java hashes a text.
        let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
        let kept = (hash & i32::MAX).checked_rem(i32::try_from(partitions.len())?).context("no group is stored yet")?;
        let leader = partitions.iter().find(|partition| partition.id() == kept).map_or(-1, MetadataPartition::leader);
        usize::try_from(leader - 1).with_context(|| format!("{GROUPS}/{kept} has no leader"))
    }

    /// Waits until the coordinator says of a group that it is in this state.
    pub(crate) async fn until_group_is(&self, state: &str, group: &str, within: Duration) -> anyhow::Result<()> {
        let (client, began) = (Arc::new(self.admin()?), Instant::now());
        let mut last = String::new();
        while began.elapsed() < within {
            let (asked, name) = (Arc::clone(&client), group.to_owned());
            let ask = move || {
                let groups = asked.inner().fetch_group_list(Some(&name), ANSWER)?;
                anyhow::Ok(groups.groups().iter().map(|group| group.state().to_owned()).collect())
            };
            last = tokio::task::spawn_blocking(ask).await??;
            if last == state {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("group {group} is {last:?} after {within:?}, not {state}")
    }

    /// Waits until there is a key like this in Redis.
    pub(crate) async fn until_redis_has(&self, pattern: &str, within: Duration) -> anyhow::Result<()> {
        let (began, mut last) = (Instant::now(), String::new());
        while began.elapsed() < within {
            let ask = format!("KEYS {pattern}");
            last = self.on_redis(move |redis| redis.ask(&ask)).await?;
            if last.starts_with('*') && last != "*0" {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("redis has no key {pattern} after {within:?}: {last}")
    }

    /// Acts on the cluster, on a thread that may block.
    pub(crate) async fn on_cluster<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Cluster) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let cluster = Arc::clone(&self.cluster);
        tokio::task::spawn_blocking(move || act(&mut lock(&cluster))).await?
    }

    /// Acts on Redis, on a thread that may block.
    pub(crate) async fn on_redis<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Redis) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let redis = Arc::clone(&self.redis);
        tokio::task::spawn_blocking(move || act(&mut lock(&redis))).await?
    }

    /// A database of its own, by the proxy.
    pub(crate) fn database(&self) -> anyhow::Result<String> {
        let postgres = lock(&self.postgres);
        let own_port = format!(":{}/", postgres.port());
        Ok(postgres.database()?.replace(&own_port, &format!(":{}/", self.to_postgres.port())))
    }

    pub(crate) fn brokers_behind_proxies(&self) -> String {
        self.to_brokers.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port())).collect::<Vec<_>>().join(",")
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
