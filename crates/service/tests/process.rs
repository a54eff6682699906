//! A service as a process: flags, exit codes, signals, logs, traces.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what is wrong by panicking")]

use std::io::Read as _;
use std::process::{Command, Stdio};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;

mod support;

use support::{PATIENCE, Running, run, smallest, text};

#[test]
fn bad_settings_have_their_own_code_and_say_everything() {
    let output = run(smallest().env("WEIR__STREAMNG__X", "1").env("WEIR__SMALLEST__EVERY_MS", "often"));
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(
        text(&output.stderr),
        "the settings have 2 problems:\n\
         smallest.every_ms (environment variable WEIR__SMALLEST__EVERY_MS): \"often\" is not what is expected; give a \
         time with its unit, as \"10s\" or \"250ms\", or a whole number of milliseconds\n\
         streamng (environment variable WEIR__STREAMNG__X): there is no such setting; remove it; known at the top level: \
         admin, grpc, telemetry, shutdown, secrets, data, smallest\n"
    );
    assert!(output.stdout.is_empty());

    let output = run(smallest().args(["--config", "/nowhere.toml", "--check-config"]));
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("/nowhere.toml: cannot read the file"), "{output:?}");
    assert_eq!(run(smallest().arg("--verbose")).status.code(), Some(64), "a flag that is not known");
}

#[test]
fn settings_are_checked_and_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "[smallest]\nevery_ms = 5\npassword = \"hunter2\"\n").unwrap();
    let output = run(smallest().arg("--config").arg(&file).arg("--check-config"));
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "ok\n"));

    let output = run(smallest().arg("--print-config").arg("--config").arg(&file));
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(printed.contains("every_ms = 5") && printed.contains("password = \"<hidden>\""), "{printed}");
    assert!(printed.contains("listen = \"127.0.0.1:0\""), "the environment is in it: {printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
    let table: toml::Table = printed.parse().unwrap();
    assert_eq!(table.len(), 7);

    let output = run(smallest().arg("--help"));
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("healthcheck"), "{output:?}");
}

#[test]
fn it_starts_answers_and_ends_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(smallest().env("WEIR__SMALLEST__PASSWORD", "hunter2"));
        let admin = running.address("admin.listen");
        assert!(!admin.ends_with(":0"), "the port that was taken: {admin}");
        running.address("grpc.listen");
        running.wait_for_message("round done");

        let ask =
            |arguments: &[&str]| run(smallest().env("WEIR__ADMIN__LISTEN", &admin).arg("healthcheck").args(arguments));
        let output = ask(&[]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), "alive\n"), "{output:?}");
        assert_eq!(text(&ask(&["--ready"]).stdout), "ready\n");

        running.signal(signal);
        assert_eq!(running.wait_for_message("shutting down")["signal"], format!("SIG{signal}"));
        running.wait_for_message("ended");
        assert_eq!(running.exit_code(), 0);
        let output = ask(&[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("(setting admin.listen) did not answer"), "{output:?}");
    }
}

#[test]
fn a_port_in_use_names_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut running = Running::start(smallest().env("WEIR__ADMIN__LISTEN", &address));
    let error = running.wait_for_message("the service failed")["error"].as_str().unwrap().to_owned();
    assert_eq!(
        error,
        format!(
            "cannot listen on {address} (setting admin.listen): address in use; choose another or port 0 for a free one"
        )
    );
    assert_eq!(running.exit_code(), 1);
}

#[test]
fn what_does_not_end_is_ended() {
    let mut running =
        Running::start(smallest().env("WEIR__SMALLEST__END", "never").env("WEIR__SHUTDOWN__DEADLINE_MS", "300"));
    running.wait_for_message("round done");
    running.signal("TERM");
    assert_eq!(running.exit_code(), 75);

    let mut running = Running::start(smallest().env("WEIR__SMALLEST__END", "never"));
    running.wait_for_message("round done");
    running.signal("TERM");
    running.wait_for_message("shutting down");
    running.signal("TERM");
    assert_eq!(running.exit_code(), 76);
}

#[test]
fn a_panic_is_a_log_line() {
    let mut running = Running::start(smallest().env("WEIR__SMALLEST__END", "with_panic"));
    let line = running.wait_for_message("panicked");
    assert_eq!((&line["level"], &line["panic"]), (&"error".into(), &"this is how it ends".into()));
    assert!(line["location"].as_str().unwrap().contains("smallest.rs:"), "{line}");
    assert_eq!(running.exit_code(), 1);
}

