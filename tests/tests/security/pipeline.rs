//! The whole pipeline with TLS wherever something listens, a principal for each service, and no right beyond the table:
//! what was delivered is in the lake.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use tokio_rustls::rustls::version;
use weir_tests::certificates::Certificate;
use weir_tests::github::signature;
use weir_tests::process::{Launch, Process, program};
use weir_tests::scratch::Scratch;
use weir_tests::wait;

use crate::door::{client, request};
use crate::world::{self, DOOR, World, prefix, with, world};

const WITHIN: Duration = Duration::from_secs(60);
const DELIVERIES: u64 = 12;
const SECRET: &str = "a-planted-endpoint-secret";

/// Who may call what.
const ALLOW: &str = r#"
[[grpc.tls.allow]]
call = "weir.registration.v1"
names = ["weir-admin"]

[[grpc.tls.allow]]
call = "weir.deadletter.v1"
names = ["weir-jobs"]

[[grpc.tls.allow]]
call = "weir.enrichment.v1"
names = ["weir-enricher"]

[[grpc.tls.allow]]
call = "weir.health.v1"
names = ["weir-health-check", "weir-admin"]
"#;

fn certificate(world: &World, name: &str) -> Certificate {
    world.authority.issue(name, &[&format!("DNS:{name}"), "DNS:localhost", "IP:127.0.0.1"]).unwrap()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A program whose gRPC asks for a certificate, and who shows one.
fn launch(world: &World, scratch: &Scratch, name: &str, own: &Certificate, settings: &str) -> Launch {
    let file = scratch.path().join(format!("{name}.toml"));
    fs::write(&file, format!("{settings}{ALLOW}")).unwrap();
    let pem = |launch: Launch, section: &str| {
        launch
            .env(&format!("WEIR__{section}__CERTIFICATE_FILE"), shown(&own.certificate))
            .env(&format!("WEIR__{section}__KEY_FILE"), shown(&own.key))
    };
    let launch = Launch::new(name).arg("--config").arg(shown(&file));
    pem(pem(launch, "GRPC__TLS"), "GRPC__CLIENT")
        .env("WEIR__GRPC__TLS__CLIENT_CA_FILE", shown(&world.authority.root))
        .env("WEIR__GRPC__CLIENT__CA_FILE", shown(&world.authority.root))
}

/// `weir` with arguments, as this certificate.
fn weir(world: &World, shows: &Certificate, grpc: &str, arguments: &[&str]) -> Output {
    weir_with(world, shows, grpc, arguments, Vec::new())
}

/// The same with settings.
fn weir_with(
    world: &World,
    shows: &Certificate,
    grpc: &str,
    arguments: &[&str],
    settings: Vec<(String, String)>,
) -> Output {
    let mut command = Command::new(program("weir").unwrap());
    command.args(arguments).arg("--grpc").arg(format!("https://{grpc}"));
    command.arg("--ca-file").arg(&world.authority.root);
    command.arg("--certificate-file").arg(&shows.certificate).arg("--key-file").arg(&shows.key);
    command.envs(settings).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What check `name` of a service says.
fn check(process: &Process, name: &str) -> String {
    let health: serde_json::Value = serde_json::from_str(&process.get("/health").unwrap().1).unwrap();
    let found = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {health}"))["message"].as_str().unwrap().to_owned()
}

fn delivery(number: u64) -> Vec<u8> {
    let body = format!(
        r#"{{"action":"created","starred_at":"2026-01-02T03:04:05Z","repository":{{"id":{number},"full_name":"acme/weir"}},"sender":{{"id":2,"login":"ada"}}}}"#
    );
    let signature = signature(SECRET, body.as_bytes());
    format!(
        "POST /webhooks/repo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-github-event: star\r\nx-github-delivery: 72d3162e-cc78-11e3-81ab-{number:012}\r\n\
         x-hub-signature-256: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_exactly_these_rights_a_delivery_becomes_a_row() {
    let (world, prefix, scratch) = (world(), prefix("secure"), Scratch::new("secure").unwrap());
    world.open(&prefix).await;
    let (lake, key) = (scratch.path().join("lake"), scratch.path().join("sealing-key"));
    service::seal::SealingKey::create_file(&key).unwrap();
    let of = |name: &str| certificate(world, name);
    let start = |name: &str, own: &Certificate| {
        // One of them by certificate, the others by password.
        let kafka = if name == "weir-loader" { world.by_certificate(own) } else { world.by_password(name) };
        with(launch(world, &scratch, name, own, ""), kafka)
            .env("WEIR__BUS__TOPIC_PREFIX", &prefix)
            .env("WEIR__TELEMETRY__LOG", "info,bus=debug")
            .env("WEIR__SECRETS__KEY_FILE", shown(&key))
    };
    let in_lake = |launch: Launch| launch.env("WEIR__LAKE__ROOT", shown(&lake));
    let database = format!("sqlite://{}", scratch.path().join("registrations.db").display());
    let certificates =
        ["weir-streaming", "weir-processing", "weir-enricher", "weir-loader", "weir-health-check"].map(of);
    let [streaming, processing, enricher, loader, health_check] = &certificates;
    let door = start("weir-streaming", streaming)
        .listen(DOOR)
        .env("WEIR__STREAMING__TLS__CERTIFICATE_FILE", shown(&streaming.certificate))
        .env("WEIR__STREAMING__TLS__KEY_FILE", shown(&streaming.key))
        .start()
        .unwrap();
    let work = start("weir-processing", processing).env("WEIR__REGISTRATIONS__DATABASE", database).start().unwrap();
    let enrich = in_lake(start("weir-enricher", enricher))
        .env("WEIR__ENRICHER__PROCESSING_URL", format!("https://{}", work.grpc()))
        .env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500")
        // Nobody waits for the first handshake on a machine that is busy.
        .env("WEIR__ENRICHER__LOOKUPS__TIMEOUT_MS", "10000")
        .start()
        .unwrap();
    let load = in_lake(start("weir-loader", loader)).env("WEIR__LOADER__COMMIT_INTERVAL_MS", "500").start().unwrap();
    let pipeline = [&door, &work, &enrich, &load];

    let watched: String = [("streaming", &door), ("processing", &work), ("enricher", &enrich), ("loader", &load)]
        .iter()
        .map(|(name, process)| {
            let address = process.grpc();
            format!("[[health_check.services]]\nname = \"{name}\"\naddresses = [\"https://{address}\"]\nexpected = 1\n")
        })
        .collect();
    let health = launch(world, &scratch, "weir-health-check", health_check, &watched).start().unwrap();
    for process in pipeline {
        process.ready(WITHIN).unwrap();
    }

    // Registered by whoever may, over mTLS.
    let secret = scratch.path().join("endpoint-secret");
    fs::write(&secret, SECRET).unwrap();
    let secret = shown(&secret);
    let register =
        ["register", "endpoint", "repo", "--source", "github", "--tenant", "acme", "--secret-file", secret.as_str()];
    let refused = weir(world, enricher, work.grpc(), &register);
    assert!(!refused.status.success() && said(&refused).contains("may not call"), "{}", said(&refused));
    let admin = of("weir-admin");
    let registered = weir(world, &admin, work.grpc(), &register);
    assert!(registered.status.success(), "{}", said(&registered));

    let at: SocketAddr = door.address(DOOR).parse().unwrap();
    let trusting = client(&world.authority.root, None, &[&version::TLS13]);
    for number in 0..DELIVERIES {
        let answer = request(trusting.clone(), at, &delivery(number)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let mut settings = world::settings([]).lake;
    settings.root = shown(&lake);
    let rows = async {
        // Not there before the first commit.
        while loader::count(&settings, "activities").await.map_or(0, |count| count.rows) < DELIVERIES {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let arrived = tokio::time::timeout(WITHIN, rows).await;
    let states = || pipeline.map(|process| process.get("/readyz").unwrap().1);
    arrived.unwrap_or_else(|_| panic!("not in the lake: {:?}\n{}", states(), load.logged().unwrap()));

    let mut last = String::new();
    let asked = wait::until("look-ups over mTLS", WITHIN, || {
        last = check(&enrich, "enricher_step_registrations");
        Ok(last.starts_with("answers").then_some(()))
    });
    asked.unwrap_or_else(|error| panic!("{error}: {last}\n{}", enrich.logged().unwrap()));
    let asked = wait::until("digests over mTLS", WITHIN, || {
        last = check(&health, "health_check_collector");
        Ok(last.starts_with("4 of 4").then_some(()))
    });
    asked.unwrap_or_else(|error| panic!("{error}: {last}\n{}", health.logged().unwrap()));
    let asked = weir(world, &admin, health.grpc(), &["health"]);
    assert!(said(&asked).contains("streaming") && !said(&asked).contains("No answer"), "{}", said(&asked));

    // What came through, counted by a principal that may only read.
    let mut count = world.by_password("weir-jobs");
    count.push(("WEIR__BUS__TOPIC_PREFIX".to_owned(), prefix.clone()));
    count.push(("WEIR__LAKE__ROOT".to_owned(), shown(&lake)));
    let arguments = ["job", "conservation", "--from", "1h", "--to", "0s"];
    let counted = weir_with(world, &of("weir-jobs"), work.grpc(), &arguments, count);
    assert!(counted.status.success() && said(&counted).contains("everything arrived"), "{}", said(&counted));

    // The table is enough: nothing was tried that is refused.
    for process in pipeline {
        process.stop(WITHIN).unwrap();
        let log = process.logged().unwrap().to_lowercase();
        let refused: Vec<_> =
            log.lines().filter(|line| line.contains("authorization") || line.contains("authoriz")).collect();
        assert!(refused.is_empty(), "{refused:#?}");
        assert!(
            !log.contains(&SECRET.to_lowercase()) && !log.contains("planted-sasl-password"),
            "a secret is in a log"
        );
    }
}
