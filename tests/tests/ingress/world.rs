//! What stands around the pods: Kafka, Redis, PostgreSQL, the proxy, and a certificate for its hosts.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bus::Start;
use common::catalogue::{Answer, Description, Need};
use common::raw::v1::Delivery;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_yaml_ng::Value;
use service::tls::{ClientTlsSettings, Dial};
use service::{CallLimits, Channel};
use weir::catalogue::descriptions;
use weir_tests::certificates::Authority;
use weir_tests::github;
use weir_tests::installation::{DOOR, Installation};
use weir_tests::process::Launch;
use weir_tests::{postgres, redis};

use crate::pods::Pods;
use crate::proxy::{Backend, Proxy, rules};
use crate::render;

pub(crate) const GRPC: &str = "WEIR__GRPC__LISTEN";
pub(crate) const ADMIN: &str = "WEIR__ADMIN__LISTEN";
const OVERLAY: &str = "review";
const SECRET: &str = "correct horse";
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Http = Client<HttpConnector, Full<bytes::Bytes>>;

/// One installation.
pub(crate) struct World {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) authority: Authority,
    installation: Installation,
}

impl World {
    pub(crate) fn start(name: &str) -> Self {
        let authority = Authority::new("ingress").unwrap();
        let rules = rules(manifests());
        let mut names: Vec<_> = rules.iter().map(|rule| format!("DNS:{}", rule.host)).collect();
        names.sort_unstable();
        names.dedup();
        let certificate = authority.issue("ingress", &names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        let proxy = Arc::new(Proxy::start(rules, &certificate).unwrap());
        let installation = Installation::on_kafka(name)
            .unwrap()
            .with("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000")
            .with("WEIR__BUS__CLAIMS__STORE", "redis")
            .with("WEIR__BUS__CLAIMS__URL", redis::shared().unwrap().url());
        let needs = descriptions().flat_map(|service| service.runs.needs);
        let installation = needs.fold(installation, |installation, need| match need {
            Need::Database(section) => installation.with(
                &format!("WEIR__{}__DATABASE", section.to_uppercase()),
                postgres::shared().unwrap().database().unwrap(),
            ),
            _ => installation,
        });
        Self { proxy, authority, installation }
    }

    /// So many doors behind the public host.
    pub(crate) async fn doors(&self, count: usize) -> Pods {
        let launch = self.installation.launch("streaming").unwrap();
        self.pods(count, launch, "streaming", &[("streaming", "http", DOOR)]).await
    }

    /// So many behind the host of gRPC.
    pub(crate) async fn processings(&self, count: usize) -> Pods {
        let launch = self.installation.launch("processing").unwrap();
        self.pods(count, launch, "processing", &[("processing", "grpc", GRPC)]).await
    }

    /// Behind the hosts of the status page and of gRPC.
    pub(crate) async fn health_check(&self, processings: &Pods) -> Pods {
        let at: Vec<_> = processings.running().map(|process| format!("\"http://{}\"", process.grpc())).collect();
        let config = self.installation.folder().join("health-check.toml");
        let service = format!(
            "[[health_check.services]]\nname = \"processing\"\naddresses = [{}]\nexpected = {}\n",
            at.join(", "),
            at.len()
        );
        std::fs::write(&config, service).unwrap();
        let launch = self.installation.launch("health-check").unwrap();
        let launch = launch.arg("--config").arg(config.display().to_string());
        let ports = [("health-check", "admin", ADMIN), ("health-check-grpc", "grpc", GRPC)];
        self.pods(1, launch, "health-check", &ports).await
    }

    /// One of each other service that answers gRPC.
    pub(crate) async fn others(&self) -> Vec<Pods> {
        let is_other = |service: &Description| {
            let answers = service.runs.answers.iter().any(|answer| matches!(answer, Answer::Grpc(_)));
            answers && !["processing", "health-check"].contains(&service.name)
        };
        let mut others = Vec::new();
        for Description { name, .. } in descriptions().filter(is_other) {
            let launch = self.installation.launch(name).unwrap();
            others.push(self.pods(1, launch, name, &[(name, "grpc", GRPC)]).await);
        }
        others
    }

    async fn pods(&self, count: usize, launch: Launch, deployment: &str, ports: &[(&str, &str, &'static str)]) -> Pods {
        let backends = self.proxy.rules.iter().map(|rule| &rule.backend);
        let find = |service: &str, port: &str| {
            let mut backends = backends.clone();
            backends
                .find(|one| one.service == service && one.port == port)
                .cloned()
                .unwrap_or_else(|| panic!("{service}"))
        };
        let backends: Vec<(Backend, _)> =
            ports.iter().map(|(service, port, listener)| (find(service, port), *listener)).collect();
        let manifest = manifests()
            .iter()
            .find(|one| one["kind"] == "Deployment" && one["metadata"]["name"] == deployment)
            .unwrap_or_else(|| panic!("no Deployment {deployment}"));
        Pods::start(count, launch, &self.proxy, backends, manifest).await
    }

    pub(crate) fn host(&self, service: &str) -> &str {
        let rule = self.proxy.rules.iter().find(|rule| rule.backend.service == service);
        &rule.unwrap_or_else(|| panic!("no Ingress leads to {service}")).host
    }

    /// gRPC through the proxy, over one connection with TLS.
    pub(crate) fn grpc(&self) -> Channel {
        let settings = ClientTlsSettings { ca_file: self.authority.root.clone(), ..ClientTlsSettings::default() };
        let to = format!("https://{}", self.host("processing")).parse().unwrap();
        let limits = CallLimits { connect: PATIENCE, call: Some(PATIENCE) };
        Dial::new("grpc.client", &settings).connect_lazy_at(to, self.proxy.tls, limits)
    }

    /// An endpoint of GitHub's, registered through the proxy.
    pub(crate) async fn register(&self) {
        let request = github::registration("mine", "github", "me", SECRET);
        RegistrationServiceClient::new(self.grpc()).register(request).await.unwrap();
    }

    /// The numbers of the deliveries that are on the log.
    pub(crate) async fn on_the_log(&self) -> Vec<u64> {
        let bus = self.installation.bus().unwrap();
        let mut reader = bus.reader(&["raw.github".to_owned()], Start::Beginning).await.unwrap();
        let mut numbers = Vec::new();
        while let Some(stored) = reader.next_until_end().await.unwrap() {
            let delivery: Delivery = stored.decode().unwrap();
            let body: serde_json::Value = serde_json::from_slice(&delivery.body).unwrap();
            numbers.push(body["hook_id"].as_u64().unwrap());
        }
        numbers
    }
}

pub(crate) fn manifests() -> &'static [Value] {
    static RENDERED: OnceLock<Vec<Value>> = OnceLock::new();
    RENDERED.get_or_init(|| render::overlay(OVERLAY))
}

/// A client that keeps its connections, as senders do.
pub(crate) fn http() -> Http {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A delivery as GitHub sends it, by the public host.
pub(crate) fn delivery(to: SocketAddr, host: &str, number: u64) -> http::Request<Full<bytes::Bytes>> {
    let body = format!(r#"{{"zen":"Design for failure.","hook_id":{number}}}"#).into();
    let delivery = github::Delivery { endpoint: "mine", secret: SECRET, event: "ping", number, body };
    let mut request = delivery.to(&to.to_string());
    request.headers_mut().insert(http::header::HOST, host.parse().unwrap());
    request
}
