//! One trace from the webhook to the typed event, received as OTLP; and one that goes on where nobody exports it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::Start;
use bytes::Bytes;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use weir_tests::github::{self, Delivery, registration};
use weir_tests::installation::{DOOR, Installation};
use weir_tests::process::Process;

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

/// These services, ready; the first is processing, with an endpoint registered.
async fn start(installation: &Installation, names: &[&str]) -> Vec<Process> {
    let services: Vec<Process> = names.iter().map(|name| installation.launch(name).unwrap().start().unwrap()).collect();
    services.iter().for_each(|service| service.ready(WITHIN).unwrap());
    let grpc = weir_tests::connect::grpc(&format!("http://{}", services[0].grpc())).await.unwrap();
    let mut registrar = RegistrationServiceClient::new(grpc);
    registrar.register(registration("repo", "github", "acme", "secret")).await.unwrap();
    services
}

fn star() -> Delivery<'static> {
    let body = br#"{"action":"created","starred_at":"2026-01-02T03:04:05Z","repository":{"id":1,"full_name":"acme/weir"},"sender":{"id":2,"login":"ada"}}"#;
    Delivery { endpoint: "repo", secret: "secret", event: "star", number: 1, body: Bytes::from_static(body) }
}

/// That of the first record of each topic.
async fn traceparents(installation: &Installation, topics: &[&str]) -> Vec<String> {
    let bus = installation.bus().unwrap();
    let mut found = Vec::new();
    for topic in topics {
        let mut reader = bus.reader(&[(*topic).to_owned()], Start::Beginning).await.unwrap();
        let stored = tokio::time::timeout(WITHIN, reader.next()).await.unwrap().unwrap();
        found.push(stored.headers.traceparent.unwrap_or_else(|| panic!("{topic} has no traceparent")));
    }
    found
}

/// No service exports traces: whoever sent the delivery may.
#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_a_trusted_sender_goes_on_where_none_is_exported() {
    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let installation = Installation::on_kafka("sent-trace").unwrap().with("WEIR__STREAMING__TRUST_TRACEPARENT", "true");
    let services = start(&installation, &["processing", "streaming", "enricher"]).await;
    let mut delivery = star().to(services[1].address(DOOR));
    delivery.headers_mut().insert("traceparent", SENT.parse().unwrap());
    assert_eq!(github::send(delivery).await.unwrap().status(), 200);
    let topics = ["raw.github", "events.github.star", "activities", "activities.enriched"];
    assert_eq!(traceparents(&installation, &topics).await, [SENT; 4]);
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

    let installation = Installation::on_kafka("tracing")
        .unwrap()
        .with("WEIR__TELEMETRY__OTLP_ENDPOINT", otlp)
        .with("WEIR__TELEMETRY__SAMPLE_RATIO", "1.0")
        .with("WEIR__TELEMETRY__EXPORT_INTERVAL_MS", "100");
    let services = start(&installation, &["processing", "streaming"]).await;
    assert_eq!(github::send(star().to(services[1].address(DOOR))).await.unwrap().status(), 200);

    let traceparents = traceparents(&installation, &["raw.github", "events.github.star", "activities"]).await;
    let trace_ids: Vec<_> = traceparents.iter().map(|text| text.split('-').nth(1).unwrap().to_owned()).collect();
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
