//! All services, each a process, and a Prometheus that scrapes them and judges by Weir's rules, as fast as a test wants it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;
use weir_tests::github::Delivery;
use weir_tests::installation::{DOOR, Installation};
use weir_tests::kafka::{Kafka, Options};
use weir_tests::postgres::Postgres;
use weir_tests::process::Process;
use weir_tests::prometheus::{self, Prometheus};
use weir_tests::redis::{self, Redis};
use weir_tests::{ports, wait};

pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// So many times faster than the rules say.
const FASTER: u64 = 20;
/// Between two looks of Prometheus. The shortest window of the rules has some of them then.
const INTERVAL_MS: u32 = 500;
pub(crate) const ENDPOINTS: [&str; 2] = ["hub", "other"];
const SECRET: &str = "s3cret";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn rules() -> String {
    std::fs::read_to_string(root().join("deploy/compose/rules.yaml")).unwrap()
}

/// The rules with each time in them shortened: how long something lasts, and the windows.
fn faster(rules: &str) -> String {
    let time = Regex::new(r"(for: |\[)(\d+)([sm])\b").unwrap();
    let shortened = time.replace_all(rules, |found: &regex::Captures<'_>| {
        let seconds: u64 = found[2].parse::<u64>().unwrap() * if &found[3] == "m" { 60 } else { 1 };
        format!("{}{}ms", &found[1], seconds * 1000 / FASTER)
    });
    assert!(time.find_iter(rules).count() > 30, "{rules}");
    shortened.into_owned()
}

/// Takes each connection and answers it with 200, while it is open.
pub(crate) struct Peer {
    pub(crate) port: u16,
    open: Option<Arc<AtomicBool>>,
}

impl Peer {
    fn new() -> Self {
        let mut peer = Self { port: ports::free().unwrap(), open: None };
        peer.open();
        peer
    }

