//! Processing, beside a plain copy of the same records, parsing alone and claims alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use bus::{Bus, Settings};
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use common::topics::raw;
use rdkafka::consumer::BaseConsumer;
use simulate::Endpoints;
use weir_tests::child::Signal;
use weir_tests::process::Process;
use weir_tests::redis::Redis;
use weir_tests::wait;

use crate::client;
use crate::figures::{Contender, Done, Section, Slice};
use crate::fill::Filler;
use crate::role::Role;
use crate::roles::{claims, copy, inputs, parse};
use crate::turns::{Bench, Build, keep, peak, same};

pub(crate) const NAME: &str = "processing";

const READY: Duration = Duration::from_secs(60);
/// A slice on a machine that has other things to do.
const WORKED_OFF: Duration = Duration::from_secs(300);
const GROUP: &str = "weir-processing";

struct Stage<'a> {
    bench: &'a Bench<'a>,
    worker: Worker,
    copied: Settings,
    asking: BaseConsumer,
    outputs: Vec<String>,
    copy: Role,
    parse: Role,
    embedded: Role,
    redis: Option<(Redis, Role)>,
}

/// The service of one build, with topics and deliveries of its own.
struct Worker {
    process: Process,
    filler: Filler,
    settings: Settings,
    asking: BaseConsumer,
    raw: Vec<String>,
    outputs: Vec<String>,
    contender: Contender,
}

/// What a slice was found to be.
struct Round {
    deliveries: u64,
    outputs: u64,
}

pub(crate) fn measure(bench: &Bench<'_>) -> anyhow::Result<Section> {
    let (mut stage, mut others) = Stage::start(bench)?;
    let mut copied = Contender::new("a: copy of the same records");
    let mut parsed = Contender::new("b: parsing alone");
    let mut claimed = Contender::new("c: claims alone, embedded");
    let mut redis = Contender::new("claims alone, Redis");
    let mut checks = BTreeMap::new();
    let bar = bench.progress(NAME, 6 + others.len());
    for round in 0..=bench.plan.rounds {
        let deliveries = if round == 0 { bench.plan.warm_up } else { bench.plan.deliveries };
        bar.set_message("fill");
        stage.worker.fill(bench, deliveries)?;
        bar.inc(1);
        bar.set_message("processing");
        let (slice, found) = stage.worker.process(bench, deliveries as u64)?;
        keep(&mut stage.worker.contender, round, slice);
        bar.inc(1);
        for other in &mut others {
            other.fill(bench, deliveries)?;
            let (slice, same_work) = other.process(bench, deliveries as u64)?;
            same("records that another build produced", same_work.outputs, found.outputs)?;
            keep(&mut other.contender, round, slice);
            bar.inc(1);
        }
        bar.set_message("copy");
        let (slice, bytes) = stage.copy(&found)?;
        keep(&mut copied, round, slice);
        bar.inc(1);
        bar.set_message("parse");
        let (slice, events) = stage.parse(&found, bytes)?;
        keep(&mut parsed, round, slice);
        bar.inc(1);
        bar.set_message("claims");
        keep(&mut claimed, round, stage.embedded(&found, events)?);
        bar.inc(1);
        if let Some(slice) = stage.redis(&found, events)? {
            keep(&mut redis, round, slice);
        }
        bar.inc(1);
        for (what, count) in [
            ("deliveries, filled in and worked off", found.deliveries),
            ("records that came out, and that the claims let pass", found.outputs),
            ("events, parsed and claimed", events),
        ] {
            *checks.entry(what.to_owned()).or_default() += count;
        }
    }
    bar.finish_and_clear();
    let whole = stage.worker.end()?;
    let mut beside = if stage.redis.is_some() { vec![redis] } else { Vec::new() };
    for other in others {
        beside.push(other.end()?);
    }
    Ok(Section {
        name: NAME,
        title: "Processing, the generator's mix".to_owned(),
        record: "delivery",
        server: "broker, or Redis",
        whole,
        parts: vec![copied, parsed, claimed],
        beside,
        checks,
    })
}

