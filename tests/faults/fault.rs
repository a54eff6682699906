//! What goes wrong, one thing at a time, in a running system; and its end.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use weir_tests::child::Signal;
use weir_tests::clock;
use weir_tests::cluster::{BROKER_SESSION, BROKERS};
use weir_tests::process::Process;
use weir_tests::proxy::Mode;

use crate::failover::{self, Former};
use crate::surroundings::Surroundings;
use crate::system::System;
use crate::tail::Moment;
use crate::trouble::Trouble;
use crate::{memory, retention};

/// Longer than the producers wait for an acknowledgement.
const PAST_DELIVERY: Duration = Duration::from_secs(12);

/// Longer than a broker's session, and shorter than those of the members of a group.
const PAST_BROKERS: Duration = Duration::from_secs(5);

/// Within this time a service sees that its clock was set; set back, it ends.
pub(crate) const SEES_CLOCK: Duration = Duration::from_secs(4);

/// From the moment at which the claims are gone: first what was sent is waited for.
const REBUILD_BEGINS: Duration = Duration::from_secs(30);

/// A fault. Those that take a while say for how long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// `kill -9` of a service, which is started again.
    Kill(String),
    /// `kill -9` of a service, which is started again; and later, before its session has expired, of the broker that
    /// coordinates its group, which is away for a time. At another broker the sessions of all members begin anew.
    KillAndCoordinator { name: String, later: Duration, away: Duration },
    /// `kill -9` of a processing, which is started again, while its group is being shared out and waits for another one.
    KillWhileJoining(String),
    /// `kill -9` of a service, which stays away.
    KillForGood(String),
    /// SIGSTOP of a service past its session, then SIGCONT: it wakes and still believes in its partitions.
    Freeze(String),
    /// Nobody reads what a service logs for a time, and the pipe is full.
    Unread(String, Duration),
    /// The clock of a service goes wrong by this much, as "+40d", for a time. Its system has [clocks](crate::system::Options).
    ClockSet(String, &'static str, Duration),
    /// A service may have less memory than it has, for a time.
    MemoryLimited(String, Duration),
    /// A service is away while the brokers remove what topics do not say to keep.
    BrokersRemove(String),
    /// SIGTERM of a service, which is started again when it has ended.
    Restart(String),
    /// SIGTERM of a service, and `kill -9` where it has not ended by then; it is started again.
    Reclaim(String, Duration),
    /// SIGTERM of a service, which is started again as the build in this folder; none: as that of the workspace.
    Replace(String, Option<PathBuf>),
    /// `kill -9` of a broker, which is started again after a time.
    BrokerKilled(usize, Duration),
    /// Two of three brokers hang for longer than the producers wait: too few to acknowledge anything.
    BrokersAway,
    /// All brokers hang for longer than their sessions, as with a machine that sleeps: when they go on the cluster has
    /// topics and no brokers, until it has heard of one.
    BrokersAsleep,
    /// All connections to the brokers are slow for a time.
    Slow(Duration, Duration),
    /// All connections to the brokers are cut, again and again.
    Cuts(u32),
    /// The brokers are silent for a time, their connections stay.
    Silence(Duration),
    /// Redis is killed and comes back with its data.
    RedisKilled(Duration),
    /// Redis loses all it had.
    RedisEmptied,
    /// Redis loses all it had, and `kill -9` of a broker while processing rebuilds its claims: when the first are in the
    /// store again, and most topics are yet to be read. It is started again after a time.
    RedisEmptiedAndBrokerKilled(usize, Duration),
    /// A third processing joins and leaves, every two seconds.
    Rebalances(u32),
    /// The database is not to be reached for a time.
    DatabaseAway(Duration),
    /// The standby of the database takes its place.
    DatabaseFailsOver(Former),
    /// The store of the lake has troubles for a time, which meet a commit of the loader where that is asked for.
    Store { trouble: Trouble, time: Duration, commit: bool },
}

impl Fault {
    /// How often something is killed.
    pub(crate) fn kills(&self) -> u32 {
        match self {
            Self::KillAndCoordinator { .. } => 2,
            Self::Kill(_)
            | Self::KillWhileJoining(_)
            | Self::KillForGood(_)
            | Self::BrokerKilled(..)
            | Self::DatabaseFailsOver(Former::Killed)
            | Self::RedisKilled(_)
            | Self::RedisEmptiedAndBrokerKilled(..) => 1,
            _ => 0,
        }
    }

