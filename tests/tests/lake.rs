//! `weir up` on the embedded log, from signed deliveries to the rows of the lake: what was acknowledged is there, each
//! activity once, also where the process is killed again and again.
//!
//! `WEIR_TEST_DELIVERIES` sets how many deliveries each run has (default 4000), `WEIR_TEST_KILLS` how often it is killed
//! (default 5).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bus::Start;
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED};
use tokio_util::sync::CancellationToken;
use weir::records::Records;
use weir::simulate::sender::{self, Options, Outcome, Sent};
use weir::simulate::{Config, Endpoints, Generator, Signer};
use weir_tests::process::{Launch, Process};
use weir_tests::python;

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const PAGES: u32 = 40;
const WITHIN: Duration = Duration::from_secs(60);
/// Without a new row for so long, no more come.
const STALLED: Duration = Duration::from_secs(60);

fn from_environment(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the size of a test run is the runner's to choose")]
    let wanted = std::env::var(name);
    wanted.ok().map_or(default, |count| count.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// A running `weir up` with everything embedded, in a folder of its own.
struct Up(Arc<Mutex<Process>>);

impl Up {
    async fn start() -> Self {
        let process = Launch::new("weir")
            .arg("up")
            .listen(DOOR)
            .env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500")
            .env("WEIR__LOADER__COMMIT_INTERVAL_MS", "500")
            .start()
            .unwrap();
        let up = Self(Arc::new(Mutex::new(process)));
        up.on_thread(|process| process.ready(WITHIN).unwrap()).await;
        up
    }

    fn lock(&self) -> MutexGuard<'_, Process> {
        self.0.lock().unwrap()
    }

    async fn on_thread<T: Send + 'static>(&self, act: impl FnOnce(&mut Process) -> T + Send + 'static) -> T {
        let process = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || act(&mut process.lock().unwrap())).await.unwrap()
    }

    fn table(&self) -> PathBuf {
        self.lock().folder().join("weir-data/lake/activities")
    }

    fn grpc(&self) -> String {
        format!("http://{}", self.lock().grpc())
    }

    /// How often each id is on a topic.
    async fn on_topic(&self, topic: &str) -> HashMap<String, u64> {
        let settings: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, []).unwrap();
        let records = Records::open(&settings, Some(&self.grpc())).await.unwrap();
        let mut reading = records.read(&[topic.to_owned()], Start::Beginning, false).await.unwrap();
        let mut ids = HashMap::new();
        while let Some(record) = reading.next_until_end().await.unwrap() {
            *ids.entry(record.headers.id).or_default() += 1;
        }
        ids
    }

    /// How often each id is in the lake, as an engine says that is not Weir's.
    async fn in_lake(&self) -> HashMap<String, u64> {
        let table = self.table();
        let rows = tokio::task::spawn_blocking(move || {
            python::query_table(table.to_str().unwrap(), "select id, count(*) as n from t group by id", &[])
        });
        let rows: Vec<BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(&rows.await.unwrap().unwrap()).unwrap();
        rows.into_iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap())).collect()
    }

    /// Waits until the lake has `wanted` rows, or no more come.
    async fn wait_for_rows(&self, wanted: u64) -> u64 {
        let mut settings: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, []).unwrap();
        settings.lake.root = self.table().parent().unwrap().to_str().unwrap().to_owned();
        let (mut rows, mut moved) = (0, Instant::now());
        while rows < wanted && moved.elapsed() < STALLED {
            // Not there before the first commit.
            let now = loader::count(&settings.lake, "activities").await.map_or(0, |count| count.rows);
            if now > rows {
                (rows, moved) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        rows
    }
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
            Outcome::Acknowledged => {
                self.acknowledged += 1;
                self.expected.extend(keyed);
            }
            Outcome::Indeterminate => self.possible.extend(keyed),
            Outcome::Refused => {}
        }
    }

    /// The fewest and the most activities that there have to be.
    fn bounds(&self) -> (u64, u64) {
        let least: usize = self.expected.values().sum();
        let more = self.possible.iter().filter(|(key, _)| !self.expected.contains_key(*key)).map(|(_, count)| count);
        (least as u64, (least + more.sum::<usize>()) as u64)
    }
}

async fn send(up: &Up, count: u64, on_progress: impl Fn(u64)) -> Ledger {
    let endpoints = Arc::new(Endpoints::for_tests());
    let mut client = weir::register::connect(&up.grpc()).await.unwrap();
    weir::register::reconcile(&mut client, endpoints.registrations(PAGES)).await.unwrap();
    let mut config = Config::new(endpoints.clone(), 11, service::clock::timestamp().seconds * 1000 - 3_600_000);
    config.pages = PAGES;
    config.redeliver = 0.05;
    let mut options = Options::new(format!("http://{}", up.lock().address(DOOR)));
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
async fn compare(up: &Up, ledger: &Ledger) {
    let (least, most) = ledger.bounds();
    up.wait_for_rows(least).await;
    // What came of deliveries without an answer is on its way too: until no more come.
    let mut activities = up.on_topic(ACTIVITIES.name()).await;
    let (enriched, lake) = loop {
        up.wait_for_rows(activities.len() as u64).await;
        let there = (up.on_topic(ACTIVITIES_ENRICHED.name()).await, up.in_lake().await);
        let again = up.on_topic(ACTIVITIES.name()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_the_lake_once() {
    let up = Up::start().await;
    let ledger = send(&up, from_environment("WEIR_TEST_DELIVERIES", 4000), |_| ()).await;
    assert!(ledger.possible.is_empty(), "without a fault nothing is indeterminate");
    compare(&up, &ledger).await;

    // A clean end, and all of it is still there, also for tools that read the folder themselves.
    let rows = up.wait_for_rows(1).await;
    up.on_thread(|process| process.stop(WITHIN).unwrap()).await;
    assert_eq!(up.wait_for_rows(rows).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_it_is_killed_again_and_again() {
    let (count, kills) = (from_environment("WEIR_TEST_DELIVERIES", 4000), from_environment("WEIR_TEST_KILLS", 5));
    let up = Up::start().await;
    let (progress, mut watched) = tokio::sync::watch::channel(0);
    let kill = async {
        for turn in 1..=kills {
            let at = count * turn / (kills + 1);
            watched.wait_for(|answered| *answered >= at).await.unwrap();
            let began = Instant::now();
            up.on_thread(|process| {
                process.restart().unwrap();
                process.ready(WITHIN).unwrap();
            })
            .await;
            println!("killed after {at} answers, ready again after {:.1} s", began.elapsed().as_secs_f64());
        }
    };
    let (ledger, ()) = tokio::join!(
        send(&up, count, |answered| {
            progress.send_replace(answered);
        }),
        kill
    );
    compare(&up, &ledger).await;
}
