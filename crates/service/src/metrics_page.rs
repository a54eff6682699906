//! The metrics of the process, as Prometheus reads them.

mod families;

pub use families::{Family, MetricKind};

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Health;

/// From a millisecond to an hour: an answer at the door as well as an event that waited for a broker.
const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
const BYTES: &[f64] = &[256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];
const RECORDS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0];

/// There is one recorder in a process, whatever the number of hosts in it.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder, if there is none. None where another one was installed.
pub(crate) fn install() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let buckets = |builder: PrometheusBuilder, suffix: &str, values: &[f64]| {
                builder.set_buckets_for_metric(Matcher::Suffix(suffix.to_owned()), values)
            };
            let builder = buckets(PrometheusBuilder::new(), "_seconds", SECONDS)
                .and_then(|builder| buckets(builder, "_bytes", BYTES))
                .and_then(|builder| buckets(builder, "_records", RECORDS));
            let recorder = match builder {
                Ok(builder) => builder.build_recorder(),
                Err(error) => {
                    tracing::error!(%error, "histogram buckets cannot be set, histograms have none");
                    PrometheusBuilder::new().build_recorder()
                }
            };
            let handle = recorder.handle();
            match metrics::set_global_recorder(recorder) {
                Ok(()) => Some(handle),
                Err(error) => {
                    tracing::warn!(%error, "another metrics recorder is installed already, /metrics is empty");
                    None
                }
            }
        })
        .as_ref()
}

/// The page: what was counted, and what is known at this moment.
pub(crate) fn render(health: &Health) -> String {
    let mut page = install().map(PrometheusHandle::render).unwrap_or_default();
    families::write(&mut page, health);
    page
}

/// Says what the metrics of this crate are.
pub(crate) fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_gauge!(
        "weir_certificate_expires_seconds",
        "When a certificate of this process expires, in seconds since 1970, by the setting that names its file."
    );
    describe_counter!("weir_grpc_refused_total", "Calls of gRPC by clients that are not allowed to make them.");
    describe_gauge!("weir_http_connections", "Open connections of an HTTP server.");
    describe_counter!(
        "weir_http_cut_off_total",
        "Connections that were ended because the client was too slow, by reason."
    );
    describe_counter!("weir_http_panics_total", "Connections that were ended because a handler panicked.");
    describe_counter!("weir_http_unserved_total", "Connections that ended without a request, by reason.");
    describe_counter!(
        "weir_log_lines_dropped_total",
        "Log lines that were dropped because standard error was not read."
    );
    describe_counter!("weir_tls_handshakes_failed_total", "TLS handshakes that failed, by reason.");
    describe_counter!("weir_tls_reload_failures_total", "Times that a changed certificate could not be read.");
    // Of all stages: each counts its own.
    describe_histogram!("weir_canary_seconds", "From sending a canary at the door to its passing a stage.");
    describe_counter!("weir_dropped_total", "Records that a stage took in and did not write, by reason.");
    describe_counter!(
        "weir_errors_total",
        "Errors of a stage, by kind: logged, panic, refused (a delivery answered with 503), dead_letter."
    );
    describe_histogram!(
        "weir_stage_work_seconds",
        "From taking something in until the next stage has it, or it is a dead letter or dropped. Of the loader by request."
    );
    describe_counter!("weir_records_in_total", "Records that a stage took in.");
    describe_counter!("weir_records_out_total", "Records that a stage wrote.");
    // There before the first is lost.
    metrics::counter!("weir_log_lines_dropped_total").increment(0);
}
