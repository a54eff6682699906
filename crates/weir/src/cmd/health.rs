//! `weir health`: how the pipeline is.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use common::health::v1::pipeline_service_client::PipelineServiceClient;
use common::health::v1::{ErrorGroup, GetPipelineRequest, Pipeline, State};
use health_check::check::{self, OLDER, exit_code, state};
use health_check::flow::Flow;
use health_check::json::PipelineJson;
use health_check::named::Named;
use service::digest_json::state_name;
use service::tls::Dial;
use service::{CallLimits, Uri};
use tonic::Code;

use crate::out;

/// Nobody knows how the pipeline is.
const UNKNOWN: u8 = 3;
/// Groups of errors that are shown beside all else.
const ERRORS: usize = 5;
/// A pipeline with many endpoints is large: it has the digest of each instance.
const LARGEST: usize = 64 * 1024 * 1024;

/// Show whether the whole pipeline is healthy, and what to do if it is not
///
/// Asks health-check, which is part of `weir up`. For each stage it shows the state, the rates in and out, the lag, and
/// the age of the work; a question mark is what is not known. Exit code: 0 nothing to do, 1 something to look at or for
/// working hours, 2 something to do now, 3 not known.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir health
  weir health --json | jq .hops
  weir health --errors
  weir health --check loader_held
  weir health --check processing/lag
  weir health --grpc http://weir-health-check:9090
  weir health > /dev/null || echo look at it")]
pub struct Health {
    /// Print all of it as JSON
    #[arg(long)]
    json: bool,
    /// Ask for one check or stage only, as a monitor's plugin: one line, with the value behind a bar
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    check: Option<String>,
    /// Print all errors of the window, most first, and nothing else
    #[arg(long, conflicts_with_all = ["json", "check"])]
    errors: bool,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    grpc: super::Grpc,
}

impl Health {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let url = self.grpc.url()?;
        let dial = self.grpc.dial()?;
        let pipeline = match ask(&dial, &url, Duration::from_secs(self.timeout)).await {
            Ok(pipeline) => pipeline,
            Err(problem) => {
                out::complain(&format!("weir: {problem}"));
                return Ok(ExitCode::from(UNKNOWN));
            }
        };
        if let Some(name) = &self.check {
            return Ok(match Named::find(&pipeline, name) {
                Ok(Named { state, line }) => {
                    out::say(&line);
                    ExitCode::from(exit_code(state))
                }
                Err(problem) => {
                    out::say(&format!("UNKNOWN {problem}"));
                    ExitCode::from(UNKNOWN)
                }
            });
        }
        let code = exit_code(state(&pipeline));
        if self.json {
            out::say(&serde_json::to_string_pretty(&PipelineJson::from(pipeline))?);
        } else if self.errors {
            out::say(errors(&pipeline, usize::MAX).trim());
        } else {
            out::say(render(&pipeline).trim_end());
        }
        Ok(ExitCode::from(code))
    }
}

/// The answer, or what to tell whoever asked.
async fn ask(dial: &Dial, url: &str, limit: Duration) -> Result<Pipeline, String> {
    let where_ =
        "give the address of health-check with --grpc URL or the setting grpc.listen; `weir up` starts all of Weir";
    let to: Uri = url.parse().map_err(|_| {
        format!("{url:?} is not a URL: give one such as http://127.0.0.1:9090 (--grpc, or grpc.listen)")
    })?;
    let asked = async {
        // The time limit is one for connecting and asking.
        let connected = dial.connect(to, CallLimits { connect: limit, call: None }).await;
        let channel = connected.map_err(|error| format!("cannot connect to {url} ({}): {where_}", cause(&error)))?;
        let mut client = PipelineServiceClient::new(channel).max_decoding_message_size(LARGEST);
        match client.get_pipeline(GetPipelineRequest {}).await {
            Ok(answer) => answer.into_inner().pipeline.ok_or_else(|| format!("{url} answered without a pipeline")),
            Err(status) if status.code() == Code::Unimplemented => {
                Err(format!("the server at {url} is not health-check: {where_}"))
            }
            Err(status) => Err(format!("{url} did not report the state of the pipeline: {}", status.message())),
        }
    };
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("{url} did not answer within {} s: {where_}", limit.as_secs())),
    }
}

