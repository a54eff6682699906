//! The named cases.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bus::{Headers, Record};
use common::raw::v1::Delivery;
use prost::Message as _;
use weir_tests::child::Signal;
use weir_tests::cluster::BROKERS;
use weir_tests::proxy::Mode;

use crate::fault::Fault;
use crate::run::{Run, plan};
use crate::storms;
use crate::system::Options;
use crate::tail::Moment;
use crate::traffic::Plan;

/// What a case does, beyond its faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing.
    Faults,
    /// Puts on raw topics what no door would.
    Poison,
    /// SIGTERM to all services while no broker answers.
    TerminateWithoutBrokers,
    /// The reply to a COMMIT of the database is lost.
    LoseCommit,
    /// Nothing that one endpoint sends can be read.
    StormOfOne,
    /// Nothing that any endpoint sends can be read.
    StormOfAll,
    /// A topic is deleted and made again.
    ReplaceTopic,
    /// The claims are rebuilt, and go on where they were when a broker is killed meanwhile.
    RebuildWithoutABroker,
    /// The disk of the lake is full, and is not any more.
    FullDisk,
    /// Services are at their limits of memory.
    LimitMemory,
    /// Nobody reads what the services log.
    UnreadLogs,
    /// The database fails over while endpoints are registered.
    FailOver,
    /// A certificate ends, and another one comes into its place.
    ExpireCertificate,
    /// The clock of an installation on the embedded log is set.
    SetClock,
    /// Its log is put back from a copy, and its lake is not.
    PutLogBack,
    /// Offsets are committed before what came of their records was delivered: must be found out.
    CommitEarly,
    /// Ids are marked as seen, without where: must be found out.
    ForgetPlaces,
}

/// A case: a system of its own, and what happens to it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether it is part of `make test`.
    pub(crate) quick: bool,
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    pub(crate) faults: Vec<Fault>,
    pub(crate) act: Act,
}

impl Case {
    pub(crate) fn new(name: &'static str, about: &'static str, faults: Vec<Fault>) -> Self {
        let (options, plan) = (Options::default(), plan(1));
        Self { name, about, quick: false, options, plan, faults, act: Act::Faults }
    }

    fn quick(self) -> Self {
        Self { quick: true, ..self }
    }

    pub(crate) fn with(self, options: Options) -> Self {
        Self { options, ..self }
    }

    pub(crate) fn act(self, act: Act) -> Self {
        Self { act, ..self }
    }

