//! One trace from the webhook to the typed event, received as OTLP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Bus, Start};
use bytes::Bytes;
use common::registration::v1::registration::Kind;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use common::registration::v1::{Endpoint, PlainSecret, RegisterRequest, Registration};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use weir_tests::process::Launch;
use weir_tests::{kafka, scratch::Scratch};

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const WITHIN: Duration = Duration::from_secs(60);

/// Spans as a collector gets them, each with the service that sent it.
#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<(String, Span)>>>,
    arrived: Arc<tokio::sync::Notify>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            let name = attributes.into_iter().find(|attribute| attribute.key == "service.name");
            let name = match name.and_then(|attribute| attribute.value?.value) {
                Some(Value::StringValue(name)) => name,
                other => panic!("a resource without service.name: {other:?}"),
            };
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().unwrap().extend(spans.map(|span| (name.clone(), span)));
        }
        self.arrived.notify_waiters();
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// The spans of a trace, once every one of `services` has sent some.
    async fn trace(&self, id: &str, services: &[&str]) -> Vec<(String, Span)> {
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                let spans = self.spans.lock().unwrap().clone();
                let of_trace: Vec<_> =
                    spans.into_iter().filter(|(_, span)| hex::encode(&span.trace_id) == id).collect();
                let from: BTreeSet<_> = of_trace.iter().map(|(service, _)| service.as_str()).collect();
                if services.iter().all(|service| from.contains(service)) {
                    return of_trace;
                }
                // A notification between the look and the wait is made up for by the next export, or by this limit.
                let _ = tokio::time::timeout(Duration::from_millis(500), arrived).await;
            }
        };
        tokio::time::timeout(WITHIN, wait).await.unwrap_or_else(|_| {
            let all = self.spans.lock().unwrap();
            let seen: Vec<_> =
                all.iter().map(|(service, span)| (service, &span.name, hex::encode(&span.trace_id))).collect();
            panic!("trace {id} is not complete; seen: {seen:?}")
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_webhook_to_the_typed_event() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let otlp = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(collector.clone()))
        .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(server);

    let broker = kafka::shared().unwrap();
    let prefix = kafka::prefix("tracing");
    let scratch = Scratch::new("tracing").unwrap();
    let key_file = scratch.path().join("sealing-key");
    service::seal::SealingKey::create_file(&key_file).unwrap();
    let launch = |program: &str| {
        Launch::new(program)
            .env("WEIR__BUS__KAFKA__BROKERS", broker.bootstrap())
            .env("WEIR__BUS__TOPIC_PREFIX", &prefix)
            .env("WEIR__BUS__CREATE_TOPICS", "true")
            .env("WEIR__SECRETS__KEY_FILE", key_file.to_str().unwrap())
            .env("WEIR__TELEMETRY__OTLP_ENDPOINT", &otlp)
            .env("WEIR__TELEMETRY__SAMPLE_RATIO", "1.0")
            .env("WEIR__TELEMETRY__EXPORT_INTERVAL_MS", "100")
    };
    let database = format!("sqlite://{}", scratch.path().join("registrations.db").display());
    let processing = launch("weir-processing").env("WEIR__REGISTRATIONS__DATABASE", database).start().unwrap();
    let streaming = launch("weir-streaming").listen(DOOR).start().unwrap();
    processing.ready(WITHIN).unwrap();
    streaming.ready(WITHIN).unwrap();

    let mut registrar = RegistrationServiceClient::new(
        weir_tests::connect::grpc(&format!("http://{}", processing.grpc())).await.unwrap(),
    );
    let endpoint = Endpoint { name: "repo".into(), source: "github".into(), ..Endpoint::default() };
    let request = RegisterRequest {
        registration: Some(Registration {
            tenant: "acme".into(),
            kind: Some(Kind::Endpoint(endpoint)),
            ..Registration::default()
        }),
        secrets: vec![PlainSecret { value: "secret".into(), expires_at: None }],
        ..RegisterRequest::default()
    };
    registrar.register(request).await.unwrap();

    let body = br#"{"action":"created","starred_at":"2026-01-02T03:04:05Z","repository":{"id":1,"full_name":"acme/weir"},"sender":{"id":2,"login":"ada"}}"#;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(body);
    let request = http::Request::post(format!("http://{}/webhooks/repo", streaming.address(DOOR)))
        .header("content-type", "application/json")
        .header("x-hub-signature-256", format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
        .header("x-github-event", "star")
        .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        .body(Full::new(Bytes::from_static(body)))
        .unwrap();
    assert_eq!(Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap().status(), 200);

    let environment = [("WEIR__BUS__KAFKA__BROKERS", broker.bootstrap()), ("WEIR__BUS__TOPIC_PREFIX", &prefix)];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, environment).unwrap();
    let bus = Bus::open(&settings.bus).unwrap();
    let mut trace_ids = Vec::new();
    for topic in ["raw.github", "events.github.star", "activities"] {
        let mut reader = bus.reader(&[topic.to_owned()], Start::Beginning).await.unwrap();
        let stored = tokio::time::timeout(WITHIN, reader.next()).await.unwrap().unwrap();
        let traceparent = stored.headers.traceparent.unwrap_or_else(|| panic!("{topic} has no traceparent"));
        trace_ids.push(traceparent.split('-').nth(1).unwrap().to_owned());
    }
    assert!(
        trace_ids.iter().all(|id| *id == trace_ids[0]),
        "the records of one delivery are of one trace: {trace_ids:?}"
    );

    let spans = collector.trace(&trace_ids[0], &["streaming", "processing"]).await;
    let ids: BTreeSet<_> = spans.iter().map(|(_, span)| span.span_id.clone()).collect();
    let roots: Vec<_> = spans.iter().filter(|(_, span)| span.parent_span_id.is_empty()).collect();
    assert_eq!(roots.len(), 1, "one root: {spans:#?}");
    assert_eq!(roots[0].0, "streaming", "the trace begins at the door");
    for (service, span) in &spans {
        assert!(
            span.parent_span_id.is_empty() || ids.contains(&span.parent_span_id),
            "{service} {}: its parent is not in the trace",
            span.name
        );
    }
    let text = format!("{spans:?}");
    assert!(!text.contains("secret"), "a secret is in the trace");
}