/// The innermost cause says most.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// What people read: the result, the problems, a line for each stage, and who does not answer.
fn render(pipeline: &Pipeline) -> String {
    // One of an older version says no headline.
    let text = match (pipeline.headline.as_str(), pipeline.state()) {
        ("", State::Unknown | State::Unspecified) => "Not known yet".to_owned(),
        ("", told) => format!("Weir is {}, it says; but {OLDER}", state_name(told)),
        (headline, _) => headline.to_owned(),
    };
    let mut text = check::titled(&pipeline.name, &text);
    if let Some(at) = pipeline.at {
        // Writing to a String does not fail.
        let _ = write!(text, " (at {at})");
    }
    text.push_str(".\n");
    if !pipeline.summary.is_empty() {
        let _ = writeln!(text, "{}", pipeline.summary);
    }
    for problem in check::lines(pipeline) {
        let _ = write!(text, "\n  {problem}\n");
    }
    if !pipeline.hops.is_empty() {
        text.push('\n');
        text.push_str(&table(pipeline));
    }
    if !pipeline.errors.is_empty() {
        text.push_str(&errors(pipeline, ERRORS));
    }
    let silent: Vec<_> = pipeline.instances.iter().filter(|instance| !instance.error.is_empty()).collect();
    if !silent.is_empty() {
        text.push_str("\nNo answer:\n");
        for instance in silent {
            let _ = writeln!(text, "  {}  {}", instance.address, instance.error);
        }
    }
    text
}

/// A line for each group of errors, most first, at most so many.
fn errors(pipeline: &Pipeline, most: usize) -> String {
    let minutes = pipeline.errors_window_seconds.div_ceil(60);
    if pipeline.errors.is_empty() {
        return format!("No errors of the last {minutes} min.\n");
    }
    let mut text = format!("\nErrors of the last {minutes} min:\n");
    for group in pipeline.errors.iter().take(most) {
        let ErrorGroup { hop, endpoint, kind, text: said, count, .. } = group;
        let at = if endpoint.is_empty() { hop.clone() } else { format!("{hop} {endpoint}") };
        let last = group.last_at.map_or(String::new(), |at| format!(", last at {at}"));
        let _ = writeln!(text, "  {:>7}  {at}: {said} ({kind}{last})", out::count(*count));
    }
    if pipeline.errors.len() > most {
        let _ = writeln!(text, "  and {} others: weir health --errors", pipeline.errors.len() - most);
    }
    text
}

/// A number, or that it is not known.
fn known(unknown: bool, number: impl Fn() -> String) -> String {
    if unknown { "?".to_owned() } else { number() }
}

fn table(pipeline: &Pipeline) -> String {
    const HEAD: [&str; 10] =
        ["stage", "state", "instances", "in/s", "out/s", "lag", "age p99", "dead letters", "dropped", "in work"];
    let mut rows = vec![HEAD.map(str::to_owned)];
    for hop in &pipeline.hops {
        let total = hop.total.as_ref().map(Flow::from).unwrap_or_default();
        rows.push([
            hop.service.clone(),
            state_name(hop.state()).to_owned(),
            format!("{}/{}", hop.instances, hop.expected),
            known(hop.rates_unknown, || format!("{:.1}", hop.in_per_second)),
            known(hop.rates_unknown, || format!("{:.1}", hop.out_per_second)),
            known(hop.lag_unknown, || out::count(hop.lag.max(0).unsigned_abs())),
            out::duration(hop.age_seconds.and_then(|age| Duration::try_from_secs_f64(age).ok())),
            out::count(total.dead_lettered),
            out::count(total.all_dropped()),
            out::count(total.in_work()),
        ]);
    }
    let widths: [usize; HEAD.len()] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let mut line = String::from(" ");
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Words to the left, numbers to the right.
            let _ = if column < 2 { write!(line, " {cell:<width$} ") } else { write!(line, " {cell:>width$} ") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