    pub(crate) fn open(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let open = Arc::new(AtomicBool::new(true));
        self.open = Some(Arc::clone(&open));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if !open.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
                let _ = stream.read(&mut [0; 65536]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
    }

    pub(crate) fn close(&mut self) {
        self.open.take().unwrap().store(false, Ordering::SeqCst);
        // It sees that with the next connection, and the port is closed once that has ended.
        let _ = std::net::TcpStream::connect(("127.0.0.1", self.port));
        wait::until("the port is closed", LIMIT, || Ok((!ports::answers(self.port)).then_some(()))).unwrap();
    }
}

pub(crate) struct Monitored {
    pub(crate) prometheus: Prometheus,
    pub(crate) health: Process,
    pub(crate) streaming: Process,
    pub(crate) processing: Process,
    pub(crate) enricher: Process,
    pub(crate) loader: Process,
    pub(crate) peer: Peer,
    /// Where another door and another loader are scraped, if they are there.
    pub(crate) spares: [String; 2],
    sent: u64,
    /// Each alert that has fired by now.
    pub(crate) fired: RefCell<BTreeSet<String>>,
    /// What did not come in time: the test goes on, so that one run says all of it.
    pub(crate) late: RefCell<Vec<String>>,
    pub(crate) redis: Redis,
    pub(crate) postgres: Postgres,
    pub(crate) kafka: Kafka,
    /// After the processes, which are dropped first.
    pub(crate) installation: Installation,
}

impl Monitored {
    pub(crate) fn start() -> Self {
        let kafka = Kafka::start(Options::default()).unwrap();
        let redis = Redis::start(redis::Options { appendonly: true, ..Default::default() }).unwrap();
        let (postgres, peer) = (Postgres::start().unwrap(), Peer::new());
        let installation = [
            ("BUS__KAFKA__SESSION_TIMEOUT_MS", "6000"),
            ("BUS__CLAIMS__STORE", "redis"),
            ("BUS__CLAIMS__URL", &redis.url()),
            ("BUS__CONSUMER__RETRY_BACKOFF_MAX_MS", "1000"),
            ("REGISTRATIONS__DATABASE", &postgres.url()),
            ("PROCESSING__HEALTH_INTERVAL_MS", "500"),
            ("PROCESSING__STORM__WINDOW_MS", "8000"),
            ("PROCESSING__STORM__MIN_DELIVERIES", "20"),
            ("PROCESSING__STORM__MIN_ELSEWHERE", "10"),
            ("PROCESSING__STORM__HOLD_MS", "8000"),
            ("ENRICHER__HEALTH_INTERVAL_MS", "500"),
            ("ENRICHER__FLUSH_INTERVAL_MS", "500"),
            ("ENRICHER__REFERENCE__CHECK_INTERVAL_MS", "500"),
            ("LOADER__HEALTH_INTERVAL_MS", "500"),
            ("LOADER__COMMIT_INTERVAL_MS", "500"),
            ("HEALTH_CHECK__LIMITS__LAG_WARNING", "20"),
            ("HEALTH_CHECK__LIMITS__LAG_FAILING", "40"),
            // What goes wrong while all of them start would be told for half an hour.
            ("HEALTH_CHECK__ERRORS__WORKER_WARNING", "0"),
            ("HEALTH_CHECK__ERRORS__WORKER_FAILING", "0"),
            ("HEALTH_CHECK__ERRORS__STAGE_WARNING", "0"),
            ("HEALTH_CHECK__ERRORS__STAGE_FAILING", "0"),
            ("HEALTH_CHECK__ERRORS__ENDPOINT_WARNING", "0"),
            ("HEALTH_CHECK__ERRORS__ENDPOINT_FAILING", "0"),
            ("HEALTH_CHECK__INTERVAL_MS", "500"),
            ("HEALTH_CHECK__TIMEOUT_MS", "1000"),
        ]
        .into_iter()
        .fold(Installation::on(kafka.bootstrap(), "alerts").unwrap(), |all, (name, value)| {
            all.with(&format!("WEIR__{name}"), value)
        });
        std::fs::write(Self::reference(&installation), "actor_id,team\n7,blue\n").unwrap();
        let configured = |service: &str, text: &str| {
            let path = installation.folder().join(format!("{service}.toml"));
            std::fs::write(&path, text).unwrap();
            installation.launch(service).unwrap().arg("--config").arg(path.to_str().unwrap())
        };
        let endpoints = ENDPOINTS.map(|name| {
            format!("[[streaming.endpoints]]\nname = \"{name}\"\nsource = \"github\"\ntenant = \"acme\"\nsecrets = [\"{SECRET}\"]\n")
        });
        let streaming = configured("streaming", &endpoints.concat()).start().unwrap();
        let processing = installation.launch("processing").unwrap().start().unwrap();
        let step = format!(
            "[[enricher.steps]]\nname = \"teams\"\ntype = \"reference\"\nrequired = true\npath = \"{}\"\nkey = [\"actor_id\"]\n",
            Self::reference(&installation).display()
        );
        let enricher = configured("enricher", &step);
        let enricher =
            enricher.env("WEIR__ENRICHER__PROCESSING_URL", format!("http://{}", processing.grpc())).start().unwrap();
        let loader = installation.launch("loader").unwrap().start().unwrap();
        let entry = |name: &str, process: &Process| {
            let at = process.grpc();
            format!("[[health_check.services]]\nname = \"{name}\"\naddresses = [\"http://{at}\"]\nexpected = 1\n")
        };
        let health = [
            watching(peer.port),
            entry("streaming", &streaming),
            entry("processing", &processing),
            entry("enricher", &enricher),
            entry("loader", &loader),
        ];
        let health = configured("health-check", &health.concat()).start().unwrap();
        let spares = [(), ()].map(|()| format!("127.0.0.1:{}", ports::free().unwrap()));
        let mut targets: Vec<&str> =
            [&health, &streaming, &processing, &enricher, &loader].map(Process::admin).to_vec();
        targets.extend(spares.iter().map(String::as_str));
        let prometheus = Prometheus::start(&prometheus::Options {
            targets,
            labels: vec![("namespace", "weir")],
            rules: &faster(&rules()),
            interval_ms: INTERVAL_MS,
        })
        .unwrap();
        let monitored = Self {
            prometheus,
            health,
            streaming,
            processing,
            enricher,
            loader,
            peer,
            spares,
            sent: 0,
            fired: RefCell::default(),
            late: RefCell::default(),
            redis,
            postgres,
            kafka,
            installation,
        };
        for process in [&monitored.health, &monitored.streaming] {
            process.ready(LIMIT).unwrap();
        }
        wait::until("all is well", LIMIT, || Ok((monitored.status()?["state"] == "ok").then_some(())))
            .unwrap_or_else(|error| panic!("{error}: {}", monitored.status().unwrap_or_default()["problems"]));
        monitored
    }