    /// The fault, from its beginning to its end: the moment from which on nothing is in the way any more.
    pub(crate) async fn happen(&self, around: &Surroundings, system: &System) -> anyhow::Result<Moment> {
        match self {
            Self::Kill(name) => Ok(kill(system, name).await?.later(system.session_of(name))),
            Self::KillAndCoordinator { name, later, away } => {
                let broker = around.coordinator(&system.group(name)).await?;
                kill(system, name).await?;
                pause(*later).await;
                let led = broker_killed(around, broker, *away).await?;
                Ok(led.later(system.session_of(name)))
            }
            Self::KillWhileJoining(name) => kill_while_joining(around, system, name, "processing-1").await,
            Self::KillForGood(name) => {
                system.on(name, |process| process.kill().map(drop)).await?;
                Ok(Moment::now().later(system.session_of(name)))
            }
            Self::Freeze(name) => {
                system.on(name, |process| process.signal(Signal::Stop)).await?;
                pause(system.options.session() + Duration::from_secs(3)).await;
                system.on(name, |process| process.signal(Signal::Cont)).await?;
                Ok(Moment::now())
            }
            Self::Unread(name, time) => {
                system.on(name, |process| process.hold_output()).await?;
                pause(*time).await;
                system
                    .on(name, |process| {
                        process.release_output();
                        Ok(())
                    })
                    .await?;
                Ok(Moment::now())
            }
            Self::ClockSet(name, by, time) => set_clock(system, name, by, *time).await,
            Self::MemoryLimited(name, time) => memory::limited(system, name, *time).await.map(|(end, _)| end),
            Self::BrokersRemove(name) => retention::of_brokers(around, system, name).await,
            Self::Restart(name) => {
                system
                    .on(name, |process| {
                        process.stop(Duration::from_secs(30))?;
                        process.restart()
                    })
                    .await?;
                Ok(Moment::now())
            }
            Self::Reclaim(name, notice) => reclaim(system, name, *notice).await,
            Self::Replace(name, folder) => replace(system, name, folder.clone()).await,
            Self::BrokerKilled(broker, away) => broker_killed(around, *broker, *away).await,
            Self::BrokersAway => hang(around, 1..BROKERS, PAST_DELIVERY).await,
            Self::BrokersAsleep => hang(around, 0..BROKERS, PAST_BROKERS).await,
            Self::Slow(by, time) => through_brokers(around, Mode::Slow(*by), *time).await,
            Self::Silence(time) => through_brokers(around, Mode::Silent, *time).await,
            Self::Cuts(times) => {
                for _ in 0..*times {
                    through_brokers(around, Mode::Cut, Duration::from_millis(100)).await?;
                    pause(Duration::from_secs(1)).await;
                }
                Ok(Moment::now())
            }
            Self::RedisKilled(away) => {
                around.on_redis(weir_tests::redis::Redis::kill).await?;
                pause(*away).await;
                around.on_redis(weir_tests::redis::Redis::restart).await?;
                Ok(Moment::now())
            }
            Self::RedisEmptied => empty_redis(around).await,
            Self::RedisEmptiedAndBrokerKilled(broker, away) => {
                empty_redis(around).await?;
                let mark = format!("weir:claims:rebuild:{}:*", system.prefix);
                around.until_redis_has(&mark, REBUILD_BEGINS).await?;
                broker_killed(around, *broker, *away).await
            }
            Self::Rebalances(times) => {
                for _ in 0..*times {
                    let third = system.launch("processing-2").context("cannot start a third processing instance")?;
                    let third = tokio::task::spawn_blocking(move || {
                        third.ready(Duration::from_secs(30))?;
                        anyhow::Ok(third)
                    })
                    .await??;
                    pause(Duration::from_secs(2)).await;
                    tokio::task::spawn_blocking(move || third.stop(Duration::from_secs(30))).await??;
                }
                Ok(Moment::now())
            }
            Self::DatabaseAway(time) => {
                around.to_postgres.set(Mode::Cut);
                pause(*time).await;
                around.to_postgres.set(Mode::Pass);
                Ok(Moment::now())
            }
            Self::DatabaseFailsOver(former) => failover::fail_over(around, *former).await,
            Self::Store { trouble, time, commit } => {
                let store = system.store.as_ref().context("the lake is not in an object store")?;
                store.trouble(*trouble, *time, *commit).await
            }
        }
    }
}

/// It is wrong for a time, and right again.
async fn set_clock(system: &System, name: &str, by: &str, time: Duration) -> anyhow::Result<Moment> {
    system.set_clock(name, by)?;
    let before = supervised(system, name, time).await?;
    system.set_clock(name, clock::RIGHT)?;
    let after = supervised(system, name, SEES_CLOCK).await?;
    // It is set back once: when it goes wrong, or when it is set right.
    if before + after == 0 {
        bail!("{name} kept running although its clock was set back by {by}");
    }
    Ok(Moment::now().later(system.session_of(name)))
}

