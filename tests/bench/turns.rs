//! Contenders take turns, so that a machine that becomes slower does so for all of them.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bus::Settings;
use indicatif::{ProgressBar, ProgressStyle};
use weir_tests::kafka::{Kafka, Options};
use weir_tests::process::Launch;
use weir_tests::scratch::Scratch;
use weir_tests::usage;

use crate::figures::{Contender, Done, Slice};
use crate::plan::Plan;

/// Programs of another build, which do the same work in turns with those of this one.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

impl FromStr for Build {
    type Err = anyhow::Error;

    fn from_str(given: &str) -> anyhow::Result<Self> {
        let (name, folder) = given.split_once('=').context("give a name and a folder, such as before=target/before")?;
        Ok(Self { name: name.to_owned(), folder: std::path::absolute(folder)? })
    }
}

/// What all measurements share.
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) builds: &'a [Build],
    pub(crate) kafka: Kafka,
    pub(crate) scratch: Scratch,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl<'a> Bench<'a> {
    pub(crate) fn start(plan: &'a Plan, builds: &'a [Build]) -> anyhow::Result<Self> {
        let kafka = Kafka::start(Options { heap_mb: 1024, ..Options::default() })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { plan, builds, kafka, scratch: Scratch::new("bench")?, runtime })
    }

    /// The settings of the bus as shipped, for the broker of this run.
    pub(crate) fn settings(&self, prefix: &str) -> anyhow::Result<Settings> {
        weir_tests::connect::settings(&self.kafka, prefix, &self.scratch.path().join(prefix))
    }

    /// Makes topics where they are missing; names without the prefix.
    pub(crate) fn make_topics(&self, settings: &Settings, names: &[String]) -> anyhow::Result<()> {
        let retention = Duration::from_secs(7 * 24 * 3600);
        let spec = |name: &String| bus::TopicSpec { name: name.clone(), kind: bus::TopicKind::Log { retention } };
        let specs: Vec<_> = names.iter().map(spec).collect();
        let bus = bus::Bus::open(settings)?;
        let problems = self.runtime.block_on(bus.prepare_topics(&specs))?;
        let blocking = problems.iter().find(|problem| problem.blocks);
        ensure!(blocking.is_none(), "the topics of the bench cannot be created: {blocking:?}");
        Ok(())
    }

    /// How a service of a build is started, on topics with this prefix.
    pub(crate) fn launch(&self, program: &str, build: Option<&Build>, settings: &Settings) -> Launch {
        let launch = Launch::new(program)
            .env("WEIR__BUS__KAFKA__BROKERS", self.kafka.bootstrap())
            .env("WEIR__BUS__TOPIC_PREFIX", &settings.topic_prefix)
            .env("WEIR__BUS__CREATE_TOPICS", "true");
        match build {
            Some(build) => launch.built_in(&build.folder),
            None => launch,
        }
    }

    /// Starts the same for every build: of this one, and of the others.
    pub(crate) fn each_build<T>(
        &self,
        mut start: impl FnMut(Option<&Build>) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Vec<T>)> {
        let own = start(None)?;
        let others = self.builds.iter().map(|build| start(Some(build))).collect::<Result<_, _>>()?;
        Ok((own, others))
    }

    /// One slice: what the process uses, and the server behind it, while `work` is done.
    pub(crate) fn slice(
        &self,
        pid: u32,
        server: Option<u32>,
        work: impl FnOnce() -> anyhow::Result<Done>,
    ) -> anyhow::Result<Slice> {
        let used = || anyhow::Ok((usage::processor_time(pid)?, server.map(usage::processor_time).transpose()?));
        let (cpu, server_cpu) = used()?;
        let done = work()?;
        let (cpu_after, server_cpu_after) = used()?;
        let server_cpu = server_cpu_after.zip(server_cpu).map(|(after, before)| after.saturating_sub(before));
        Ok(Slice { done, cpu: cpu_after.saturating_sub(cpu), server_cpu })
    }

    /// A bar of all slices of a measurement, where somebody looks.
    pub(crate) fn progress(&self, title: &str, contenders: usize) -> ProgressBar {
        let slices = (self.plan.rounds + 1) * contenders;
        let bar = ProgressBar::new(slices as u64);
        if let Ok(style) = ProgressStyle::with_template("{prefix:12} {bar:30} {pos}/{len}  {msg}  {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(title.to_owned());
        bar
    }
}

/// Keeps a slice, if its round counts; the round before the first does not.
pub(crate) fn keep(contender: &mut Contender, round: usize, slice: Slice) {
    if round > 0 {
        contender.slices.push(slice);
    }
}

/// Two numbers that have to be the same, or the figures mean nothing.
pub(crate) fn same(what: &str, found: u64, wanted: u64) -> anyhow::Result<()> {
    ensure!(found == wanted, "{what}: {found}, not {wanted}: this run is invalid");
    Ok(())
}

/// The most memory that the process of a contender has had.
pub(crate) fn peak(contender: &mut Contender, pid: u32) -> anyhow::Result<()> {
    let peak = usage::memory(pid).with_context(|| format!("cannot read the memory of {}", contender.name))?;
    contender.peak_memory = Some(peak.peak);
    Ok(())
}
