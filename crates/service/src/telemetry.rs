//! Logs and traces.

mod errors;
mod json;
mod lines;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::lifecycle::panic_message;
use crate::telemetry::lines::Rest;
use crate::{LogFormat, TelemetrySettings};

/// For one request to the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// For log lines that are not written yet at the end. Who reads them gets them in a moment; who does not, never.
const LAST_LINES: Duration = Duration::from_secs(1);

/// What has to be flushed at the end. Dropping it waits for the last log lines.
pub(crate) struct Telemetry {
    provider: Option<SdkTracerProvider>,
    lines: Rest,
}

/// Sets up logs, traces where a collector is set, and the log lines of panics. Must be called within a tokio runtime.
pub(crate) fn init(service: &'static str, settings: &TelemetrySettings) -> anyhow::Result<Telemetry> {
    let provider = settings.otlp_endpoint.as_deref().map(|to| provider(service, settings, to)).transpose()?;
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("weir"))
            .with_threads(false)
            .with_location(false)
            .with_target(false)
            // Events stay in the log, with the id of their trace.
            .with_filter(filter_fn(|metadata| metadata.is_span() && *metadata.level() <= LevelFilter::INFO))
    });
    let (logs, lines) = logs(settings)?;
    let errors = errors::Logged::of(service).with_filter(filter_fn(errors::is_error));
    tracing_subscriber::registry()
        .with(traces)
        .with(logs)
        .with(errors)
        .try_init()
        .context("logging is set up already")?;
    log_panics();
    Ok(Telemetry { provider, lines })
}

/// Log lines to standard error. Spans are none of its business: where traces are not exported nobody wants them, and
/// they are disabled where they are made.
fn logs<S>(settings: &TelemetrySettings) -> anyhow::Result<(Box<dyn Layer<S> + Send + Sync>, Rest)>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let levels = EnvFilter::try_new(&settings.log).context("telemetry.log is not a valid log filter")?;
    let filter = levels.and(filter_fn(|metadata| metadata.is_event()));
    let colours = settings.log_format == LogFormat::Text && io::stderr().is_terminal();
    let (lines, rest) = lines::to(io::stderr(), colours);
    // What cannot be formatted would be told on standard error by whoever logs.
    let layer = fmt::layer().log_internal_errors(false).with_ansi(colours).with_writer(lines);
    let layer = match settings.log_format {
        LogFormat::Json => layer.event_format(json::Json).with_filter(filter).boxed(),
        LogFormat::Text => layer.with_filter(filter).boxed(),
    };
    Ok((layer, rest))
}

fn provider(service: &'static str, settings: &TelemetrySettings, endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .with_context(|| format!("cannot send traces to {endpoint} (setting telemetry.otlp_endpoint)"))?;
    let batches =
        BatchConfigBuilder::default().with_scheduled_delay(Duration::from_millis(settings.export_interval_ms)).build();
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.namespace", "weir"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", crate::health::instance()))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
        .with_resource(resource)
        .build())
}

impl Telemetry {
    /// Sends the spans that wait, within the limit. Must be called outside of asynchronous code, with the runtime still
    /// there.
    pub(crate) fn send_spans(&self, limit: Duration) {
        let Some(provider) = &self.provider else { return };
        if let Err(error) = provider.shutdown_with_timeout(limit) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.lines.wait(LAST_LINES);
    }
}

/// A panic is a log line like any other, so that it is found where the others are.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(
            panic = panic_message(info.payload()),
            location,
            thread = thread.name().unwrap_or_default(),
            backtrace,
            "panicked",
        );
    }));
}
