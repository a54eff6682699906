//! Kafka is away for a minute, which is longer than a session, and comes back: at no second the page is green while a stage
//! that has work does nothing. What waits is read from the log itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::Bus;
use serde_json::Value;
use tokio::task::JoinSet;
use weir_tests::github::Delivery;
use weir_tests::installation::{DOOR, Installation};
use weir_tests::kafka::{Kafka, Options};
use weir_tests::process::Process;
use weir_tests::wait;

const AWAY: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(120);
const INTERVAL: Duration = Duration::from_millis(1000);
/// Work that is there for longer, and of which nothing is done, is a stage that does nothing. The services tell once in two
/// seconds what they found, and health-check asks them once in a second.
const IDLE: Duration = Duration::from_secs(6);
/// What the page may take to notice a log that does not answer any more.
const NOTICED: Duration = Duration::from_secs(8);

/// All stages, each a process, and health-check beside them.
struct Whole {
    health: Process,
    streaming: Process,
    _others: Vec<Process>,
    bus: Bus,
    /// After the processes, which are dropped first.
    _installation: Installation,
}

impl Whole {
    fn start(kafka: &Kafka) -> Self {
        let installation = Installation::on(kafka.bootstrap(), "outage")
            .unwrap()
            .with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500")
            .with("WEIR__LOADER__COMMIT_INTERVAL_MS", "500")
            .with("WEIR__HEALTH_CHECK__INTERVAL_MS", INTERVAL.as_millis().to_string());
        // The errors of an outage are told for half an hour after it.
        let limits =
            ["WORKER", "STAGE", "ENDPOINT"].map(|of| ["WARNING", "FAILING"].map(|limit| format!("{of}_{limit}")));
        let installation = limits.into_iter().flatten().fold(installation, |installation, limit| {
            installation.with(&format!("WEIR__HEALTH_CHECK__ERRORS__{limit}"), "0")
        });
        let installation = {
            let lake = installation.folder().join("lake").display().to_string();
            installation.with("WEIR__LAKE__ROOT", lake)
        };
        let configured = |service: &str, text: &str| {
            let path = installation.folder().join(format!("{service}.toml"));
            std::fs::write(&path, text).unwrap();
            installation.launch(service).unwrap().arg("--config").arg(path.to_str().unwrap()).start().unwrap()
        };
        let endpoint =
            "[[streaming.endpoints]]\nname = \"hub\"\nsource = \"github\"\ntenant = \"acme\"\nsecrets = [\"s3cret\"]\n";
        let streaming = configured("streaming", endpoint);
        let processing = installation.launch("processing").unwrap().start().unwrap();
        let enricher = installation.launch("enricher").unwrap();
        let enricher =
            enricher.env("WEIR__ENRICHER__PROCESSING_URL", format!("http://{}", processing.grpc())).start().unwrap();
        let loader = installation.launch("loader").unwrap().start().unwrap();
        let others = vec![("processing", processing), ("enricher", enricher), ("loader", loader)];
        let entry = |name: &str, process: &Process| {
            let at = process.grpc();
            format!("[[health_check.services]]\nname = \"{name}\"\naddresses = [\"http://{at}\"]\nexpected = 1\n")
        };
        let mut services = entry("streaming", &streaming);
        services.extend(others.iter().map(|(name, process)| entry(name, process)));
        let health = configured("health-check", &services);
        let bus = installation.bus().unwrap();
        let others = others.into_iter().map(|(_, process)| process).collect();
        for process in [&health, &streaming] {
            process.ready(LIMIT).unwrap();
        }
        let whole = Self { health, streaming, _others: others, bus, _installation: installation };
        wait::until("all is well", LIMIT, || Ok((whole.status()?["state"] == "ok").then_some(()))).unwrap();
        whole
    }

    fn status(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.health.get("/status.json")?.1)?)
    }

    async fn deliver(door: &str, number: u64) -> anyhow::Result<u16> {
        // Each an issue of its own, so that it leads to an activity and a row.
        let body = format!(
            r#"{{"action":"opened","issue":{{"id":{number},"number":{number},"title":"t","state":"open"}},
                "repository":{{"id":1,"name":"r","full_name":"o/r"}},"sender":{{"id":7,"login":"jo"}}}}"#
        );
        let delivery = Delivery { endpoint: "hub", secret: "s3cret", event: "issues", number, body: body.into() };
        delivery.post(door).await
    }
}