impl Worker {
    fn start(bench: &Bench<'_>, build: Option<&Build>) -> anyhow::Result<Self> {
        let name = build.map_or("work", |build| &build.name);
        let settings = bench.settings(&format!("{name}."))?;
        let key = bench.scratch.path().join(format!("{name}.sealing-key"));
        let process = bench
            .launch("weir-processing", build, &settings)
            .env("WEIR__REGISTRATIONS__CREATE_KEY_FILE", "true")
            .env("WEIR__SECRETS__KEY_FILE", key.display().to_string())
            .start()?;
        process.ready(READY)?;
        let filler = {
            let _runtime = bench.runtime.enter();
            Filler::new(&Bus::open(&settings)?)?
        };
        bench.runtime.block_on(register(process.grpc(), filler.pages()))?;
        Ok(Self {
            process,
            filler,
            asking: client::asking(&settings, &format!("{}{GROUP}", settings.topic_prefix))?,
            raw: sources::all().iter().map(|source| raw(source.name()).name().to_owned()).collect(),
            outputs: processing::description().flow().writes,
            settings,
            contender: Contender::of_build("processing: weir-processing", build),
        })
    }

    /// Puts deliveries on the log while processing is stopped, so that it finds all of them there.
    fn fill(&mut self, bench: &Bench<'_>, deliveries: usize) -> anyhow::Result<()> {
        self.process.signal(Signal::Stop)?;
        let before = client::count(&self.asking, &self.settings, &self.raw)?;
        bench.runtime.block_on(self.filler.fill(deliveries))?;
        let filled = client::count(&self.asking, &self.settings, &self.raw)? - before;
        same("deliveries on the raw topics", filled, deliveries as u64)
    }

    /// Lets processing work off what waits: until its group has committed all of it.
    fn process(&mut self, bench: &Bench<'_>, deliveries: u64) -> anyhow::Result<(Slice, Round)> {
        let all = client::count(&self.asking, &self.settings, &self.raw)?;
        let outputs = client::count(&self.asking, &self.settings, &self.outputs)?;
        let slice = bench.slice(self.process.pid(), Some(bench.kafka.pid()), || {
            let began = Instant::now();
            self.process.signal(Signal::Cont)?;
            wait::until("processing has worked off its backlog", WORKED_OFF, || {
                ensure!(self.process.exited()?.is_none(), "processing ended:\n{}", self.process.logged()?);
                let done = client::committed(&self.asking, &self.settings, &self.raw)?;
                Ok((done >= all).then_some(()))
            })?;
            Ok(Done { records: deliveries, elapsed: began.elapsed(), latency: None })
        })?;
        let outputs = client::count(&self.asking, &self.settings, &self.outputs)? - outputs;
        Ok((slice, Round { deliveries, outputs }))
    }

    fn end(mut self) -> anyhow::Result<Contender> {
        peak(&mut self.contender, self.process.pid())?;
        ensure!(self.process.stop(READY)?.success(), "processing did not exit cleanly:\n{}", self.process.logged()?);
        Ok(self.contender)
    }
}

impl<'a> Stage<'a> {
    /// Everything, and the services of other builds.
    fn start(bench: &'a Bench<'a>) -> anyhow::Result<(Self, Vec<Worker>)> {
        let copied = bench.settings("copy.")?;
        let (worker, others) = bench.each_build(|build| Worker::start(bench, build))?;
        bench.make_topics(&copied, &worker.outputs)?;
        let pages = worker.filler.pages();
        let from = || inputs::From { read: worker.settings.clone(), raw: worker.raw.clone(), pages };
        let claims = |settings| Role::start(claims::NAME, &claims::Store { from: from(), settings });
        let redis = match Redis::start(weir_tests::redis::Options::default()) {
            Ok(redis) => {
                let mut settings = bench.settings("claims-redis.")?;
                settings.claims.store = bus::settings::ClaimsStore::Redis;
                settings.claims.url = bus::settings::SecretUrl::new(redis.url());
                Some((redis, claims(settings)?))
            }
            // Told beside only: the rest can do without.
            Err(_) => None,
        };
        let copy_from = copy::From {
            read: worker.settings.clone(),
            write: copied.clone(),
            raw: worker.raw.clone(),
            outputs: worker.outputs.clone(),
        };
        let stage = Self {
            copy: Role::start(copy::NAME, &copy_from)?,
            parse: Role::start(parse::NAME, &from())?,
            embedded: claims(bench.settings("claims-embedded.")?)?,
            asking: client::asking(&copied, "bench-asking")?,
            bench,
            outputs: worker.outputs.clone(),
            worker,
            copied,
            redis,
        };
        Ok((stage, others))
    }

