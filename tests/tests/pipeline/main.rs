//! The whole pipeline as separate processes, two of each service, over a real Kafka, Redis and PostgreSQL: what a
//! traffic generator meant is compared with what came out, event by event.
//!
//! `WEIR_TEST_DELIVERIES` sets how many deliveries each run has (default 20000; 100000 takes about ten minutes).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod backlog;
mod ledger;
mod system;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::registration::v1::registration_service_client::RegistrationServiceClient;
use simulate::{Config, Delivery, Endpoints, Generator, Signer, sender};
use tokio_util::sync::CancellationToken;
use weir_tests::process::Process;

use crate::ledger::Ledger;
use crate::system::{NAMES, System};

/// How many deliveries a run has.
fn deliveries() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the size of a test run is the runner's to choose")]
    let wanted = std::env::var("WEIR_TEST_DELIVERIES");
    wanted.ok().map_or(20_000, |count| count.parse().expect("WEIR_TEST_DELIVERIES must be a number"))
}

const PAGES: u32 = 60;

fn generator(endpoints: &Arc<Endpoints>) -> Generator {
    let now = service::clock::timestamp();
    let mut config = Config::new(endpoints.clone(), 7, now.seconds * 1000 - 3_600_000);
    config.pages = PAGES;
    config.redeliver = 0.05;
    config.broken = 0.02;
    Generator::new(config).unwrap()
}

/// Registers everything that a simulation delivers to.
async fn register(grpc: &str, endpoints: &Endpoints) {
    let channel = weir_tests::connect::grpc(grpc).await.unwrap();
    let mut registrar = RegistrationServiceClient::new(channel);
    for request in endpoints.registrations(PAGES) {
        registrar.register(request).await.unwrap();
    }
}

/// One generator, shared by the senders to both doors.
struct Shared(Arc<Mutex<(Generator, u64)>>);

impl Iterator for Shared {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        let mut state = self.0.lock().unwrap();
        state.1 = state.1.checked_sub(1)?;
        Some(state.0.next_delivery())
    }
}

/// Sends `count` deliveries through both doors. `on_progress` is told how many are answered.
async fn send(system: &System, endpoints: &Arc<Endpoints>, count: u64, on_progress: impl Fn(u64)) -> Ledger {
    let shared = Arc::new(Mutex::new((generator(endpoints), count)));
    let ledger = Mutex::new(Ledger::default());
    let stop = CancellationToken::new();
    let through = |door: usize| {
        let (ledger, on_progress, stop) = (&ledger, &on_progress, &stop);
        let deliveries = Shared(shared.clone());
        let mut options = sender::Options::new(format!("http://{}", system.door(door)));
        options.concurrency = 64;
        let signer = Signer::new(endpoints);
        async move {
            let answered = |sent: &sender::Sent| {
                let mut ledger = ledger.lock().unwrap();
                ledger.record(sent);
                on_progress(ledger.answered);
            };
            sender::send(deliveries, signer, &options, stop, answered).await.unwrap()
        }
    };
    let began = Instant::now();
    let (first, second) = tokio::join!(through(0), through(1));
    println!(
        "{count} deliveries in {:.1} s: {} and {} acknowledged, {} refused, {} indeterminate, {} retries",
        began.elapsed().as_secs_f64(),
        first.acknowledged,
        second.acknowledged,
        first.refused + second.refused,
        first.indeterminate + second.indeterminate,
        first.retries + second.retries
    );
    ledger.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_meant_comes_out_event_by_event() {
    let system = System::start("conserve").await;
    let endpoints = Arc::new(Endpoints::for_tests());
    register(system.grpc(), &endpoints).await;

    let ledger = send(&system, &endpoints, deliveries(), |_| ()).await;
    assert_eq!(ledger.unexpected, [""; 0], "answers that were not meant");
    assert_eq!(ledger.possible.len(), 0, "without a fault nothing is indeterminate");

    let outcome = system.outcome(&ledger).await;
    assert_eq!(outcome.raw, ledger.acknowledged, "acknowledged = raw");
    ledger.compare(&outcome);
    assert_eq!(outcome.repeated, 0, "no id twice");
    assert_eq!(outcome.dead_letters, ledger.dead_letters, "one dead letter for each broken item");
    let (door, work) = (system.balance("streaming").await, system.balance("processing").await);
    assert_eq!(door.sent_on, outcome.raw, "the door counts what stands on the log: {door:?}");
    assert_eq!(work.sent_on, outcome.events.len() as u64, "{work:?}");
    assert_eq!(work.dead_lettered, outcome.dead_letters, "{work:?}");
    println!("counted: {door:?} {work:?}");
    // One Meta app is not one partition.
    let counts = &outcome.raw_by_partition["raw.meta"];
    assert!(counts.len() == 6 && counts.values().all(|count| *count > 0), "raw.meta by partition: {counts:?}");
    println!("{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_each_process_is_killed_in_turn() {
    let system = System::start("kill").await;
    let endpoints = Arc::new(Endpoints::for_tests());
    register(system.grpc(), &endpoints).await;
    let count = deliveries();

    // Progress is what the killer waits for: each process goes at its own part of the run.
    let (progress, watched) = tokio::sync::watch::channel(0);
    let processes = system.processes.clone();
    let ledger = {
        let kill = async move {
            for (turn, name) in (1..).zip(NAMES) {
                let at = count * turn / 6;
                watched.clone().wait_for(|answered| *answered >= at).await.unwrap();
                processes.on(name, Process::restart).await.unwrap();
                println!("killed and restarted {name} after {at} answers");
            }
        };
        let (ledger, ()) = tokio::join!(
            send(&system, &endpoints, count, |answered| {
                progress.send_replace(answered);
            }),
            kill
        );
        ledger
    };
    system.processes.ready(Duration::from_secs(60)).await.unwrap();

    let outcome = system.outcome(&ledger).await;
    assert!(outcome.raw >= ledger.acknowledged, "{} raw records of {} acknowledged", outcome.raw, ledger.acknowledged);
    ledger.compare(&outcome);
    // What an instance counted before it was killed went with it; those that run now add up.
    for hop in ["streaming", "processing"] {
        system.balance(hop).await;
    }
    // A delivery that was sent again because its door was killed may have left a second one.
    assert!(outcome.dead_letters >= ledger.dead_letters, "{} of {}", outcome.dead_letters, ledger.dead_letters);
    println!("ids that a topic holds twice after the crashes: {}\n{outcome:?}", outcome.repeated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_endpoint_is_accepted_by_every_replica_within_a_second() {
    let system = System::start("replicas").await;
    let endpoints = Arc::new(Endpoints::for_tests());
    for round in 0..10 {
        let secret = format!("secret-of-round-{round}");
        let name = format!("fresh-{round}");
        let body = br#"{"zen":"Design for failure.","hook_id":1}"#;
        for door in 0..2 {
            assert_eq!(system.post_github(door, &name, &secret, body).await, 404, "before it is registered");
        }
        system.register_github(&name, &secret).await;
        let returned = Instant::now();
        for door in 0..2 {
            assert_eq!(system.post_github(door, &name, &secret, body).await, 200, "after `register` returned");
        }
        assert!(returned.elapsed() < Duration::from_secs(1), "took {:?}", returned.elapsed());
    }
    drop(endpoints);
}
