//! The door, beside its HTTP without a log, and Kafka's client without HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bus::Settings;
use common::topics::raw;
use rdkafka::consumer::BaseConsumer;
use weir_tests::process::Process;

use crate::bodies::{ENDPOINT, SECRET, SOURCE, TENANT};
use crate::client::{self, Kept};
use crate::figures::{Contender, Done, Section, Slice};
use crate::plan::{CONNECTIONS, DoorRun};
use crate::role::Role;
use crate::roles::http_limit::{self, Listening};
use crate::roles::load::{self, Answered};
use crate::roles::produce;
use crate::stock::Stock;
use crate::turns::{Bench, Build, keep, peak, same};

const LISTEN: &str = "WEIR__STREAMING__LISTEN";
const READY: Duration = Duration::from_secs(60);

/// Everything that takes part.
struct Door<'a> {
    bench: &'a Bench<'a>,
    streaming: Streaming,
    load: Role,
    http: Role,
    produce: Role,
    /// The door's topic, and that of the produce limit.
    topics: Vec<String>,
    limit: Settings,
    asking: BaseConsumer,
}

/// The service of one build, with a topic of its own.
struct Streaming {
    process: Process,
    settings: Settings,
    contender: Contender,
}

pub(crate) fn measure(bench: &Bench<'_>, run: &DoorRun) -> anyhow::Result<Section> {
    let (mut door, mut others) = Door::start(bench, run)?;
    let mut http = Contender::new("a: HTTP without a log");
    let mut paced = Contender::new("b: Kafka's client, 64 in flight");
    let mut free = Contender::new("Kafka's client, all in flight");
    let mut checks = BTreeMap::new();
    let bar = bench.progress(run.name, 4 + others.len());
    for round in 0..=bench.plan.rounds {
        let requests = if round == 0 { run.warm_up } else { run.requests };
        bar.set_message("door");
        let (slice, bodies) = door.streaming.deliver(bench, &mut door.load, &door.topics, requests)?;
        keep(&mut door.streaming.contender, round, slice);
        bar.inc(1);
        for other in &mut others {
            let (slice, _) = other.deliver(bench, &mut door.load, &door.topics, requests)?;
            keep(&mut other.contender, round, slice);
            bar.inc(1);
        }
        bar.set_message("HTTP");
        keep(&mut http, round, door.http(requests)?);
        bar.inc(1);
        bar.set_message("produce");
        door.load(requests as u64, bodies)?;
        keep(&mut paced, round, door.produce(Some(CONNECTIONS))?);
        bar.inc(1);
        keep(&mut free, round, door.produce(None)?);
        bar.inc(1);
        if round == 0 {
            checks.insert("bytes of keys, values and headers of the first slice".into(), door.equal_bytes()?);
        }
        for (what, count) in
            [("requests answered with 200", requests as u64), ("bytes of bodies, sent and on the topic", bodies)]
        {
            *checks.entry(what.to_owned()).or_default() += count;
        }
    }
    bar.finish_and_clear();
    peak(&mut http, door.http.pid())?;
    let whole = door.streaming.end()?;
    let others = others.into_iter().map(Streaming::end).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Section {
        name: run.name,
        title: format!("The door, bodies of {} bytes", run.bytes),
        record: "delivery",
        server: "broker",
        whole,
        parts: vec![http, paced],
        beside: [free].into_iter().chain(others).collect(),
        checks,
    })
}

impl Streaming {
    fn start(bench: &Bench<'_>, run: &DoorRun, build: Option<&Build>) -> anyhow::Result<Self> {
        let name = build.map_or_else(|| run.name.to_owned(), |build| format!("{}-{}", run.name, build.name));
        let settings = bench.settings(&format!("{name}."))?;
        let config = bench.scratch.path().join(format!("{name}.toml"));
        let endpoint = format!(
            "[[streaming.endpoints]]\nname = \"{ENDPOINT}\"\nsource = \"{SOURCE}\"\ntenant = \"{TENANT}\"\n\
             secrets = [\"{SECRET}\"]\n"
        );
        fs::write(&config, endpoint).with_context(|| format!("cannot write {}", config.display()))?;
        let process = bench
            .launch("weir-streaming", build, &settings)
            .arg("--config")
            .arg(config.display().to_string())
            .listen(LISTEN)
            .start()?;
        process.ready(READY)?;
        Ok(Self { process, settings, contender: Contender::of_build("the door: weir-streaming", build) })
    }