/// For a time a service that ends is started again, as whoever looks after it does. How often that was.
async fn supervised(system: &System, name: &str, time: Duration) -> anyhow::Result<u32> {
    let (until, mut ended) = (tokio::time::Instant::now() + time, 0);
    while tokio::time::Instant::now() < until {
        let again = |process: &mut Process| {
            let has_ended = process.exited()?.is_some();
            if has_ended {
                process.restart()?;
            }
            Ok(has_ended)
        };
        ended += u32::from(system.on(name, again).await?);
        pause(Duration::from_millis(100)).await;
    }
    Ok(ended)
}

/// When it was killed. It is being started again.
async fn kill(system: &System, name: &str) -> anyhow::Result<Moment> {
    let kill = |process: &mut Process| {
        process.kill()?;
        let killed = Moment::now();
        process.restart()?;
        Ok(killed)
    };
    system.on(name, kill).await
}

async fn empty_redis(around: &Surroundings) -> anyhow::Result<Moment> {
    let answer = around.on_redis(|redis| redis.ask("FLUSHALL")).await?;
    if answer != "+OK" {
        bail!("redis was not emptied: {answer}");
    }
    Ok(Moment::now())
}

/// A third processing joins, and the group cannot be shared out: another one hangs.
async fn kill_while_joining(around: &Surroundings, system: &System, name: &str, other: &str) -> anyhow::Result<Moment> {
    system.on(other, |process| process.signal(Signal::Stop)).await?;
    let third = system.launch("processing-2").context("cannot start a third processing instance")?;
    around.until_group_is("PreparingRebalance", &system.group(name), system.options.session() / 2).await?;
    // Some members join again with their next heartbeats, of which there are twelve in a session, and some have not yet.
    pause(system.options.session() / 24).await;
    let killed = kill(system, name).await?;
    system.on(other, |process| process.signal(Signal::Cont)).await?;
    pause(system.options.session()).await;
    tokio::task::spawn_blocking(move || third.stop(Duration::from_secs(30))).await??;
    Ok(killed.later(system.session_of(name)))
}

/// From when on the other brokers lead its partitions: as soon as they have noticed.
async fn broker_killed(around: &Surroundings, broker: usize, away: Duration) -> anyhow::Result<Moment> {
    around.on_cluster(move |cluster| cluster.broker(broker).kill()).await?;
    let killed = Moment::now().later(BROKER_SESSION);
    pause(away).await;
    around.on_cluster(move |cluster| cluster.broker(broker).restart()).await?;
    Ok(killed)
}

/// These brokers do nothing for a time, and their connections stay.
async fn hang(around: &Surroundings, brokers: Range<usize>, time: Duration) -> anyhow::Result<Moment> {
    let mut of_these = brokers.clone();
    around.on_cluster(move |cluster| of_these.try_for_each(|broker| cluster.broker(broker).pause())).await?;
    pause(time).await;
    let mut of_these = brokers;
    around.on_cluster(move |cluster| of_these.try_for_each(|broker| cluster.broker(broker).resume())).await?;
    Ok(Moment::now())
}

/// Nobody who takes a node away waits for longer than the notice.
async fn reclaim(system: &System, name: &str, notice: Duration) -> anyhow::Result<Moment> {
    let killed = system
        .on(name, move |process| {
            process.signal(Signal::Term)?;
            let killed = process.wait(notice).is_err();
            process.restart()?;
            Ok(killed)
        })
        .await?;
    Ok(Moment::now().later(if killed { system.session_of(name) } else { Duration::ZERO }))
}

async fn replace(system: &System, name: &str, folder: Option<PathBuf>) -> anyhow::Result<Moment> {
    system
        .on(name, move |process| {
            process.stop(Duration::from_secs(30))?;
            process.restart_as(folder.as_deref())?;
            process.ready(Duration::from_secs(60))
        })
        .await?;
    Ok(Moment::now())
}

async fn through_brokers(around: &Surroundings, mode: Mode, time: Duration) -> anyhow::Result<Moment> {
    around.to_brokers.iter().for_each(|proxy| proxy.set(mode.clone()));
    pause(time).await;
    around.to_brokers.iter().for_each(|proxy| proxy.set(Mode::Pass));
    Ok(Moment::now())
}

/// A fault lasts for a time: that is no waiting for something.
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
