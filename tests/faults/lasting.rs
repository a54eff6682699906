//! Faults that last for minutes, as the rules of alerts want it: their beginning and their end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use weir_tests::child::Signal;
use weir_tests::cluster::BROKERS;
use weir_tests::proxy::Mode;
use weir_tests::redis::Redis;

use crate::certificates::{self, Shown};
use crate::fault::Fault;
use crate::run::Run;
use crate::storms;

/// What a service notices at once, it says within this time.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
const SLOW: Duration = Duration::from_millis(150);

/// What goes wrong, and stays so until it is put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// All brokers hang.
    NoBrokers,
    /// `kill -9` of a broker.
    NoBroker,
    /// SIGSTOP of a service.
    Stopped(&'static str),
    /// `kill -9` of a service.
    Gone(&'static str),
    /// `kill -9` of each service, which is started again at once: it is over when it has happened.
    Killed,
    /// The disk of the lake cannot be written.
    ReadOnly,
    /// The disk of the lake is full.
    Full,
    /// The database of the registrations cannot be reached.
    NoDatabase,
    /// The store of the claims is gone.
    NoClaims,
    /// The certificate of a service has expired.
    Expired,
    /// Most of what comes cannot be read.
    Storm,
    /// The connections to the brokers are slow.
    Slow,
    /// The enricher cannot ask processing.
    NoLookUps,
}

/// What is needed to put it right.
#[derive(Debug, Default)]
pub(crate) struct Remedy {
    pub(crate) shown: Option<Shown>,
    filler: Option<PathBuf>,
}

impl Lasting {
    /// What has to be there before it begins.
    pub(crate) async fn prepare(self, run: &Run<'_>) -> anyhow::Result<Remedy> {
        let shown = if self == Self::Expired { Some(certificates::show(run, certificates::SOON).await?) } else { None };
        Ok(Remedy { shown, filler: None })
    }

    /// When it began.
    pub(crate) async fn begin(self, run: &mut Run<'_>, remedy: &mut Remedy) -> anyhow::Result<Instant> {
        let began = Instant::now();
        match self {
            Self::NoBrokers => {
                run.around
                    .on_cluster(|cluster| (0..BROKERS).try_for_each(|broker| cluster.broker(broker).pause()))
                    .await?;
            }
            Self::NoBroker => run.around.on_cluster(|cluster| cluster.broker(0).kill()).await?,
            Self::Stopped(name) => run.system.on(name, |process| process.signal(Signal::Stop)).await?,
            Self::Gone(name) => run.system.on(name, |process| process.kill().map(drop)).await?,
            Self::Killed => {
                for name in run.system.names().into_iter().filter(|name| !name.starts_with("health-check")) {
                    run.fault(&Fault::Kill(name)).await?;
                }
            }
            Self::ReadOnly => {
                let disk = run.system.disk.as_ref().context("the lake has no disk of its own")?;
                // Not while a file is being written.
                while !disk.set_read_only(true)? {
                    ensure!(began.elapsed() < SEEN_WITHIN, "the disk is always in use");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                return Ok(Instant::now());
            }
            Self::Full => {
                let disk = run.system.disk.as_ref().context("the lake has no disk of its own")?;
                remedy.filler = Some(disk.fill()?);
            }
            Self::NoDatabase => run.around.to_postgres.set(Mode::Cut),
            Self::NoClaims => run.around.on_redis(Redis::kill).await?,
            Self::Expired => {
                let ends = remedy.shown.as_ref().context("no certificate was shown")?.ends;
                tokio::time::sleep_until(ends.into()).await;
                return Ok(ends);
            }
            Self::Storm => storms::all_stop(run).await?,
            Self::Slow => run.around.to_brokers.iter().for_each(|proxy| proxy.set(Mode::Slow(SLOW))),
            Self::NoLookUps => run.system.to_look_ups()?.set(Mode::Cut),
        }
        Ok(began)
    }

    /// Whoever was woken has put it right.
    pub(crate) async fn end(self, run: &mut Run<'_>, remedy: &mut Remedy) -> anyhow::Result<()> {
        match self {
            Self::NoBrokers => {
                run.around
                    .on_cluster(|cluster| (0..BROKERS).try_for_each(|broker| cluster.broker(broker).resume()))
                    .await
            }
            Self::NoBroker => run.around.on_cluster(|cluster| cluster.broker(0).restart()).await,
            Self::Stopped(name) => run.system.on(name, |process| process.signal(Signal::Cont)).await,
            Self::Gone(name) => run.system.on(name, |process| process.restart()).await,
            Self::Killed => Ok(()),
            Self::ReadOnly => {
                let disk = run.system.disk.as_ref().context("the lake has no disk of its own")?;
                ensure!(disk.set_read_only(false)?, "the disk stays as it is");
                Ok(())
            }
            Self::Full => Ok(std::fs::remove_file(remedy.filler.take().context("the disk was not filled")?)?),
            Self::NoDatabase => {
                run.around.to_postgres.set(Mode::Pass);
                Ok(())
            }
            Self::NoClaims => run.around.on_redis(Redis::restart).await,
            Self::Expired => remedy.shown.as_ref().context("no certificate was shown")?.replace(),
            Self::Storm => storms::all_go_on(run).await,
            Self::Slow => {
                run.around.to_brokers.iter().for_each(|proxy| proxy.set(Mode::Pass));
                Ok(())
            }
            Self::NoLookUps => {
                run.system.to_look_ups()?.set(Mode::Pass);
                Ok(())
            }
        }
    }
}