/// For each group: what waits for it, and since when nothing of it was done.
#[derive(Default)]
struct Truth(BTreeMap<String, (i64, Option<Instant>)>);

impl Truth {
    /// What the log says now. Where it does not answer nothing is known, and what waits goes on waiting.
    async fn look(&mut self, bus: &Bus) {
        let Ok(Ok(groups)) = tokio::time::timeout(Duration::from_secs(1), bus.groups()).await else { return };
        let now = Instant::now();
        for group in groups {
            let done = group.places.iter().map(|place| place.committed).sum();
            let waits = group.places.iter().any(|place| place.lag() > 0);
            let (before, since) = self.0.entry(group.name).or_insert((done, None));
            *since = if !waits {
                None
            } else if *before == done {
                since.or(Some(now))
            } else {
                Some(now)
            };
            *before = done;
        }
    }

    /// The groups that have had work for long, and did none of it.
    fn idle(&self) -> Vec<String> {
        let idle = self.0.iter().filter(|(_, (_, since))| since.is_some_and(|since| since.elapsed() > IDLE));
        idle.map(|(name, _)| name.clone()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_never_green_while_a_stage_that_has_work_does_nothing() {
    let mut kafka = Kafka::start(Options::default()).unwrap();
    let whole = Whole::start(&kafka);
    let (ends, door) = (Arc::new(AtomicBool::new(false)), whole.streaming.address(DOOR).to_owned());
    let stops = Arc::clone(&ends);
    // Whether or not it is taken: while the log is away it is not.
    let mut sender = JoinSet::new();
    sender.spawn(async move {
        let (mut number, mut taken) = (0, 0);
        while !stops.load(Ordering::Relaxed) {
            number += 1;
            taken += u64::from(Whole::deliver(&door, number).await.is_ok_and(|status| status == 200));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        taken
    });
    let rows = |status: &Value| crate::pipeline::total(status, "loader").sent_on;
    wait::until("rows", LIMIT, || Ok((rows(&whole.status()?) > 10).then_some(()))).unwrap();

    kafka.pause().unwrap();
    let (paused, mut resumed, mut well_since) = (Instant::now(), None::<Instant>, None::<Instant>);
    let (mut truth, mut told, mut wrong) = (Truth::default(), Vec::new(), Vec::new());
    let before = rows(&whole.status().unwrap());
    // Until it has been well for a while after the log came back, and rows came again.
    loop {
        let now = Instant::now();
        if resumed.is_none() && paused.elapsed() >= AWAY {
            kafka.resume().unwrap();
            resumed = Some(Instant::now());
        }
        truth.look(&whole.bus).await;
        let status = whole.status().unwrap();
        let second = paused.elapsed().as_secs();
        let headline = status["headline"].as_str().unwrap_or_default().to_owned();
        if told.last().is_none_or(|(_, last)| *last != headline) {
            println!("{second:>4} s: {headline}");
            told.push((second, headline.clone()));
        }
        let is_green = status["state"] == "ok";
        let idle = truth.idle();
        if is_green && (!idle.is_empty() || resumed.is_none() && paused.elapsed() > NOTICED) {
            wrong.push(format!("{second} s: {headline}, and these did nothing: {idle:?}"));
        }
        let is_back = resumed.is_some() && is_green && idle.is_empty() && rows(&status) > before + 10;
        well_since = well_since.filter(|_| is_back).or(is_back.then_some(now));
        if well_since.is_some_and(|since| since.elapsed() > Duration::from_secs(10)) {
            break;
        }
        assert!(paused.elapsed() < AWAY + LIMIT, "it is not well again: {}", status["problems"]);
        tokio::time::sleep(INTERVAL.saturating_sub(now.elapsed())).await;
    }
    ends.store(true, Ordering::Relaxed);
    let taken = sender.join_next().await.unwrap().unwrap();
    let (back, well) = (resumed.unwrap(), well_since.unwrap());
    println!("{taken} deliveries were taken; well again {:.1} s after the log", (well - back).as_secs_f64());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(told.iter().any(|(_, headline)| headline.starts_with("Something is broken")), "{told:?}");
}