    /// Deliveries to the door: the slice, and the bytes of their bodies.
    fn deliver(
        &self,
        bench: &Bench<'_>,
        load: &mut Role,
        topics: &[String],
        requests: usize,
    ) -> anyhow::Result<(Slice, u64)> {
        let asking = client::asking(&self.settings, "bench-asking")?;
        let before = client::count(&asking, &self.settings, topics)?;
        let address = self.process.address(LISTEN).parse()?;
        let mut bodies = 0;
        let slice = bench.slice(self.process.pid(), Some(bench.kafka.pid()), || {
            let (done, bytes) = send(load, address, requests)?;
            bodies = bytes;
            Ok(done)
        })?;
        let written = client::count(&asking, &self.settings, topics)? - before;
        same("acknowledged deliveries on the topic", written, requests as u64)?;
        Ok((slice, bodies))
    }

    fn end(mut self) -> anyhow::Result<Contender> {
        peak(&mut self.contender, self.process.pid())?;
        ensure!(self.process.stop(READY)?.success(), "the door did not exit cleanly:\n{}", self.process.logged()?);
        Ok(self.contender)
    }
}

impl<'a> Door<'a> {
    /// Everything, and the services of other builds.
    fn start(bench: &'a Bench<'a>, run: &DoorRun) -> anyhow::Result<(Self, Vec<Streaming>)> {
        let limit = bench.settings(&format!("{}-limit.", run.name))?;
        let topics = vec![raw(SOURCE).name().to_owned()];
        bench.make_topics(&limit, &topics)?;
        let (streaming, others) = bench.each_build(|build| Streaming::start(bench, run, build))?;
        let load = load::Settings { connections: CONNECTIONS, bodies: run.bodies, bytes: run.bytes };
        let from = produce::From { read: streaming.settings.clone(), write: limit.clone(), topics: topics.clone() };
        let door = Self {
            bench,
            load: Role::start(load::NAME, &load)?,
            http: Role::start(http_limit::NAME, &())?,
            produce: Role::start(produce::NAME, &from)?,
            topics,
            asking: client::asking(&limit, "bench-asking")?,
            streaming,
            limit,
        };
        Ok((door, others))
    }

    fn http(&mut self, requests: usize) -> anyhow::Result<Slice> {
        let before: Listening = self.http.ask(&http_limit::Command::State)?;
        let Self { bench, http, load, .. } = self;
        let slice = bench.slice(http.pid(), None, || Ok(send(load, before.address, requests)?.0))?;
        let after: Listening = self.http.ask(&http_limit::Command::State)?;
        same("requests that the HTTP limit answered", after.answered - before.answered, requests as u64)?;
        Ok(slice)
    }

    /// What the door has written in this round, into the memory of the produce limit.
    fn load(&mut self, requests: u64, bodies: u64) -> anyhow::Result<()> {
        let produce::Answer::Loaded { records, body_bytes } = self.produce.ask(&produce::Command::Load)? else {
            bail!("unexpected answer of the produce limit");
        };
        same("deliveries that were read back", records, requests)?;
        same("bytes of bodies that were read back", body_bytes, bodies)
    }

    fn produce(&mut self, in_flight: Option<usize>) -> anyhow::Result<Slice> {
        let before = client::count(&self.asking, &self.limit, &self.topics)?;
        let Self { bench, produce, .. } = self;
        let slice = bench.slice(produce.pid(), Some(bench.kafka.pid()), || {
            let produce::Answer::Produced(done) = produce.ask(&produce::Command::Produce { in_flight })? else {
                bail!("unexpected answer of the produce limit");
            };
            Ok(done)
        })?;
        let written = client::count(&self.asking, &self.limit, &self.topics)? - before;
        same("records of the produce limit on the topic", written, slice.done.records)?;
        Ok(slice)
    }

    /// After the first round: the produce limit has written, twice, what the door had written.
    fn equal_bytes(&self) -> anyhow::Result<u64> {
        let bytes = |settings: &Settings| -> anyhow::Result<u64> {
            let records = Stock::new(settings, &self.topics).take()?;
            Ok(records.iter().map(|placed| Kept::bytes(&placed.record)).sum())
        };
        let (door, limit) = (bytes(&self.streaming.settings)?, bytes(&self.limit)?);
        same("bytes of the records of the produce limit, in two slices", limit, 2 * door)?;
        Ok(door)
    }
}

fn send(load: &mut Role, address: SocketAddr, requests: usize) -> anyhow::Result<(Done, u64)> {
    let answered: Answered = load.ask(&load::Send { address, requests })?;
    let all_good = answered.statuses == BTreeMap::from([(200, requests as u64)]);
    ensure!(all_good, "{requests} requests were answered with {:?}: this run is invalid", answered.statuses);
    Ok((answered.done, answered.body_bytes))
}
