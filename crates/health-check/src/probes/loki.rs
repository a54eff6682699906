//! The lines of streams, as Loki gives them. Each look asks for all of the last time: lines may come late, and in any order.
//! A line has the time that Loki has of it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use http::header::DATE;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Found;
use super::api::{Api, refusal};
use super::lines::Lines;
use super::settings::{LogSettings, LokiSettings};

/// Of one answer no more is read.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// What Loki gives at most, unless it is told otherwise.
const LIMIT: u32 = 5_000;
/// So long ago there have to be lines of the streams: else their labels may be wrong.
const STREAMS: Duration = Duration::from_secs(24 * 3600);
/// Clocks may differ by so much.
const SPARE: Duration = Duration::from_secs(10);

/// Some streams.
#[derive(Debug)]
pub(super) struct Loki {
    api: Api,
    log: LogSettings,
    selector: String,
    query: String,
    limit: u32,
    within: Duration,
}

#[derive(Deserialize)]
struct Answer {
    /// Parts of it that it could not get.
    #[serde(default)]
    warnings: Vec<String>,
    data: Data,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Streams(Vec<Stream>),
}

#[derive(Deserialize)]
struct Stream {
    values: Vec<Entry>,
}

/// Time in nanoseconds, line, and what else it may know of the line.
#[derive(Deserialize)]
struct Entry(
    String,
    String,
    #[allow(dead_code, reason = "it may be there, and nothing else may follow")]
    #[serde(default)]
    IgnoredAny,
);

#[derive(Deserialize)]
struct Series {
    data: Option<Vec<IgnoredAny>>,
}

impl Loki {
    pub(super) fn new(settings: &LokiSettings, log: &LogSettings, within: Duration) -> Self {
        let LokiSettings { url, selector, filter, limit, tenant, user, password, token_file, ca_file } =
            settings.clone();
        let api = Api::new("health_check.probes.log.loki", url, ca_file);
        let api = api.with_token(token_file).with_password(user, password).with_tenant(tenant);
        let query = format!("{selector} {filter}").trim().to_owned();
        Self { api, log: log.clone(), selector, query, limit: limit.unwrap_or(LIMIT), within }
    }

    /// Asks for all lines of the last time.
    pub(super) async fn look(&self, at: SystemTime) -> Found {
        self.ask(at).await.unwrap_or_else(Found::failing)
    }

    async fn ask(&self, at: SystemTime) -> Result<Found, String> {
        let begun = Instant::now();
        let (limit, start, end) =
            (self.limit.to_string(), nanoseconds(at, self.within), nanoseconds(at, Duration::ZERO));
        let query = [
            ("query", self.query.as_str()),
            ("start", &start),
            ("end", &end),
            ("limit", &limit),
            ("direction", "backward"),
        ];
        let answer = self.get("query_range", &query).await?;
        let wrong = |error| format!("the answer of Loki is not lines: {error}");
        let Answer { warnings, data: Data::Streams(streams) } = serde_json::from_slice(answer.body()).map_err(wrong)?;
        let mut entries: Vec<Entry> = streams.into_iter().flat_map(|stream| stream.values).collect();
        if entries.is_empty() {
            self.expect_streams(at).await?;
        }
        // The last one that has a pattern is shown.
        entries.sort_by(|one, other| (one.0.len(), &one.0).cmp(&(other.0.len(), &other.0)));
        let mut lines = Lines::new(&self.log, self.within);
        entries.iter().for_each(|Entry(_, line, _)| lines.add(line.as_bytes(), begun));
        let too_many = format!(
            "Loki gave {} lines, which is its limit, of the last {:?}: narrow log.loki.filter, or raise log.loki.limit",
            entries.len(),
            self.within
        );
        let missing = (entries.len() >= self.limit as usize).then_some(too_many);
        let missing = missing.or_else(|| warnings.into_iter().next().map(|warning| format!("Loki warns: {warning}")));
        let missing = aside(&answer, at, at + begun.elapsed()).or(missing);
        Ok(lines.found(missing, begun))
    }

    /// Without a line, whether there are such streams at all: where the labels are wrong, nothing bad is in their lines either.
    async fn expect_streams(&self, at: SystemTime) -> Result<(), String> {
        let (start, end) = (nanoseconds(at, STREAMS.max(self.within)), nanoseconds(at, Duration::ZERO));
        let query = [("match[]", self.selector.as_str()), ("start", &start), ("end", &end)];
        let answer = self.get("series", &query).await?;
        let wrong = |error| format!("the answer of Loki is no list of streams: {error}");
        let Series { data } = serde_json::from_slice(answer.body()).map_err(wrong)?;
        if data.is_none_or(|streams| streams.is_empty()) {
            let selector = &self.selector;
            return Err(format!(
                "Loki has had no line of {selector} for a day: is it written right, and who sends them?"
            ));
        }
        Ok(())
    }

    async fn get(&self, what: &str, query: &[(&str, &str)]) -> Result<Response<Bytes>, String> {
        let answer = self.api.get(&["loki", "api", "v1", what], query, MOST_BYTES).await;
        let answer = answer.map_err(|error| format!("cannot ask Loki: {error}"))?;
        if answer.status().is_success() { Ok(answer) } else { Err(format!("Loki answers {}", refusal(&answer))) }
    }
}

/// So long before a time, since 1970.
fn nanoseconds(at: SystemTime, before: Duration) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(before).as_nanos().to_string()
}

/// Whether the clock of who answered is another, so that the last time is another there too.
fn aside(answer: &Response<Bytes>, asked: SystemTime, answered: SystemTime) -> Option<String> {
    let there = answer.headers().get(DATE)?.to_str().ok().and_then(|date| httpdate::parse_http_date(date).ok())?;
    let behind = asked.duration_since(there).unwrap_or_default();
    let ahead = there.duration_since(answered).unwrap_or_default();
    let by = behind.max(ahead);
    let way = if behind > ahead { "behind" } else { "ahead of" };
    let problem = || format!("the clock of Loki is {}s {way} that of health-check: set both right", by.as_secs());
    (by > SPARE).then(problem)
}

#[cfg(test)]
#[path = "loki_tests.rs"]
mod tests;
