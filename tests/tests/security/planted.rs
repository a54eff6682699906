//! Secrets are planted wherever one can stand, the services are driven until they have told all that they tell, and what
//! they told is searched: logs at the level of `trace`, spans, digests, pages, metrics, records, errors, settings.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio::task::JoinSet;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::version;
use weir_tests::github::signature;
use weir_tests::postgres::Postgres;
use weir_tests::process::{Launch, Process, get, program};
use weir_tests::redis::Redis;
use weir_tests::scratch::Scratch;
use weir_tests::{redis, wait};

use crate::door::{client, request};
use crate::secrets::{Planted, Search};
use crate::world::{DOOR, password, prefix, with, world};

const WITHIN: Duration = Duration::from_secs(60);
/// What is meant to be told, so that it is seen that the search finds what there is.
const MARKER: &str = "marker-endpoint-51c7";

/// What a collector gets, as it comes.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<(Vec<u8>, String)>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let request = request.into_inner();
        let mut heard = self.0.lock().unwrap();
        heard.0.extend(prost::Message::encode_to_vec(&request));
        heard.1.push_str(&format!("{request:?}"));
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

struct Stage {
    scratch: Scratch,
    prefix: String,
    otlp: String,
    search: Search,
}

impl Stage {
    /// A file with a secret that is searched for.
    fn plant(&mut self, name: &'static str, secret: &str) -> String {
        self.search.planted.push(Planted::new(name, secret));
        self.write(name, secret)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.scratch.path().join(name.replace(' ', "-"));
        fs::write(&path, format!("{text}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).unwrap();
        path.display().to_string()
    }

    fn launch(&self, name: &str, kafka: Vec<(String, String)>) -> Launch {
        with(Launch::new(name), kafka)
            .env("WEIR__BUS__TOPIC_PREFIX", &self.prefix)
            .env("WEIR__TELEMETRY__LOG", "trace")
            .env("WEIR__TELEMETRY__OTLP_ENDPOINT", &self.otlp)
            .env("WEIR__TELEMETRY__SAMPLE_RATIO", "1.0")
            .env("WEIR__TELEMETRY__EXPORT_INTERVAL_MS", "100")
    }

    /// Runs a program to its end and hears what it prints; whether it succeeded.
    fn run(&mut self, what: &str, name: &str, arguments: &[&str], environment: &[(String, String)]) -> bool {
        let mut command = Command::new(program(name).unwrap());
        command.args(arguments).envs(environment.iter().cloned()).current_dir(self.scratch.path());
        let output = command.output().unwrap();
        self.search.hear(format!("{what}: output"), output.stdout);
        self.search.hear(format!("{what}: errors"), output.stderr);
        output.status.success()
    }

    /// Everything that an admin server answers.
    fn hear_pages(&mut self, name: &str, process: &Process) {
        for path in ["/", "/checks", "/livez", "/readyz", "/health", "/metrics", "/nothing"] {
            let (_, text) = get(process.admin(), path).unwrap();
            self.search.hear(format!("{name} {path}"), text);
        }
    }
}

/// The settings of the claims in a Redis that asks for a password.
fn claims(redis: &Redis, file: &str) -> Vec<(String, String)> {
    let settings = [("STORE", "redis".to_owned()), ("URL", redis.url()), ("PASSWORD_FILE", file.to_owned())];
    settings.map(|(name, value)| (format!("WEIR__BUS__CLAIMS__{name}"), value)).to_vec()
}

fn delivery(secret: &str, number: u32) -> Vec<u8> {
    let body = format!(
        r#"{{"action":"created","repository":{{"id":{number},"full_name":"acme/weir"}},"sender":{{"id":2,"login":"ada"}}}}"#
    );
    format!(
        "POST /webhooks/{MARKER} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-github-event: star\r\n\
         x-github-delivery: 72d3162e-cc78-11e3-81ab-{number:012}\r\nx-hub-signature-256: {}\r\n\
         content-length: {}\r\n\r\n{body}",
        signature(secret, body.as_bytes()),
        body.len()
    )
    .into_bytes()
}

fn handshake(token: &str) -> Vec<u8> {
    format!(
        "GET /webhooks/{MARKER}-meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token} HTTP/1.1\r\n\
         host: localhost\r\nconnection: close\r\n\r\n"
    )
    .into_bytes()
}

async fn collector(tasks: &mut JoinSet<()>) -> (Collector, String) {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = TraceServiceServer::new(collector.clone());
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tasks.spawn(async move {
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    });
    (collector, address)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story: plant, drive, listen, search")]
async fn no_secret_is_told_anywhere() {
    let mut tasks = JoinSet::new();
    let (collector, otlp) = collector(&mut tasks).await;
    let (world, prefix) = (world(), prefix("planted"));
    world.open(&prefix).await;
    let scratch = Scratch::new("planted").unwrap();
    let mut stage = Stage { scratch, prefix, otlp, search: Search::default() };

    // Planted.
    for service in ["weir-streaming", "weir-processing", "weir-enricher", "weir-loader"] {
        stage.search.planted.push(Planted::new("password of Kafka", password(service)));
    }
    let endpoint = "planted-endpoint-secret-8f21";
    let endpoint_file = stage.plant("secret of an endpoint", endpoint);
    let rotated_file = stage.plant("second secret of an endpoint", "planted-rotated-secret-77aa");
    let token = "planted-verify-token-19d3";
    let token_file = stage.plant("verify token", token);
    let inline = "planted-inline-secret-c4b0";
    stage.search.planted.push(Planted::new("secret in a file of settings", inline));
    let redis_password = "planted-redis-password-f00d";
    let redis_file = stage.plant("password of Redis", redis_password);
    let wrong_redis_file = stage.plant("wrong password of Redis", "planted-wrong-redis-password-3");
    let postgres_file = stage.plant("password of PostgreSQL", "planted-postgres-password-6e6f");
    let in_url = "planted-password-in-a-url-0b5e";
    stage.search.planted.push(Planted::new("password in a URL", in_url));
    let s3_file = stage.plant("secret of S3", "planted-s3-secret-access-key-2c1d");
    let sealing = "5ea1ed5ea1ed5ea1ed5ea1ed5ea1ed5ea1ed5ea1ed5ea1ed5ea1ed5ea1ed0123";
    let sealing_file = stage.plant("sealing key, as text", sealing);
    stage.search.planted.push(Planted::new("sealing key", hex::decode(sealing).unwrap()));
    let tls = world.authority.issue("weir-streaming", &["DNS:localhost", "IP:127.0.0.1"]).unwrap();
    let key = PrivateKeyDer::from_pem_file(&tls.key).unwrap();
    // Of the private part: what stands around it is in the certificate too.
    stage.search.planted.push(Planted::new("private key", &key.secret_der()[36..68]));

    let redis = Redis::start(redis::Options::default()).unwrap();
    assert_eq!(redis.ask(&format!("CONFIG SET requirepass {redis_password}")).unwrap(), "+OK");
    let certificate = world.authority.issue("postgres", &["IP:127.0.0.1"]).unwrap();
    let postgres = Postgres::start_with_tls(&certificate).unwrap();
    let plain = postgres.database().unwrap();
    let database = format!("{plain}?sslmode=verify-full&sslrootcert={}", world.authority.root.display());
    let sealed = |launch: Launch| launch.env("WEIR__SECRETS__KEY_FILE", &sealing_file);
    let dead = weir_tests::ports::free().unwrap();
    let in_s3 = |launch: Launch| {
        [
            ("ROOT", "s3://bucket/lake"),
            ("S3_ENDPOINT", &format!("http://127.0.0.1:{dead}")),
            ("S3_ALLOW_HTTP", "true"),
            ("S3_PATH_STYLE", "true"),
            ("S3_ACCESS_KEY_ID", "AKIAPLANTED"),
            ("S3_SECRET_ACCESS_KEY_FILE", &s3_file),
            ("S3_RETRY_TIMEOUT_MS", "1000"),
            ("S3_REQUEST_TIMEOUT_MS", "1000"),
        ]
        .into_iter()
        .fold(launch, |launch, (name, value)| launch.env(&format!("WEIR__LAKE__{name}"), value))
    };
    let own_claims = claims(&redis, &redis_file);

    // Driven.
    let settings_file = PathBuf::from(stage.write(
        "weir.toml",
        &format!(
            "[[streaming.endpoints]]\nname = \"{MARKER}-inline\"\nsource = \"github\"\ntenant = \"acme\"\nsecrets = [\"{inline}\"]"
        ),
    ));
    let settings_file = settings_file.to_str().unwrap();
    let streaming = sealed(stage.launch("weir-streaming", world.by_password("weir-streaming")))
        .arg("--config")
        .arg(settings_file)
        .listen(DOOR)
        .env("WEIR__STREAMING__TLS__CERTIFICATE_FILE", tls.certificate.display().to_string())
        .env("WEIR__STREAMING__TLS__KEY_FILE", tls.key.display().to_string())
        .start()
        .unwrap();
    let processing =
        sealed(with(stage.launch("weir-processing", world.by_password("weir-processing")), own_claims.clone()))
            .env("WEIR__REGISTRATIONS__DATABASE", &database)
            .env("WEIR__REGISTRATIONS__PASSWORD_FILE", &postgres_file)
            .start()
            .unwrap();
    let enricher = in_s3(with(stage.launch("weir-enricher", world.by_password("weir-enricher")), own_claims))
        .env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500")
        .env("WEIR__ENRICHER__PROCESSING_URL", format!("http://{}", processing.grpc()))
        .start()
        .unwrap();
    let loader = in_s3(stage.launch("weir-loader", world.by_password("weir-loader"))).start().unwrap();
    // Nobody lets these in.
    let refused =
        with(stage.launch("weir-enricher", world.by_password("weir-enricher")), claims(&redis, &wrong_redis_file));
    let refused = in_s3(refused).env("WEIR__ENRICHER__GROUP", "weir-enricher").start().unwrap();
    for process in [&streaming, &processing] {
        process.ready(WITHIN).unwrap();
    }

    let connections = "select ssl, count(*) from pg_stat_ssl join pg_stat_activity using (pid) \
                       where application_name <> 'psql' and backend_type = 'client backend' group by ssl";
    let encrypted = postgres.sql(&plain, connections).unwrap();
    assert!(encrypted.starts_with("t|") && !encrypted.contains("f|"), "not over TLS: {encrypted}");

    let grpc = format!("http://{}", processing.grpc());
    let register = ["register", "endpoint", MARKER, "--source", "github", "--tenant", "acme", "--grpc", &grpc];
    let secret = ["--secret-file", endpoint_file.as_str()];
    assert!(stage.run("register", "weir", &[&register[..], &secret].concat(), &[]));
    assert!(!stage.run("register again", "weir", &[&register[..], &secret].concat(), &[]));
    let meta = format!("{MARKER}-meta");
    let register = ["register", "endpoint", &meta, "--source", "meta", "--tenant", "acme", "--grpc", &grpc];
    let both = ["--secret-file", rotated_file.as_str(), "--verify-token-file", token_file.as_str()];
    assert!(stage.run("register meta", "weir", &[&register[..], &both].concat(), &[]));
    let id = format!("endpoint/{MARKER}");
    assert!(stage.run("get", "weir", &["register", "get", &id, "--grpc", &grpc], &[]));
    assert!(stage.run("list", "weir", &["register", "list", "--json", "--grpc", &grpc], &[]));

    let at = streaming.address(DOOR).parse().unwrap();
    let trusting = client(&world.authority.root, None, &[&version::TLS13]);
    for (what, bytes, expected) in [
        ("delivery", delivery(endpoint, 1), "200"),
        ("delivery with a wrong signature", delivery("somebody-elses-secret", 2), "401"),
        ("handshake", handshake(token), "200"),
        ("handshake with a wrong token", handshake("somebody-elses-token"), "403"),
    ] {
        let answer = request(trusting.clone(), at, &bytes).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{what}: {answer}");
        stage.search.hear(what, answer);
    }
    let rotate = ["register", "rotate", MARKER, "--secret-file", &rotated_file, "--grpc", &grpc];
    stage.run("rotate", "weir", &rotate, &[]);

    // Until each has told what it is driven to.
    let says = |process: &Process, check: &str| {
        let text = process.get("/health").unwrap().1;
        let health: serde_json::Value = serde_json::from_str(&text).unwrap();
        let found = health["checks"].as_array().unwrap().iter().find(|one| one["name"] == check).cloned();
        found.is_some_and(|one| one["state"] == "failing")
    };
    for (process, check) in [(&enricher, "enricher_lake"), (&loader, "loader_lake")] {
        wait::until(check, WITHIN, || Ok(says(process, check).then_some(())))
            .unwrap_or_else(|error| panic!("{error}: {}", process.get("/health").unwrap().1));
    }
    let waits = "the claims' store is unavailable";
    wait::until(waits, WITHIN, || Ok(refused.logged()?.contains(waits).then_some(()))).unwrap();
    // The delivery's come with an export after it.
    let spans = wait::until("spans", WITHIN, || {
        let heard = collector.0.lock().unwrap().clone();
        Ok((heard.1.contains("processing") && heard.1.contains(MARKER)).then_some(heard))
    });

    // Heard.
    let (encoded, shown) = spans.unwrap();
    stage.search.hear("spans, encoded", encoded);
    stage.search.hear("spans", shown);
    let named = [
        ("streaming", &streaming),
        ("processing", &processing),
        ("enricher", &enricher),
        ("loader", &loader),
        ("enricher that is refused", &refused),
    ];
    for (name, process) in named {
        stage.hear_pages(name, process);
        let channel = weir_tests::connect::grpc(&format!("http://{}", process.grpc())).await.unwrap();
        let mut client = common::health::v1::health_service_client::HealthServiceClient::new(channel);
        let digest = client.get_digest(common::health::v1::GetDigestRequest {}).await.unwrap();
        stage.search.hear(format!("{name} digest"), format!("{digest:?}"));
    }
    let own = world.by_password("weir-processing");
    let own: Vec<_> = own.into_iter().chain([("WEIR__BUS__TOPIC_PREFIX".to_owned(), stage.prefix.clone())]).collect();
    for topic in ["registrations", "raw.github", "dead-letters"] {
        assert!(stage.run(topic, "weir", &["tail", topic, "--from", "beginning", "--json"], &own), "{topic}");
    }
    let sealing = ("WEIR__SECRETS__KEY_FILE".to_owned(), sealing_file.clone());
    hear_settings(&mut stage, &[own, vec![sealing]].concat(), in_url, inline);
    for (name, process) in named {
        process.stop(WITHIN).unwrap();
        stage.search.hear(format!("{name} log"), process.logged().unwrap());
    }

    // Searched.
    let marker = Planted::new("marker", MARKER);
    let places = stage.search.places(&marker);
    for expected in
        ["streaming log", "processing log", "registrations: output", "list: output", "spans", "streaming /metrics"]
    {
        assert!(places.contains(&expected), "the search does not find the marker in {expected}: {places:?}");
    }
    let told = stage.search.told();
    let bytes: usize = stage.search.heard.iter().map(|(_, text)| text.len()).sum();
    println!("{} secrets in {} outputs, {bytes} bytes", stage.search.planted.len(), stage.search.heard.len());
    assert!(told.is_empty(), "{told:#?}");
}

/// What settings say of themselves: printed, checked, and wrong in every way that quotes something.
fn hear_settings(stage: &mut Stage, kafka: &[(String, String)], in_url: &str, inline: &str) {
    let variable = |name: &str, value: String| (name.to_owned(), value);
    let with_url = |name: &str, scheme: &str| variable(name, format!("{scheme}://weir:{in_url}@127.0.0.1:1/x"));
    let claims_url = with_url("WEIR__BUS__CLAIMS__URL", "redis");
    let claims_in_redis = variable("WEIR__BUS__CLAIMS__STORE", "redis".to_owned());
    let database = with_url("WEIR__REGISTRATIONS__DATABASE", "postgres");
    let wrong = variable("WEIR__BUS__PARTITIONS", "many".to_owned());
    for service in ["weir-streaming", "weir-processing", "weir-enricher", "weir-loader"] {
        let environment = [kafka, &[claims_url.clone(), claims_in_redis.clone()]].concat();
        assert!(stage.run(&format!("{service} settings"), service, &["--print-config"], &environment));
        let environment = [environment, vec![wrong.clone()]].concat();
        assert!(!stage.run(&format!("{service} wrong settings"), service, &["--check-config"], &environment));
    }
    let environment = [kafka, &[database]].concat();
    assert!(!stage.run("a password in the database's URL", "weir-processing", &["--check-config"], &environment));
    stage.run("a password in the database's URL, printed", "weir-processing", &["--print-config"], &environment);
    let endpoint = |secrets: &str| {
        format!("[[streaming.endpoints]]\nname = \"x\"\nsource = \"github\"\ntenant = \"acme\"\n{secrets}\n")
    };
    for (number, secrets) in [
        format!("secrets = [\"{inline}\"]"),
        format!("secrets = \"{inline}\""),
        format!("secrets = [\"{inline}\""),
        format!("secrets = [{{ fille = \"{inline}\" }}]"),
        format!("secrets = [\"a\"]\nverify_token = [\"{inline}\"]"),
        format!("secret = \"{inline}\""),
    ]
    .iter()
    .enumerate()
    {
        let file = stage.write(&format!("wrong-{number}.toml"), &endpoint(secrets));
        for flag in ["--check-config", "--print-config"] {
            let what = format!("settings {number} {flag}");
            let is_right = stage.run(&what, "weir-streaming", &["--config", &file, flag], &[]);
            assert_eq!(is_right, number == 0, "{what}");
        }
    }
}