    /// The file of the enricher's step that is required.
    pub(crate) fn reference(installation: &Installation) -> PathBuf {
        installation.folder().join("teams.csv")
    }

    pub(crate) fn status(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.health.get("/status.json")?.1)?)
    }

    /// Rows that the loader has brought into the table.
    pub(crate) fn rows(&self) -> anyhow::Result<u64> {
        Ok(crate::pipeline::total(&self.status()?, "loader").sent_on)
    }

    /// Posts a delivery that leads to a row; the status.
    pub(crate) async fn deliver(&mut self) -> u16 {
        let number = self.sent + 1;
        let body = format!(
            r#"{{"action":"opened","issue":{{"id":{number},"number":{number},"title":"t","state":"open"}},
                "repository":{{"id":1,"name":"r","full_name":"o/r"}},"sender":{{"id":7,"login":"jo"}}}}"#
        );
        self.post(ENDPOINTS[0], SECRET, body).await
    }

    /// Posts a delivery that nobody can read; the status.
    pub(crate) async fn deliver_broken(&mut self, endpoint: &str) -> u16 {
        self.post(endpoint, SECRET, format!("broken {}", self.sent)).await
    }

    pub(crate) async fn post(&mut self, endpoint: &str, secret: &str, body: String) -> u16 {
        self.sent += 1;
        let delivery = Delivery { endpoint, secret, event: "issues", number: self.sent, body: body.into() };
        delivery.post(self.streaming.address(DOOR)).await.unwrap()
    }

    /// What fires now; each that ever did is kept.
    pub(crate) fn firing(&self) -> BTreeSet<String> {
        let firing: BTreeSet<String> = self.prometheus.firing().unwrap().into_iter().map(|(name, _)| name).collect();
        self.fired.borrow_mut().extend(firing.iter().cloned());
        firing
    }

    /// Waits until each of them has fired since, though not at one time.
    pub(crate) fn fire(&self, alerts: &[&str]) {
        let begun = Instant::now();
        let mut missing: BTreeSet<&str> = alerts.iter().copied().collect();
        let all = wait::until("they fire", LIMIT, || {
            let firing = self.firing();
            for alert in missing.extract_if(.., |alert| firing.contains(*alert)) {
                println!("{alert} fires after {:.1} s", begun.elapsed().as_secs_f64());
            }
            Ok(missing.is_empty().then_some(()))
        });
        all.unwrap_or_else(|error| self.is_late(format!("{error}: {missing:?}")));
    }

    /// Waits until none fires that wakes somebody.
    pub(crate) fn resolved(&self, alerts: &[&str]) {
        let begun = Instant::now();
        let over = wait::until("they are over", LIMIT, || {
            let firing = self.firing();
            Ok((!alerts.iter().any(|alert| firing.contains(*alert))).then_some(()))
        });
        over.unwrap_or_else(|error| self.is_late(format!("{error}: {:?} of {alerts:?}", self.firing())));
        println!("over after {:.1} s: {}", begun.elapsed().as_secs_f64(), alerts.join(", "));
    }

    fn is_late(&self, what: String) {
        println!("{what}");
        for series in self.prometheus.query("weir_check_state > 0").unwrap_or_default() {
            println!("  {} {} is {}", series["metric"]["service"], series["metric"]["check"], series["value"][1]);
        }
        self.late.borrow_mut().push(what);
    }
}

/// Health-check's settings: a probe, and a receiver.
fn watching(port: u16) -> String {
    format!(
        "[[health_check.probes]]\nname = \"shop\"\naction = \"page\"\ninterval_ms = 300\ntimeout_ms = 1000\n\
         tcp = {{ address = \"127.0.0.1:{port}\" }}\n\
         [alerts]\nreceivers = [{{ name = \"hook\", webhook = {{ url = \"http://127.0.0.1:{port}/hook\" }} }}]\n\
         routes = [{{ name = \"all\", receivers = [\"hook\"] }}]\nallow_networks = [\"127.0.0.0/8\"]\n\
         must_last = false\ngroup_wait_ms = 0\ngroup_interval_ms = 1000\nresolve_after_ms = 0\ntimeout_ms = 1000\nretry_ms = 1000\n"
    )
}
