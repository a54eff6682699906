//! Canaries in a running pipeline: all stages are passed in time, the one that stands is named, and nothing of them is in
//! counts, in the lake, or in what people are shown.

use std::time::Duration;

use serde_json::Value;
use weir_tests::child::Signal;
use weir_tests::github::Delivery;
use weir_tests::installation::Installation;
use weir_tests::process::Process;
use weir_tests::up::Up;
use weir_tests::wait;

const LIMIT: Duration = Duration::from_secs(60);
/// So many partitions has a topic.
const PARTITIONS: usize = 6;
/// Real events.
const EVENTS: u64 = 5;
const HOPS: [&str; 4] = ["streaming", "processing", "enricher", "loader"];

fn start(name: &str) -> Up {
    let installation = Installation::embedded(name)
        .unwrap()
        .with("WEIR__STREAMING__CANARY_INTERVAL_MS", "300")
        .with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "200")
        .with("WEIR__LOADER__COMMIT_INTERVAL_MS", "200")
        .with("WEIR__HEALTH_CHECK__INTERVAL_MS", "300")
        .with("WEIR__HEALTH_CHECK__LIMITS__CANARY_WARNING_S", "5")
        .with("WEIR__HEALTH_CHECK__LIMITS__CANARY_FAILING_S", "8");
    Up::start(installation, &[], LIMIT)
}

fn json(up: &Up, path: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&up.process.get(path)?.1)?)
}

/// How many ways a stage has passed a canary on.
fn passed(digest: &Value, hop: &str) -> usize {
    let canaries = digest["canaries"].as_array().into_iter().flatten();
    canaries.filter(|canary| canary["hop"] == hop && canary["passed_at"].is_string()).count()
}

/// Waits until each stage has passed a canary of every partition that was sent after this moment.
fn all_pass(up: &Up) {
    let after = service::clock::timestamp().to_string();
    let mut seen = Value::Null;
    let passed = wait::until("a new canary of every partition passes every stage", LIMIT, || {
        seen = json(up, "/health")?["canaries"].clone();
        let canaries = || seen.as_array().into_iter().flatten();
        let newer = |canary: &&Value| canary["sent_at"].as_str().is_some_and(|sent| sent > after.as_str());
        let of = |hop| canaries().filter(|canary| canary["hop"] == hop).filter(newer).count();
        Ok(HOPS.into_iter().all(|hop| of(hop) == PARTITIONS).then_some(()))
    });
    passed.unwrap_or_else(|error| panic!("{error}: {seen}"));
}

/// What a stage has counted: taken in, sent on, dead letters, drops.
fn counted(up: &Up, hop: &str) -> [u64; 4] {
    let status = json(up, "/status.json").unwrap();
    let total = crate::pipeline::total(&status, hop);
    [total.taken_in, total.sent_on, total.dead_lettered, total.dropped.values().sum()]
}

fn rows(up: &Up) -> Option<u64> {
    let said = up.weir(&["lake", "count", "activities", "--json"]);
    let count: Value = said.succeeded().then(|| serde_json::from_str(&said.out).ok())??;
    count["rows"].as_u64()
}