    /// Whether the checker must find something missing.
    pub(crate) fn is_control(&self) -> bool {
        matches!(self.act, Act::CommitEarly | Act::ForgetPlaces)
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// All of them. `old`: where the programs of another version are; without it two versions are not tried.
pub(crate) fn all(old: Option<&Path>) -> Vec<Case> {
    let mut cases = of_one_version();
    cases.extend(of_their_own());
    cases.extend(crate::store::cases());
    cases.push(crate::failover::case());
    cases.push(crate::certificates::case());
    cases.extend(controls());
    cases.extend(old.map(two_versions));
    cases
}

/// The second of each service is of another version; then each is replaced by the new one, and one by the old again.
fn two_versions(old: &Path) -> Case {
    let replace = |name: &str| Fault::Replace(name.to_owned(), None);
    let mut faults: Vec<_> = ["streaming-1", "processing-1", "enricher-1", "loader-1"].map(replace).to_vec();
    let back = ["processing-0", "enricher-0", "loader-0", "streaming-0"];
    faults.extend(back.map(|name| Fault::Replace(name.to_owned(), Some(old.to_owned()))));
    Case::new("two-versions", "the previous version beside this one, a roll-out, then half rolled back", faults)
        .with(Options { old: Some(old.to_owned()), ..Options::two_of_each() })
}

/// What the checker must find out.
fn controls() -> [Case; 2] {
    [
        Case::new("control-early-commit", "offsets committed before delivery: the checker must see it", vec![])
            .act(Act::CommitEarly)
            .quick(),
        Case::new("control-claims-without-place", "claims without a place: the checker must see it", vec![])
            .act(Act::ForgetPlaces)
            .quick(),
    ]
}

fn of_one_version() -> Vec<Case> {
    let kill = |name: &str| Fault::Kill(name.to_owned());
    let freeze = |name: &str| Fault::Freeze(name.to_owned());
    let restart = |name: &str| Fault::Restart(name.to_owned());
    let reclaim = |name: &str| Fault::Reclaim(name.to_owned(), 2 * SECOND);
    let everything = ["streaming-0", "streaming-1", "processing-0", "processing-1", "enricher-0", "loader-0"];
    let production = Options { session_timeout_ms: 45_000, delivery_timeout_ms: 30_000, ..Options::default() };
    vec![
        Case::new("no-fault", "no fault", vec![]),
        Case::new("services-killed", "kill -9 of one service after the other", everything.map(kill).to_vec()).quick(),
        Case::new(
            "processing-gone",
            "kill -9 of a processing instance that is not restarted",
            vec![Fault::KillForGood("processing-0".into())],
        ),
        Case::new(
            "coordinator-killed",
            "kill -9 of a processing instance, then of the coordinator of its group",
            vec![Fault::KillAndCoordinator { name: "processing-0".into(), later: 4 * SECOND, away: 5 * SECOND }],
        ),
        Case::new(
            "killed-while-joining",
            "kill -9 of a processing instance during a rebalance, sessions of 15 s",
            vec![Fault::KillWhileJoining("processing-0".into())],
        )
        .with(Options { session_timeout_ms: 15_000, ..Options::default() }),
        Case::new("broker-killed", "kill -9 and restart of a broker", vec![Fault::BrokerKilled(0, 5 * SECOND)]),
        Case::new("brokers-away", "two of three brokers hang past the delivery time-out", vec![Fault::BrokersAway])
            .quick(),
        Case::new(
            "brokers-asleep",
            "all brokers hang past their own sessions, three times",
            vec![Fault::BrokersAsleep; 3],
        ),
        Case::new("processing-frozen", "SIGSTOP past the session", vec![freeze("processing-0")]).quick(),
        Case::new("enricher-frozen", "SIGSTOP past the session, two enrichers", vec![freeze("enricher-0")])
            .with(Options::two_of_each()),
        Case::new(
            "loader-frozen",
            "SIGSTOP past the session, two loaders",
            vec![freeze("loader-0"), freeze("loader-1")],
        )
        .with(Options::two_of_each()),
        Case::new("door-frozen", "SIGSTOP of a door", vec![freeze("streaming-0")]),
        Case::new(
            "connections-slow",
            "150 ms of latency in each direction",
            vec![Fault::Slow(Duration::from_millis(150), 8 * SECOND)],
        ),
        Case::new("connections-cut", "every connection to the brokers is reset, six times", vec![Fault::Cuts(6)]),
        Case::new("brokers-silent", "connections stay open and carry nothing", vec![Fault::Silence(8 * SECOND)]),
        Case::new("redis-killed", "the claims' store is killed and restarted", vec![Fault::RedisKilled(4 * SECOND)]),
        Case::new("claims-emptied", "the claims' store loses all data", vec![Fault::RedisEmptied]).quick(),
        Case::new(
            "claims-emptied-broker-killed",
            "the claims' store loses all data, and kill -9 of a broker during the rebuild",
            vec![],
        )
        .act(Act::RebuildWithoutABroker),
        Case::new("rebalances", "a member joins and leaves every two seconds", vec![Fault::Rebalances(4)]),
        Case::new("database-away", "the registrations' database is unavailable", vec![Fault::DatabaseAway(5 * SECOND)]),
        Case::new("commit-reply-lost", "a registration is committed, and the reply is lost", vec![])
            .act(Act::LoseCommit),
        Case::new(
            "rolling-restart",
            "SIGTERM and restart of one service after the other",
            everything.map(restart).to_vec(),
        ),
        Case::new(
            "reclaimed",
            "SIGTERM, and kill -9 two seconds later, of one service after the other",
            everything.map(reclaim).to_vec(),
        ),
        Case {
            plan: Plan { twice: true, rate: 60.0, redeliver: 0.2, ..plan(1) },
            ..Case::new(
                "same-delivery-twice",
                "each delivery to both doors at once, one killed",
                vec![kill("streaming-0")],
            )
        },
        Case::new("poison", "poison records on the raw topics", vec![kill("processing-1")]).act(Act::Poison),
        Case::new("terminated-without-brokers", "SIGTERM to all while no broker answers", vec![])
            .act(Act::TerminateWithoutBrokers),
        Case::new("production-time-outs", "kill -9 of one processing, sessions of 45 s", vec![kill("processing-0")])
            .with(production),
    ]
}

/// Those whose faults are their own.
fn of_their_own() -> Vec<Case> {
    vec![
        Case::new("storm-of-one", "one endpoint sends unreadable deliveries", vec![])
            .act(Act::StormOfOne)
            .with(Options { processing: storms::OF_ONE, ..Options::default() }),
        Case::new("storm-of-all", "all deliveries are unreadable: processing stops until an operator acts", vec![])
            .act(Act::StormOfAll)
            .with(Options { processing: storms::OF_ALL, ..Options::default() }),
        Case::new("topic-replaced", "the topic between processing and enricher is deleted and recreated", vec![])
            .act(Act::ReplaceTopic),
        Case::new("clock-set", "the clock is 40 days ahead for a minute, then two hours, and right again", vec![])
            .act(Act::SetClock),
        Case::new(
            "size-retention",
            "the brokers keep one byte of a topic by default, while the enricher and then a processing instance is stopped",
            ["enricher-0", "processing-0"].map(|name| Fault::BrokersRemove(name.to_owned())).to_vec(),
        ),
        Case::new(
            "memory-limit",
            "a door, processing, enricher and loader reach a memory limit, one after the other",
            vec![],
        )
        .act(Act::LimitMemory),
        Case::new(
            "clocks-wrong",
            "the clocks of a door, processing, enricher and loader are wrong, one after the other",
            [("streaming-0", "+2h"), ("processing-0", "+40d"), ("enricher-0", "+2h"), ("loader-0", "+40d")]
                .map(|(name, by)| Fault::ClockSet(name.to_owned(), by, 5 * SECOND))
                .to_vec(),
        )
        .with(Options { clocks: true, ..Options::default() }),
        Case::new("logs-unread", "nobody reads the logs of the services, and the pipes are full", vec![])
            .act(Act::UnreadLogs)
            .with(Options { log: Some("trace"), ..Options::default() }),
        Case::new("log-put-back", "the embedded log is restored from a copy, and the lake is not", vec![])
            .act(Act::PutLogBack),
        Case::new("disk-full", "the disk of the lake is full", vec![])
            .act(Act::FullDisk)
            .with(Options { lake_mebibytes: Some(64), ..Options::default() }),
    ]
}

/// What the case does beyond its faults.
pub(crate) async fn act(case: &Case, run: &mut Run<'_>) -> anyhow::Result<()> {
    match case.act {
        Act::Faults => Ok(()),
        Act::Poison => poison(run).await,
        Act::TerminateWithoutBrokers => terminate_without_brokers(run).await,
        Act::LoseCommit => lose_commit(run).await,
        Act::StormOfOne => storms::of_one(run).await,
        Act::StormOfAll => storms::of_all(run).await,
        Act::RebuildWithoutABroker => rebuild_without_a_broker(run).await,
        Act::FullDisk => full_disk(run).await,
        Act::ReplaceTopic => crate::replaced::topic(run).await,
        Act::FailOver => crate::failover::act(run).await,
        Act::ExpireCertificate => crate::certificates::act(run).await,
        Act::SetClock => {
            crate::clock::set().await?;
            run.ended(Moment::now());
            Ok(())
        }
        Act::LimitMemory => crate::memory::each(run).await,
        Act::UnreadLogs => crate::unread::logs(run).await,
        Act::PutLogBack => {
            crate::put_back::log().await?;
            run.ended(Moment::now());
            Ok(())
        }
        Act::CommitEarly => crate::control::commit_early(run).await,
        Act::ForgetPlaces => crate::control::forget_places(run).await,
    }
}

/// Records on raw topics that are no deliveries, or of versions and depths that nobody knows.
async fn poison(run: &mut Run<'_>) -> anyhow::Result<()> {
    let bus = run.system.bus()?;
    let producer = bus.producer()?;
    let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
    let delivery = |source: &str, body: Vec<u8>| {
        let delivery = Delivery {
            delivery_id: "0123456789abcdef0123456789abcdef".into(),
            source: source.into(),
            endpoint: "sim-meta".into(),
            tenant: "alder".into(),
            scheme: "hub-sha256".into(),
            received_at: Some(service::clock::timestamp()),
            body: body.into(),
            ..Delivery::default()
        };
        delivery.encode_to_vec()
    };
    let records = [
        ("raw.meta", b"\xff\xff\xff no protobuf".to_vec(), "undecodable"),
        ("raw.meta", delivery("meta", deep), "too_deep"),
        ("raw.github", delivery("of-tomorrow", b"{}".to_vec()), "unknown_source"),
        ("raw.standard_webhooks", delivery("standard_webhooks", b"{}".to_vec()), "missing_header"),
    ];
    for (topic, payload, reason) in records {
        let headers = Headers { id: reason.to_owned(), ..Headers::default() };
        let record = Record::encoded(topic, reason, payload, headers);
        let at = producer.try_send(record)?.await.with_context(|| reason.to_owned())?;
        run.injected.insert((topic.to_owned(), at.partition, at.offset), reason);
    }
    run.ended(Moment::now());
    Ok(())
}

/// All services end within their deadline although nothing can be flushed, and go on where they were.
async fn terminate_without_brokers(run: &mut Run<'_>) -> anyhow::Result<()> {
    run.around.on_cluster(|cluster| (0..BROKERS).try_for_each(|broker| cluster.broker(broker).pause())).await?;
    tokio::time::sleep(2 * SECOND).await;
    for name in run.system.names() {
        run.system.on(&name, |process| process.signal(Signal::Term)).await?;
    }
    for name in run.system.names() {
        // The default deadline, and a little.
        run.system.on(&name, |process| process.wait(28 * SECOND).map(drop)).await?;
    }
    run.around.on_cluster(|cluster| (0..BROKERS).try_for_each(|broker| cluster.broker(broker).resume())).await?;
    for name in run.system.names() {
        run.system.on(&name, weir_tests::process::Process::restart).await?;
    }
    run.ended(Moment::now().later(run.system.options.session()));
    Ok(())
}

/// A rebuild that begins anew whenever a broker is lost might never end: it waits where it stands.
async fn rebuild_without_a_broker(run: &mut Run<'_>) -> anyhow::Result<()> {
    run.fault(&Fault::RedisEmptiedAndBrokerKilled(0, 5 * SECOND)).await?;
    let mut waited = 0;
    for name in ["processing-0", "processing-1"] {
        run.system.until_logged(name, "the claims have been rebuilt", 60 * SECOND).await?;
        let log = run.system.on(name, |process| process.logged()).await?;
        ensure!(!log.contains("the claims could not be rebuilt yet"), "{name} restarted the rebuild of the claims");
        waited += log.matches("rebuilding the claims waits for the log").count();
    }
    println!("  the rebuild of the claims waited for the log {waited} times, and continued");
    Ok(())
}

/// What cannot be written waits on the log; it goes on when there is room.
async fn full_disk(run: &mut Run<'_>) -> anyhow::Result<()> {
    let disk = run.system.disk.as_ref().context("the lake has no disk of its own")?;
    let filler = disk.fill()?;
    run.system.until_check("enricher-0", "enricher_lake", |state| state == "failing", 60 * SECOND).await?;
    run.traffic.acknowledges(300, 60 * SECOND).await?;
    std::fs::remove_file(filler).context("cannot free the disk")?;
    run.ended(Moment::now());
    Ok(())
}

/// The service finds out whether its change was made, and answers so; asking again makes no second one.
async fn lose_commit(run: &mut Run<'_>) -> anyhow::Result<()> {
    let mut client = weir::register::connect(&run.system.grpc("processing-0").await?).await?;
    let endpoints = simulate::Endpoints::for_tests();
    let request = |page: usize| endpoints.registrations(200).nth(page).context("a registration");
    for number in 300..340 {
        run.around.to_postgres.set(Mode::LoseAnswerTo(b"COMMIT".to_vec()));
        let first = client.register(request(number)?).await;
        ensure!(run.around.to_postgres.mode() == Mode::Pass, "no COMMIT was seen");
        if let Err(status) = first {
            ensure!(status.code() == tonic::Code::Unavailable, "{status}");
        }
        let again = weir::register::reconcile(&mut client, std::iter::once(request(number)?)).await;
        again.with_context(|| format!("cannot register {number} again"))?;
        // Else it was the COMMIT of a comparison that goes on beside it.
        let log = run.system.on("processing-0", |process| process.logged()).await?;
        if log.matches("a commit failed after its record was published").count() >= 3 {
            run.ended(Moment::now());
            return Ok(());
        }
    }
    bail!("of 40 registrations fewer than 3 lost the answer to their COMMIT");
}
