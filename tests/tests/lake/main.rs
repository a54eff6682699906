//! From signed deliveries to the rows of the lake, on the embedded log and on Kafka: what was acknowledged is there, each
//! activity once, also where processes are killed again and again.
//!
//! `WEIR_TEST_DELIVERIES` sets how many deliveries each run has (default 4000), `WEIR_TEST_KILLS` how often it is killed
//! (default 5).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod full_disk;
mod queries;
mod system;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED};
use simulate::sender::{self, Options, SendOutcome, Sent};
use simulate::{Config, Endpoints, Generator, Signer};
use tokio_util::sync::CancellationToken;
use weir_tests::scratch::Scratch;

use crate::system::{System, WITHIN};

const PAGES: u32 = 40;

fn from_environment(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the size of a test run is the runner's to choose")]
    let wanted = std::env::var(name);
    wanted.ok().map_or(default, |count| count.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// What was sent: activities of acknowledged deliveries, and of those of which nobody knows.
#[derive(Default)]
struct Ledger {
    answered: u64,
    acknowledged: u64,
    expected: HashMap<(String, String), usize>,
    possible: HashMap<(String, String), usize>,
}

impl Ledger {
    fn record(&mut self, sent: &Sent) {
        self.answered += 1;
        let events = sent.delivery.meaning.events.iter();
        let keyed = events.map(|event| ((event.topic.to_owned(), event.key.clone()), event.activities.len()));
        match sent.outcome {
            SendOutcome::Acknowledged => {
                self.acknowledged += 1;
                self.expected.extend(keyed);
            }
            SendOutcome::Indeterminate => self.possible.extend(keyed),
            SendOutcome::Refused => {}
        }
    }

    /// The fewest and the most activities that there have to be.
    fn bounds(&self) -> (u64, u64) {
        let least: usize = self.expected.values().sum();
        let more = self.possible.iter().filter(|(key, _)| !self.expected.contains_key(*key)).map(|(_, count)| count);
        (least as u64, (least + more.sum::<usize>()) as u64)
    }
}

async fn send(system: &System, count: u64, on_progress: impl Fn(u64)) -> Ledger {
    send_from(system, 0, count, on_progress).await
}

/// `first` is what ids are counted from.
async fn send_from(system: &System, first: u64, count: u64, on_progress: impl Fn(u64)) -> Ledger {
    let endpoints = Arc::new(Endpoints::for_tests());
    let mut client = weir::register::connect(system.grpc()).await.unwrap();
    weir::register::reconcile(&mut client, endpoints.registrations(PAGES)).await.unwrap();
    let mut config = Config::new(endpoints.clone(), 11, service::clock::timestamp().seconds * 1000 - 3_600_000);
    (config.pages, config.first_number) = (PAGES, first);
    config.redeliver = 0.05;
    let mut options = Options::new(system.door());
    (options.concurrency, options.count) = (64, Some(count));
    let (ledger, began) = (Mutex::new(Ledger::default()), Instant::now());
    let answered = |sent: &Sent| {
        let mut ledger = ledger.lock().unwrap();
        ledger.record(sent);
        on_progress(ledger.answered);
    };
    let generator = Generator::new(config).unwrap();
    sender::send(generator, Signer::new(&endpoints), &options, &CancellationToken::new(), answered).await.unwrap();
    let ledger = ledger.into_inner().unwrap();
    println!(
        "{count} deliveries in {:.1} s: {} acknowledged, {} events, {} indeterminate",
        began.elapsed().as_secs_f64(),
        ledger.acknowledged,
        ledger.expected.len(),
        ledger.possible.len()
    );
    assert!(ledger.acknowledged > count / 2, "the run has too little to mean anything");
    ledger
}

/// Compares id by id; says how many ids a topic has more than once.
async fn compare(system: &System, ledger: &Ledger) {
    let (least, most) = ledger.bounds();
    system.wait_for_rows(least).await;
    // What came of deliveries without an answer is on its way too: until no more come.
    let mut activities = system.on_topic(ACTIVITIES.name()).await;
    let (enriched, lake) = loop {
        system.wait_for_rows(activities.len() as u64).await;
        let there = (system.on_topic(ACTIVITIES_ENRICHED.name()).await, system.in_lake().await);
        let again = system.on_topic(ACTIVITIES.name()).await;
        if again.len() == activities.len() {
            break there;
        }
        activities = again;
    };
    let missing: Vec<_> = activities.keys().filter(|id| !lake.contains_key(*id)).take(5).collect();
    let twice: Vec<_> = lake.iter().filter(|(_, times)| **times != 1).take(5).collect();
    let unknown: Vec<_> = lake.keys().filter(|id| !activities.contains_key(*id)).take(5).collect();
    println!(
        "activities {} ({} more than once), enriched {} ({} more than once), rows {}; expected {least} to {most}",
        activities.len(),
        activities.values().filter(|times| **times > 1).count(),
        enriched.len(),
        enriched.values().filter(|times| **times > 1).count(),
        lake.values().sum::<u64>()
    );
    assert!(missing.is_empty(), "not in the lake: {missing:?}");
    assert!(twice.is_empty(), "more than once in the lake: {twice:?}");
    assert!(unknown.is_empty(), "in the lake, and no activity: {unknown:?}");
    assert!(activities.keys().all(|id| enriched.contains_key(id)), "an activity was not enriched");
    let there = activities.len() as u64;
    assert!((least..=most).contains(&there), "{there} activities, expected {least} to {most}");
}

/// A run without faults.
async fn conserves(system: &System) {
    let ledger = send(system, from_environment("WEIR_TEST_DELIVERIES", 4000), |_| ()).await;
    assert!(ledger.possible.is_empty(), "without a fault nothing is indeterminate");
    compare(system, &ledger).await;
}

/// A run in which its programs are killed in turn, each once at least.
async fn conserves_while_killed(system: &System) {
    let (count, programs) = (from_environment("WEIR_TEST_DELIVERIES", 4000), system.processes.names());
    let kills = from_environment("WEIR_TEST_KILLS", 5).max(programs.len() as u64);
    let (progress, mut watched) = tokio::sync::watch::channel(0);
    let kill = async {
        for (turn, name) in (1..=kills).zip(programs.iter().cycle()) {
            let at = count * turn / (kills + 1);
            watched.wait_for(|answered| *answered >= at).await.unwrap();
            let took = system.processes.kill_and_restart(name, WITHIN).await.unwrap();
            println!("{name} was killed after {at} answers, ready again after {:.1} s", took.as_secs_f64());
        }
    };
    let answered = |answered| {
        progress.send_replace(answered);
    };
    let (ledger, ()) = tokio::join!(send(system, count, answered), kill);
    compare(system, &ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_lake_once() {
    let system = System::embedded().await;
    conserves(&system).await;

    // A clean end, and all of it is still there, also for tools that read the folder themselves.
    let rows = system.wait_for_rows(1).await;
    system.stop("weir").await;
    assert_eq!(system.wait_for_rows(rows).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_lake_once_on_kafka() {
    conserves(&System::on_kafka().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_it_is_killed_again_and_again() {
    conserves_while_killed(&System::embedded().await).await;
}

/// Each that is in the catalogue, and through which deliveries pass.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_each_service_is_killed_in_turn() {
    conserves_while_killed(&System::in_processes().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_over_the_same_lake_skips_nothing_and_swallows_nothing() {
    let disk = Scratch::new("swapped").unwrap();
    let embedded = System::embedded_on(disk.path()).await;
    let ledger = send(&embedded, 1000, |_| ()).await;
    compare(&embedded, &ledger).await;
    let before = embedded.in_lake().await;
    embedded.stop("weir").await;

    // Topics of the same names, whose offsets begin at 0 as the others did.
    let kafka = System::on_kafka_over(disk.path()).await;
    let (least, most) = send_from(&kafka, 1_000_000, 1000, |_| ()).await.bounds();
    let rows = kafka.wait_for_rows(before.len() as u64 + least).await;
    let (activities, lake) = (kafka.on_topic(ACTIVITIES.name()).await, kafka.in_lake().await);
    assert!((least..=most).contains(&(activities.len() as u64)), "{} of {least} activities", activities.len());
    assert_eq!(rows, (before.len() + activities.len()) as u64);
    assert!(before.keys().chain(activities.keys()).all(|id| lake.get(id) == Some(&1)), "each once, of both logs");
}
