//! The harness itself: its servers start, end, and come again with their data, and leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bus, Headers, Record, Start, TopicKind, TopicSpec};
use loader::Loader;
use weir::catalogue;
use weir_tests::child::{self, Child, Signal};
use weir_tests::installation::{Installation, UP, pipeline};
use weir_tests::kafka::{self, Kafka, Options};
use weir_tests::postgres::Postgres;
use weir_tests::process::{self, Launch};
use weir_tests::redis::{self, Redis};
use weir_tests::scratch::Scratch;
use weir_tests::{connect, ports, wait};

const LIMIT: Duration = Duration::from_secs(60);
const WEIR_KAFKA: &str = env!("CARGO_BIN_EXE_weir-kafka");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_has_its_data_after_kill_and_restart() {
    let begun = Instant::now();
    let mut kafka = Kafka::start(Options::default()).unwrap();
    println!("kafka started in {:?}", begun.elapsed());
    let scratch = Scratch::new("bus").unwrap();
    let bus = Bus::open(&connect::settings(&kafka, "harness.", scratch.path()).unwrap()).unwrap();
    bus.ping(LIMIT).await.unwrap();
    let before = bus.identity().await;
    let kind = TopicKind::Log { retention: Duration::from_secs(3600) };
    bus.prepare_topics(&[TopicSpec { name: "kept".to_owned(), kind }]).await.unwrap();
    let record = Record::encoded("kept", "key", b"value".to_vec(), Headers::default());
    let stands = bus.producer().unwrap().try_send(record).unwrap().await.unwrap();
    assert_eq!(&*stands.topic, "harness.kept");

    let killed = kafka.pid();
    kafka.kill().unwrap();
    assert!(!alive(killed));
    assert!(bus.ping(Duration::from_secs(1)).await.is_err(), "a broker that was killed does not answer");
    let begun = Instant::now();
    kafka.restart().unwrap();
    println!("kafka started after a kill in {:?}", begun.elapsed());

    bus.ping(LIMIT).await.unwrap();
    assert_eq!(bus.identity().await, before, "the same cluster");
    let mut reader = bus.reader(&["kept".to_owned()], Start::Beginning).await.unwrap();
    let stored = reader.next_until_end().await.unwrap().expect("the record is still there");
    assert_eq!(stored.coordinates, stands);
    assert_eq!(stored.payload.as_deref(), Some(&b"value"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_kafka_does_not_answer_until_it_goes_on() {
    let mut kafka = Kafka::start(Options::default()).unwrap();
    let scratch = Scratch::new("bus").unwrap();
    let bus = Bus::open(&connect::settings(&kafka, "paused.", scratch.path()).unwrap()).unwrap();
    // From the first moment on: it has many threads, which do not all stop when the signal is sent.
    for _ in 0..20 {
        bus.ping(LIMIT).await.unwrap();
        kafka.pause().unwrap();
        assert!(bus.ping(Duration::from_millis(200)).await.is_err());
        kafka.resume().unwrap();
    }
    bus.ping(LIMIT).await.unwrap();
    // Dropped while it is paused: it still goes.
    kafka.pause().unwrap();
    let pid = kafka.pid();
    drop(kafka);
    assert!(!alive(pid));
}

#[test]
fn a_shared_kafka_outlives_the_test_that_started_it() {
    let pid = std::thread::spawn(|| kafka::shared().unwrap().pid()).join().unwrap();
    // The kernel sends the signal at a parent's end when the thread ends, which has happened by now.
    assert!(alive(pid));
    assert!(ports::answers(kafka::shared().unwrap().port()));
    assert_ne!(kafka::prefix("a"), kafka::prefix("a"));
}

#[test]
fn servers_in_statics_go_with_the_process() {
    let this = std::env::current_exe().unwrap();
    let arguments = ["--exact", "holds_servers_in_statics", "--ignored", "--nocapture"];
    let output = Command::new(this).args(arguments).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}");
    let pids: Vec<u32> = printed.lines().filter_map(|line| line.strip_prefix("held ")?.parse().ok()).collect();
    assert_eq!(pids.len(), 2, "{printed}");
    for pid in pids {
        gone(pid);
    }
}

#[test]
#[ignore = "a part of servers_in_statics_go_with_the_process"]
fn holds_servers_in_statics() {
    println!("\nheld {}\nheld {}", kafka::shared().unwrap().pid(), redis::shared().unwrap().pid());
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Kafka::start(Options { port, ..Options::default() }).unwrap_err();
    assert!(error.to_string().contains(&format!("port {port} of 127.0.0.1 is in use")), "{error:#}");
}

#[test]
fn what_kafka_says_when_it_does_not_start_is_handed_on() {
    let properties = vec![("listener.security.protocol.map".to_owned(), "NONSENSE".to_owned())];
    let error = Kafka::start(Options { properties, ..Options::default() }).unwrap_err();
    assert!(format!("{error:#}").contains("listener.security.protocol.map"), "{error:#}");
}

#[test]
fn redis_keeps_its_data_with_appendonly_only() {
    for appendonly in [false, true] {
        let begun = Instant::now();
        let mut redis = Redis::start(redis::Options { appendonly, ..redis::Options::default() }).unwrap();
        println!("redis started in {:?}", begun.elapsed());
        assert_eq!(redis.ask("SET key value").unwrap(), "+OK");
        let port = redis.port();
        redis.kill().unwrap();
        assert!(redis.ask("PING").is_err());
        redis.restart().unwrap();
        assert_eq!(redis.port(), port);
        assert_eq!(redis.ask("EXISTS key").unwrap(), if appendonly { ":1" } else { ":0" });
        let pid = redis.pid();
        drop(redis);
        assert!(!alive(pid));
    }
}

#[test]
fn postgresql_keeps_its_data() {
    let begun = Instant::now();
    let mut postgres = Postgres::start().unwrap();
    println!("postgresql started in {:?}", begun.elapsed());
    let (one, other) = (postgres.database().unwrap(), postgres.database().unwrap());
    assert_ne!(one, other);
    postgres.sql(&one, "CREATE TABLE kept (value text)").unwrap();
    postgres.sql(&one, "INSERT INTO kept VALUES ('ä')").unwrap();
    assert!(postgres.sql(&other, "SELECT * FROM kept").is_err(), "each database has its own tables");
    postgres.kill().unwrap();
    assert!(postgres.sql(&one, "SELECT 1").is_err());
    postgres.restart().unwrap();
    assert_eq!(postgres.sql(&one, "SELECT value FROM kept").unwrap(), "ä");
    let pid = postgres.pid();
    drop(postgres);
    assert!(!alive(pid));
}

#[test]
fn kafka_goes_with_a_holder_that_is_killed() {
    let scratch = Scratch::new("holder").unwrap();
    let log = scratch.path().join("out");
    let holder = start_weir_kafka(&["--port", "0"], &log);
    let broker = wait::until("the broker", LIMIT, || Ok(printed(&log).contains("Ctrl-C").then(|| child_of(&holder))));
    let broker = broker.unwrap();
    assert!(alive(broker));
    holder.kill().unwrap();
    gone(broker);
}

#[test]
fn weir_kafka_runs_a_command_and_keeps_the_data() {
    let scratch = Scratch::new("weir-kafka").unwrap();
    let data = scratch.path().join("data");
    let arguments = ["--port", "0", "--data", data.to_str().unwrap(), "--", "sh", "-c"];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let output = weir_kafka(&[&arguments[..], &["echo brokers=$WEIR__BUS__KAFKA__BROKERS; exit 7"]].concat());
        assert_eq!(output.status.code(), Some(7), "the command's exit code: {output:?}");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let address = printed.lines().find_map(|line| line.strip_prefix("brokers=")).unwrap();
        assert!(printed.contains(&format!("Apache Kafka at {address}")), "{printed}");
        let port = address.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
        assert!(!ports::answers(port), "the broker is stopped when the command has ended");
        assert!(data.join("data").join(".kafka_cleanshutdown").exists(), "the broker was not killed");
        ids.push(fs::read_to_string(data.join("data").join("meta.properties")).unwrap());
    }
    let cluster = |text: &str| text.lines().find(|line| line.starts_with("cluster.id=")).map(str::to_owned);
    assert!(cluster(&ids[0]).is_some());
    assert_eq!(cluster(&ids[0]), cluster(&ids[1]), "formatted once");
}

#[test]
fn weir_kafka_hands_sigterm_on_and_stops_the_broker_after_the_command() {
    let scratch = Scratch::new("sigterm").unwrap();
    let log = scratch.path().join("out");
    // Says at its end whether the broker still accepts connections: the broker must outlive its users.
    let command = "trap 'timeout 2 bash -c \"</dev/tcp/${WEIR__BUS__KAFKA__BROKERS%:*}/${WEIR__BUS__KAFKA__BROKERS#*:}\" \
                   && echo still there; exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    let holder = start_weir_kafka(&["--port", "0", "--", "bash", "-c", command], &log);
    wait::until("the command", LIMIT, || Ok(printed(&log).contains("ready").then_some(()))).unwrap();
    holder.signal(Signal::Term).unwrap();
    assert_eq!(holder.wait(LIMIT).unwrap().code(), Some(3), "{}", printed(&log));
    assert!(printed(&log).contains("still there"), "{}", printed(&log));
}

#[test]
fn weir_kafka_says_what_to_do_where_the_jars_are_missing() {
    let empty = Scratch::new("jars").unwrap();
    let output = Command::new(WEIR_KAFKA).args(["--port", "0"]).env("WEIR_KAFKA_JARS", empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("make kafka-jars") && said.contains("WEIR_KAFKA_JARS"), "{said}");
}

#[test]
fn a_program_runs_with_its_output_in_a_file_and_its_own_ports() {
    let help = Launch::new("weir-kafka").arg("--help").listen("WEIR__STREAMING__LISTEN").start().unwrap();
    assert_eq!(help.wait(LIMIT).unwrap().code(), Some(0));
    assert!(help.logged().unwrap().contains("WEIR__BUS__KAFKA__BROKERS"), "help that teaches");
    let addresses = [help.admin(), help.grpc(), help.address("WEIR__STREAMING__LISTEN")];
    assert!(addresses.iter().all(|address| address.starts_with("127.0.0.1:")), "{addresses:?}");
    assert_ne!(addresses[0], addresses[1]);
    let error = help.ready(Duration::from_secs(1)).unwrap_err();
    assert!(format!("{error:#}").contains("ended before it was ready"), "{error:#}");
    let error = Launch::new("weir-nothing").start().unwrap_err();
    assert!(error.to_string().contains("cargo build --workspace --bins"), "{error:#}");
}

#[test]
fn each_service_gets_the_settings_that_it_reads() {
    let installation = Installation::embedded("settings").unwrap();
    let installation = installation.with("WEIR__LOADER__GROUP", "mine").with("WEIR__ENRICHER__GROUP", "not-mine");
    let settings = installation.settings::<Loader>().unwrap();
    assert_eq!(settings.loader.group, "mine");
    assert_eq!(settings.lake.root, installation.folder().join("lake").display().to_string());
    let wrong = installation.with("WEIR__LOADER__GRUP", "mine");
    let error = wrong.settings::<Loader>().unwrap_err();
    assert!(format!("{error:#}").contains("WEIR__LOADER__GRUP"), "{error:#}");
}

#[test]
fn every_service_of_the_catalogue_can_be_launched() {
    let installation = Installation::embedded("launch").unwrap();
    let names: Vec<_> = catalogue::descriptions().map(|service| service.name).collect();
    for name in names.iter().copied().chain([UP]) {
        installation.launch(name).unwrap();
    }
    assert!(pipeline().iter().all(|name| names.contains(name)) && !pipeline().is_empty(), "{:?}", pipeline());
    let error = installation.launch("weir-loader").unwrap_err();
    assert!(error.to_string().contains("the catalogue of services has no weir-loader"), "{error:#}");
}

#[test]
fn an_http_answer_is_read() {
    let listener = Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nwait").unwrap();
        // Reads the request before it closes: closing with unread bytes would reset the connection.
        let mut request = [0; 1024];
        std::io::Read::read(&mut stream, &mut request).unwrap()
    });
    assert_eq!(process::get(&address, "/readyz").unwrap(), (503, "wait".to_owned()));
    assert!(server.join().unwrap() > 0);
}

fn weir_kafka(arguments: &[&str]) -> Output {
    Command::new(WEIR_KAFKA).args(arguments).output().unwrap()
}

fn start_weir_kafka(arguments: &[&str], log: &Path) -> Child {
    let out = child::append_to(log).unwrap();
    let mut command = child::command(WEIR_KAFKA);
    command.args(arguments).stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
    Child::spawn("weir-kafka", command).unwrap()
}

fn printed(log: &Path) -> String {
    fs::read_to_string(log).unwrap()
}

fn child_of(parent: &Child) -> u32 {
    let parent = parent.pid().to_string();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(process.path().join("stat")) else { continue };
        // pid (name) state parent …; the name may hold anything.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        if after_name.split_whitespace().nth(1) == Some(&parent) {
            return process.file_name().to_str().unwrap().parse().unwrap();
        }
    }
    panic!("process {parent} has no child");
}

/// Does the process exist, and is it more than an entry that nobody has collected?
fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

fn gone(pid: u32) {
    wait::until("the end of the orphan", Duration::from_secs(5), || Ok((!alive(pid)).then_some(()))).unwrap();
}
