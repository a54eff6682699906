//! Three brokers of Kafka in KRaft mode, each broker and controller: what is written stands on two of them at least.
//!
//! Clients of the test itself use [`Cluster::bootstrap`]. Each broker has a second listener that it names by another port,
//! so that a [`Proxy`](crate::proxy::Proxy) can stand before it, also for what clients learn from the broker.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::kafka::{self, Kafka, Options};
use crate::ports;

/// After which a broker that was killed leads nothing any more, and is waited for by nobody; where it was the active
/// controller, it begins when there is another one, 1 to 2 s later. Until then a commit is not answered, and a member's
/// heartbeats wait behind it: sessions of consumers have to be longer than both together, as they are by default (45 s;
/// those of brokers 9 s).
pub const BROKER_SESSION: Duration = Duration::from_secs(2);

/// Brokers of a cluster.
pub const BROKERS: usize = 3;

/// A cluster. Dropping it kills it.
#[derive(Debug)]
pub struct Cluster {
    brokers: Vec<Kafka>,
}

/// The ports of a broker.
#[derive(Clone, Copy, Debug)]
pub struct Listeners {
    /// Of the listener behind the proxy.
    pub behind: u16,
    /// Of the proxy.
    pub proxy: u16,
}

impl Cluster {
    /// Starts three brokers at once and waits until all of them accept requests: about 10 seconds on two cores.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn start(listeners: [Listeners; BROKERS]) -> anyhow::Result<Self> {
        let cluster_id = kafka::cluster_id()?;
        let own = [(); BROKERS].map(|()| Ok::<_, anyhow::Error>((ports::free()?, ports::free()?)));
        let own = own.into_iter().collect::<Result<Vec<_>, _>>()?;
        let voters: Vec<_> =
            (1..).zip(&own).map(|(node, (_, controller))| format!("{node}@127.0.0.1:{controller}")).collect();
        let start = |(node, ((broker, controller), listeners)): (usize, (&(u16, u16), Listeners))| {
            let Listeners { behind, proxy } = listeners;
            let properties = [
                ("node.id", node.to_string()),
                ("controller.quorum.voters", voters.join(",")),
                (
                    "listeners",
                    format!(
                        "PLAINTEXT://127.0.0.1:{broker},PROXIED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}"
                    ),
                ),
                ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{broker},PROXIED://127.0.0.1:{proxy}")),
                ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT".into()),
                ("default.replication.factor", "3".into()),
                ("min.insync.replicas", "2".into()),
                ("offsets.topic.replication.factor", "3".into()),
                ("transaction.state.log.replication.factor", "3".into()),
                ("share.coordinator.state.topic.replication.factor", "3".into()),
                ("broker.session.timeout.ms", BROKER_SESSION.as_millis().to_string()),
                ("broker.heartbeat.interval.ms", "300".into()),
                ("controller.quorum.fetch.timeout.ms", "1000".into()),
                ("controller.quorum.election.timeout.ms", "500".into()),
                // A follower that was killed leaves the in-sync replicas when its session is over; one that hangs, by this.
                ("replica.lag.time.max.ms", "4000".into()),
                // What topics may not keep is removed while a case looks.
                ("log.retention.check.interval.ms", "1000".into()),
                ("log.initial.task.delay.ms", "1000".into()),
                // What a case leaves behind is gone before it is in the way of the next.
                ("file.delete.delay.ms", "1000".into()),
                // A group's coordinator that moves lets the sessions of its members begin anew, also of one that was killed:
                // it moves where a case wants it to, and not by itself every five minutes.
                ("auto.leader.rebalance.enable", "false".into()),
                ("num.network.threads", "2".into()),
                ("num.io.threads", "4".into()),
            ];
            let properties = properties.map(|(name, value)| (name.to_owned(), value)).into();
            let cluster_id = Some(cluster_id.clone());
            Kafka::start(Options { port: *broker, heap_mb: 384, properties, cluster_id, ..Options::default() })
        };
        let brokers = thread::scope(|scope| {
            let started: Vec<_> =
                (1..).zip(own.iter().zip(listeners)).map(|broker| scope.spawn(move || start(broker))).collect();
            let joined = started.into_iter().map(|broker| broker.join().map_err(|_| anyhow!("a broker's thread"))?);
            joined.collect::<anyhow::Result<Vec<_>>>()
        });
        Ok(Self { brokers: brokers.context("start a cluster of three brokers")? })
    }

    /// What the test's own clients connect to.
    pub fn bootstrap(&self) -> String {
        self.brokers.iter().map(Kafka::bootstrap).collect::<Vec<_>>().join(",")
    }

    /// One broker, from 0.
    pub fn broker(&mut self, number: usize) -> &mut Kafka {
        &mut self.brokers[number % BROKERS]
    }

    /// Copies the brokers' own logs, and what stands of topics whose names begin so, into a folder for each broker.
    ///
    /// # Errors
    /// As [`Kafka::keep`].
    pub fn keep(&self, topics: &str, folder: &Path) -> anyhow::Result<()> {
        let mut brokers = (1..).zip(&self.brokers);
        brokers.try_for_each(|(node, broker)| broker.keep(topics, &folder.join(format!("kafka-{node}"))))
    }

    /// Starts all brokers that do not run, at once: none is there before most of them are.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn restart_ended(&mut self) -> anyhow::Result<()> {
        thread::scope(|scope| {
            let ended = self.brokers.iter_mut().filter(|broker| !matches!(broker.exited(), Ok(None)));
            let started: Vec<_> = ended.map(|broker| scope.spawn(|| broker.restart())).collect();
            started.into_iter().try_for_each(|broker| broker.join().map_err(|_| anyhow!("a broker's thread"))?)
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // In good order the last ones would wait for a controller that has gone.
        for broker in &mut self.brokers {
            let _ = broker.kill();
        }
    }
}