#[test]
fn text_is_for_people() {
    let mut command = smallest();
    command.env("WEIR__TELEMETRY__LOG_FORMAT", "text").env("WEIR__SMALLEST__END", "with_error");
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(log.contains("INFO") && log.contains("round done") && !log.contains("{\""), "{log}");
    assert!(!log.contains('\u{1b}'), "no colours where it is no terminal: {log:?}");
}

#[derive(Clone)]
struct Collector(tokio::sync::mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let _ = self.0.send(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A collector, its endpoint, and what it gets.
async fn collector() -> (
    String,
    tokio::sync::mpsc::UnboundedReceiver<ExportTraceServiceRequest>,
    tokio::task::JoinSet<Result<(), tonic::transport::Error>>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (to_test, received) = tokio::sync::mpsc::unbounded_channel();
    let mut task = tokio::task::JoinSet::new();
    let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Collector(to_test)));
    task.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (endpoint, received, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_sent_while_it_runs() {
    let (endpoint, mut received, _task) = collector().await;
    let mut command = smallest();
    command
        .env("WEIR__TELEMETRY__OTLP_ENDPOINT", endpoint)
        .env("WEIR__TELEMETRY__SAMPLE_RATIO", "1")
        .env("WEIR__TELEMETRY__EXPORT_INTERVAL_MS", "50");
    let running = Running::start(&mut command);
    let line = tokio::task::block_in_place(|| running.wait_for_message("round done"));
    let request = tokio::time::timeout(PATIENCE, received.recv()).await.expect("no span comes").unwrap();

    let of_service = &request.resource_spans[0];
    let attributes = &of_service.resource.as_ref().unwrap().attributes;
    let name = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    let name = name.value.clone().unwrap().value.unwrap();
    assert!(matches!(&name, AnyValue::StringValue(text) if text == "smallest"), "{name:?}");
    let spans: Vec<_> = of_service.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    assert!(spans.iter().all(|span| span.name == "round"), "{spans:?}");

    let trace_id: String = spans[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(line["trace_id"], trace_id, "the log line names the trace");
    assert!(line["traceparent"].as_str().unwrap().starts_with(&format!("00-{trace_id}-")), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_flushed_at_the_end_also_on_an_error() {
    for end in ["with_error", "with_panic"] {
        let (endpoint, mut received, _task) = collector().await;
        let mut command = smallest();
        command
            .env("WEIR__TELEMETRY__OTLP_ENDPOINT", endpoint)
            .env("WEIR__TELEMETRY__SAMPLE_RATIO", "1")
            .env("WEIR__TELEMETRY__EXPORT_INTERVAL_MS", "600000")
            .env("WEIR__SMALLEST__END", end);
        let mut running = Running::start(&mut command);
        assert_eq!(tokio::task::block_in_place(|| running.exit_code()), 1);
        assert!(received.try_recv().is_ok(), "{end}: the span is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let mut command = smallest();
    command.env("WEIR__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:9").env("WEIR__TELEMETRY__SAMPLE_RATIO", "1");
    let mut running = Running::start(&mut command);
    tokio::task::block_in_place(|| {
        running.wait_for_message("round done");
        running.signal("TERM");
        assert_eq!(running.exit_code(), 0);
    });
}

#[test]
fn a_closed_terminal_is_a_shutdown_and_nohup_is_obeyed() {
    let with = |way: &[&str]| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).arg(smallest().get_program());
        command.env("WEIR__ADMIN__LISTEN", "127.0.0.1:0").env("WEIR__GRPC__LISTEN", "127.0.0.1:0");
        Running::start(&mut command)
    };
    // Whoever started the tests may have done so with nohup.
    let mut running = with(&["env", "--default-signal=HUP"]);
    running.wait_for_message("round done");
    running.signal("HUP");
    assert_eq!(running.wait_for_message("shutting down")["signal"], "SIGHUP");
    running.wait_for_message("ended");
    assert_eq!(running.exit_code(), 0);

    let mut running = with(&["env", "--ignore-signal=HUP"]);
    running.wait_for_message("round done");
    running.signal("HUP");
    running.signal("TERM");
    assert_eq!(running.wait_for_message("shutting down")["signal"], "SIGTERM", "that of the terminal was ignored");
    assert_eq!(running.exit_code(), 0);
}
