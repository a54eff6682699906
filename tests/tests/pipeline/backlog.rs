//! What Weir takes in memory: at most what its budgets say, while stages work off what has waited, and in one process under load.

use std::sync::Arc;
use std::time::Duration;

use simulate::{Endpoints, Signer, sender};
use tokio_util::sync::CancellationToken;
use weir_tests::installation::{DOOR, Installation};
use weir_tests::process::Process;
use weir_tests::up::Up;
use weir_tests::usage;

use crate::{deliveries, generator, register};

const WITHIN: Duration = Duration::from_secs(120);
/// What a service may have of its own at the most, whatever waits for it. Its program, which is large without optimisation, is
/// in memory as a file, which the kernel takes away where it has to.
const MOST: u64 = 256 << 20;

/// How much of these topics a group has not worked off.
async fn lag(bus: &bus::Bus, group: &str, topics: &str) -> i64 {
    let ends = async |topic: String| bus.offsets_at(&topic, bus::Start::End).await.unwrap().iter().sum::<i64>();
    let groups = bus.groups().await.unwrap();
    let places = groups.iter().filter(|one| one.name.starts_with(group)).flat_map(|one| &one.places);
    let done: i64 = places.filter(|place| place.topic.starts_with(topics)).map(|place| place.committed).sum();
    let mut all = 0;
    for topic in bus
        .topics()
        .await
        .unwrap()
        .into_iter()
        .filter(|topic| topic.starts_with(topics) && topic != "activities.enriched")
    {
        all += ends(topic).await;
    }
    all - done
}

/// Lets a service work off what waits; the most memory of its own that it had, in bytes.
async fn drain(installation: &Installation, service: &str, group: &str, topics: &str) -> u64 {
    let bus = installation.bus().unwrap();
    let waits = lag(&bus, group, topics).await;
    let process = installation.launch(service).unwrap().start().unwrap();
    process.ready(WITHIN).unwrap();
    let began = std::time::Instant::now();
    let mut most = 0;
    while lag(&bus, group, topics).await > 0 {
        assert!(began.elapsed() < WITHIN, "{service} has not worked off what waits");
        most = most.max(usage::memory(process.pid()).unwrap().own);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (seconds, peak) = (began.elapsed().as_secs_f64(), usage::memory(process.pid()).unwrap().peak);
    println!("{service}: {waits} records in {seconds:.1} s, at most {} MiB, {} with files", most >> 20, peak >> 20);
    process.stop(WITHIN).unwrap();
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_worked_off_within_the_memory_of_the_budgets() {
    // The acks of what comes last wait for their files.
    let installation = Installation::on_kafka("backlog").unwrap().with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "10s");
    let start = |service: &str| -> Process { installation.launch(service).unwrap().start().unwrap() };
    let (door, processing) = (start("streaming"), start("processing"));
    processing.ready(WITHIN).unwrap();
    door.ready(WITHIN).unwrap();
    let endpoints = Arc::new(Endpoints::for_tests());
    register(&format!("http://{}", processing.grpc()), &endpoints).await;
    processing.stop(WITHIN).unwrap();

    let mut generator = generator(&endpoints);
    let count = deliveries();
    let waiting = std::iter::repeat_with(|| generator.next_delivery()).take(usize::try_from(count).unwrap());
    let mut options = sender::Options::new(format!("http://{}", door.address(DOOR)));
    options.concurrency = 64;
    let signer = Signer::new(&endpoints);
    let sent = sender::send(waiting, signer, &options, &CancellationToken::new(), |_| {}).await.unwrap();
    assert!(sent.acknowledged > count / 2, "{sent:?}");
    door.stop(WITHIN).unwrap();

    let processing = drain(&installation, "processing", "weir-processing", "raw.").await;
    let enricher = drain(&installation, "enricher", "weir-enricher", "activities").await;
    assert!(processing < MOST, "processing had {} MiB", processing >> 20);
    assert!(enricher < MOST, "the enricher had {} MiB", enricher >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_with_everything_stays_within_its_memory() {
    let installation = Installation::embedded("up-memory").unwrap();
    let up = Up::start(installation, &["--simulate", "--rate", "400"], WITHIN);
    let began = std::time::Instant::now();
    let mut most = 0;
    let delivered = || -> u64 {
        let logged = up.process.logged().unwrap();
        let lines = logged.lines().filter_map(|line| line.strip_prefix("delivered ")?.split(',').next()?.parse().ok());
        lines.max().unwrap_or(0)
    };
    while delivered() < deliveries() / 2 {
        assert!(began.elapsed() < WITHIN, "{} delivered", delivered());
        most = most.max(usage::memory(up.process.pid()).unwrap().own);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("weir up: {} delivered in {:?}, at most {} MiB", delivered(), began.elapsed(), most >> 20);
    up.stop();
    assert!(most < MOST, "weir up had {} MiB", most >> 20);
}