    /// The slice, and the bytes of the deliveries.
    fn copy(&mut self, round: &Round) -> anyhow::Result<(Slice, u64)> {
        let copy::Answer::Loaded { records, .. } = self.copy.ask(&copy::Command::Load)? else {
            bail!("unexpected answer of the copy");
        };
        same("outputs that were read back", records, round.outputs)?;
        let before = client::count(&self.asking, &self.copied, &self.outputs)?;
        let mut consumed = 0;
        let Self { bench, copy, .. } = self;
        let slice = bench.slice(copy.pid(), Some(bench.kafka.pid()), || {
            let copy::Answer::Copied { done, bytes } = copy.ask(&copy::Command::Copy { raw: round.deliveries })? else {
                bail!("unexpected answer of the copy");
            };
            consumed = bytes;
            Ok(done)
        })?;
        let written = client::count(&self.asking, &self.copied, &self.outputs)? - before;
        same("copies of the outputs", written, round.outputs)?;
        Ok((slice, consumed))
    }

    /// The slice, and how many events there were.
    fn parse(&mut self, round: &Round, bytes_copied: u64) -> anyhow::Result<(Slice, u64)> {
        let parse::Answer::Loaded { records, bytes } = self.parse.ask(&parse::Command::Load)? else {
            bail!("unexpected answer of parsing");
        };
        same("deliveries that were read back", records, round.deliveries)?;
        same("bytes of the deliveries, read back and copied", bytes, bytes_copied)?;
        let mut found = 0;
        let Self { bench, parse, .. } = self;
        let slice = bench.slice(parse.pid(), None, || {
            let parse::Answer::Parsed { done, events, refused } = parse.ask(&parse::Command::Parse)? else {
                bail!("unexpected answer of parsing");
            };
            same("items that cannot be parsed", refused, 0)?;
            found = events;
            Ok(done)
        })?;
        Ok((slice, found))
    }

    fn embedded(&mut self, round: &Round, events: u64) -> anyhow::Result<Slice> {
        claim(self.bench, &mut self.embedded, None, round, events)
    }

    fn redis(&mut self, round: &Round, events: u64) -> anyhow::Result<Option<Slice>> {
        let Some((redis, role)) = &mut self.redis else { return Ok(None) };
        claim(self.bench, role, Some(redis.pid()), round, events).map(Some)
    }
}

/// The claims of a round must let pass what processing has let pass.
fn claim(bench: &Bench<'_>, role: &mut Role, server: Option<u32>, round: &Round, events: u64) -> anyhow::Result<Slice> {
    let claims::Answer::Loaded { records } = role.ask(&claims::Command::Load)? else {
        bail!("unexpected answer of claiming");
    };
    same("deliveries that were read back", records, round.deliveries)?;
    bench.slice(role.pid(), server, || {
        let claims::Answer::Claimed { done, events: claimed, outputs, .. } = role.ask(&claims::Command::Claim)? else {
            bail!("unexpected answer of claiming");
        };
        same("events that were claimed", claimed, events)?;
        same("records of events that are no duplicates", outputs, round.outputs)?;
        Ok(done)
    })
}

/// Registers everything that the generator delivers to.
async fn register(grpc: &str, pages: u32) -> anyhow::Result<()> {
    let channel = weir_tests::connect::grpc(&format!("http://{grpc}")).await?;
    let mut client = RegistrationServiceClient::new(channel);
    for request in Endpoints::for_tests().registrations(pages) {
        client.register(request).await?;
    }
    Ok(())
}