async fn deliver(up: &Up, number: u64) {
    let body = format!(
        r#"{{"action":"opened","issue":{{"id":{number},"number":{number},"title":"t","state":"open"}},
            "repository":{{"id":1,"name":"r","full_name":"o/r"}},"sender":{{"id":7,"login":"jo"}}}}"#
    );
    let delivery =
        Delivery { endpoint: "hub", secret: "s3cret-s3cret-s3cret", event: "issues", number, body: body.into() };
    assert_eq!(up.post(&delivery).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canaries_show_that_the_way_is_open_and_leave_nothing_behind() {
    let up = start("canaries");
    // Without an endpoint there is no way that could be open.
    let said = up.weir(&["health", "--check", "canary"]);
    assert!(said.code == Some(3) && said.out.contains("no canary is sent"), "{said:#?}");

    up.register("hub", "s3cret-s3cret-s3cret");
    all_pass(&up);
    for hop in HOPS {
        assert_eq!(counted(&up, hop), [0; 4], "{hop} counts canaries");
    }
    assert_eq!(rows(&up), None, "no table is made of canaries");

    for number in 0..EVENTS {
        deliver(&up, number).await;
    }
    wait::until("the rows", LIMIT, || Ok((rows(&up) == Some(EVENTS)).then_some(()))).unwrap();
    all_pass(&up);
    for hop in HOPS {
        assert_eq!(counted(&up, hop), [EVENTS, EVENTS, 0, 0], "{hop}");
    }
    assert_eq!(rows(&up), Some(EVENTS));

    // The age is known, and small: each stage is passed within seconds.
    let status = json(&up, "/status.json").unwrap();
    for hop in status["hops"].as_array().unwrap() {
        let seconds = hop["canary_seconds"].as_f64();
        assert!(seconds.is_some_and(|seconds| seconds < 5.0), "{hop}");
    }
    let said = up.succeeds(&["health", "--check", "canary"]);
    assert!(said.out.starts_with("OK canary"), "{said:#?}");
    let metrics = up.process.get("/metrics").unwrap().1;
    for line in ["weir_canary_seconds_count{stage=\"loader\"}", "weir_pipeline_hop_canary_state{hop=\"loader\"} 0"] {
        assert!(metrics.lines().any(|found| found.starts_with(line)), "{line}: {metrics}");
    }

    // What people and tools are shown has no canary, unless they ask for it.
    let count = |arguments: &[&str]| up.succeeds(arguments).out.lines().count() as u64;
    for (topic, real) in [("raw.github", EVENTS), ("activities", EVENTS), ("dead-letters", 0)] {
        assert_eq!(count(&["tail", topic, "--from", "beginning", "--json"]), real, "{topic}");
    }
    for topic in ["raw.github", "activities"] {
        assert!(count(&["tail", topic, "--from", "beginning", "--json", "--canaries"]) > EVENTS, "{topic}");
    }
    assert_eq!(count(&["tail", "activities.enriched", "--from", "beginning", "--json", "--canaries"]), EVENTS);
    // Nor has what is made of the topics.
    let rebuilt = up.succeeds(&["rebuild", "--into", "rebuilt"]).all();
    // What is none has no line.
    let number = |name: &str| {
        let line = rebuilt.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |line| line.split_whitespace().next().unwrap().parse::<u64>().unwrap())
    };
    let read = ["deliveries read", "refused", "the same", "different"].map(number);
    assert_eq!(read, [EVENTS, 0, EVENTS, 0], "{rebuilt}");
    up.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_stands_is_named() {
    let up = start("stands");
    up.register("hub", "s3cret-s3cret-s3cret");
    deliver(&up, 0).await;
    wait::until("the row", LIMIT, || Ok((rows(&up) == Some(1)).then_some(()))).unwrap();
    all_pass(&up);

    // The log of the table cannot be read: the loader commits nothing.
    let log = up.folder().join("weir-data/lake/activities/_delta_log");
    let aside = up.folder().join("aside");
    std::fs::rename(&log, &aside).unwrap();
    std::fs::write(&log, "no folder").unwrap();
    let mut found = String::new();
    let named = wait::until("the loader is named", LIMIT, || {
        let said = up.weir(&["health", "--check", "canary"]);
        found = said.all();
        Ok((said.code == Some(2)).then_some(()))
    });
    named.unwrap_or_else(|error| panic!("{error}: {found}"));
    assert!(found.contains("passed enricher") && found.contains("none has passed loader for"), "{found}");
    let digest = json(&up, "/health").unwrap();
    assert_eq!(passed(&digest, "loader"), PARTITIONS, "what passed before is still told");

    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    all_pass(&up);
    wait::until("all is well", LIMIT, || Ok(up.weir(&["health", "--check", "canary"]).succeeded().then_some(())))
        .unwrap();
    assert_eq!(rows(&up), Some(1));
    up.stop();
}

/// Every stage a process, two of processing, on Kafka. After the processes the installation, which is dropped last.
struct OnKafka {
    health: Process,
    processing: [Process; 2],
    _others: [Process; 3],
    _installation: Installation,
}

impl OnKafka {
    fn start() -> Self {
        let installation = Installation::on_kafka("canaries")
            .unwrap()
            .with("WEIR__STREAMING__CANARY_INTERVAL_MS", "500")
            .with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500")
            .with("WEIR__LOADER__COMMIT_INTERVAL_MS", "500")
            .with("WEIR__HEALTH_CHECK__INTERVAL_MS", "500")
            .with("WEIR__HEALTH_CHECK__LIMITS__CANARY_WARNING_S", "8")
            .with("WEIR__HEALTH_CHECK__LIMITS__CANARY_FAILING_S", "600");
        let lake = installation.folder().join("lake").display().to_string();
        let installation = installation.with("WEIR__LAKE__ROOT", lake);
        let configured = |service: &str, text: &str| {
            let path = installation.folder().join(format!("{service}.toml"));
            std::fs::write(&path, text).unwrap();
            installation.launch(service).unwrap().arg("--config").arg(path.to_str().unwrap()).start().unwrap()
        };
        let endpoint =
            "[[streaming.endpoints]]\nname = \"hub\"\nsource = \"github\"\ntenant = \"acme\"\nsecrets = [\"s3cret\"]\n";
        let streaming = configured("streaming", endpoint);
        let processing = [(); 2].map(|()| installation.launch("processing").unwrap().start().unwrap());
        let url = format!("http://{}", processing[0].grpc());
        let enricher =
            installation.launch("enricher").unwrap().env("WEIR__ENRICHER__PROCESSING_URL", url).start().unwrap();
        let loader = installation.launch("loader").unwrap().start().unwrap();
        let entry = |name: &str, processes: &[&Process]| {
            let at: Vec<_> = processes.iter().map(|process| format!("http://{}", process.grpc())).collect();
            let expected = at.len();
            format!("[[health_check.services]]\nname = \"{name}\"\naddresses = {at:?}\nexpected = {expected}\n")
        };
        let services = [
            entry("streaming", &[&streaming]),
            entry("processing", &[&processing[0], &processing[1]]),
            entry("enricher", &[&enricher]),
            entry("loader", &[&loader]),
        ];
        let health = configured("health-check", &services.concat());
        for process in [&health, &streaming, &processing[0], &processing[1], &enricher, &loader] {
            process.ready(LIMIT * 2).unwrap();
        }
        Self { health, processing, _others: [streaming, enricher, loader], _installation: installation }
    }

    fn status(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.health.get("/status.json")?.1)?)
    }

    /// What the check found, and the stage that it names; none: canaries arrive.
    fn late(&self) -> anyhow::Result<Option<(Value, String)>> {
        let status = self.status()?;
        let mut details = status["details"].as_array().into_iter().flatten();
        let late = details.find(|problem| problem["check"] == "canary");
        Ok(late.map(|problem| (problem["hops"].clone(), problem["found"].as_str().unwrap_or_default().to_owned())))
    }

    /// Waits until canaries arrive: of each stage it is known, and none is late.
    fn all_arrive(&self) {
        let mut seen = Value::Null;
        let arrive = wait::until("canaries arrive", LIMIT * 2, || {
            seen = self.status()?;
            let hops = seen["hops"].as_array().map_or(&[][..], Vec::as_slice);
            let known = hops.len() == HOPS.len()
                && hops.iter().all(|hop| hop["canary_seconds"].as_f64().is_some_and(|seconds| seconds < 5.0));
            Ok((known && self.late()?.is_none()).then_some(()))
        });
        arrive.unwrap_or_else(|error| panic!("{error}: {seen}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_instances_that_hangs_is_seen_by_its_partitions() {
    let running = OnKafka::start();
    // Whoever joined last may have nothing yet.
    let have = || -> anyhow::Result<Vec<usize>> {
        let of = |process: &Process| -> anyhow::Result<usize> {
            let digest: Value = serde_json::from_str(&process.get("/health")?.1)?;
            let queues = digest["queues"].as_array().into_iter().flatten();
            Ok(queues
                .filter(|queue| queue["topic"].as_str().is_some_and(|topic| topic.ends_with("raw.github")))
                .count())
        };
        running.processing.iter().map(of).collect()
    };
    wait::until("each has half", LIMIT, || Ok((have()? == [3, 3]).then_some(()))).unwrap();
    running.all_arrive();
    // Its session lasts longer than a canary may wait: nobody takes its partitions over.
    running.processing[1].signal(Signal::Stop).unwrap();
    let mut seen = None;
    let named = wait::until("processing is named", LIMIT, || {
        seen = running.late()?;
        Ok(seen.clone().filter(|(hops, _)| *hops == serde_json::json!(["processing"])))
    });
    let (_, found) = named.unwrap_or_else(|error| panic!("{error}: {seen:?}"));
    assert!(found.contains("passed streaming") && found.contains("none has passed processing for"), "{found}");
    // Three of six: those of the other instance go on.
    assert!(found.contains("likewise 2 more"), "{found}");
    running.processing[1].signal(Signal::Cont).unwrap();
    running.all_arrive();
    let status = running.status().unwrap();
    for hop in HOPS {
        let total = crate::pipeline::total(&status, hop);
        assert_eq!((total.taken_in, total.dead_lettered), (0, 0), "{hop}");
    }
}
