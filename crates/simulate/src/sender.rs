//! Posts deliveries, as fast as asked, and retries as the platforms do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::delivery::{Delivery, Signer};
use crate::latency::Latencies;
use crate::meaning::Fate;

/// More of an answer is not read.
const MOST_ANSWER: usize = 64 << 10;

/// How to send.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the door is: `http://127.0.0.1:8080`.
    pub url: String,
    /// Deliveries per second; `None`: as fast as they are answered.
    pub rate: Option<f64>,
    /// How many; `None`: until told to stop.
    pub count: Option<u64>,
    /// How many at once, those that wait for their next attempt among them.
    pub concurrency: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// For how long a delivery is tried again; platforms do it for hours or days.
    pub retry_for: Duration,
}

impl Options {
    /// As fast as they are answered, without end, 32 at once.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            rate: None,
            count: None,
            concurrency: 32,
            timeout: Duration::from_secs(20),
            retry_for: Duration::from_secs(120),
        }
    }
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the door is none.
    #[error("{0:?} is not the address of a door: give one like http://127.0.0.1:8080, without a path")]
    Url(String),
    /// The rate is no rate.
    #[error("the rate {0} is invalid: give deliveries per second above 0")]
    Rate(f64),
}

/// What is known about a delivery in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// A whole 2xx was read.
    Acknowledged,
    /// The door said that it did not take it: a 4xx other than 408 and 429, and no attempt before can have been taken.
    Refused,
    /// No whole answer, or one that does not say whether it was taken: to this attempt or to one before.
    Indeterminate,
}

/// A delivery that was sent, and how that went.
#[derive(Debug)]
pub struct Sent {
    /// The delivery.
    pub delivery: Delivery,
    /// What is known about it.
    pub outcome: SendOutcome,
    /// The last status; `None` where there was no answer.
    pub status: Option<u16>,
    /// How often it was tried.
    pub attempts: u32,
    /// How long the last attempt took.
    pub took: Duration,
}

impl Sent {
    /// Whether the door answered as the delivery's meaning says it should.
    pub fn as_meant(&self) -> bool {
        match self.delivery.meaning.fate {
            Fate::Refused(status) => self.status == Some(status),
            _ => self.outcome == SendOutcome::Acknowledged,
        }
    }
}

/// All that was sent.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Deliveries by what is known of them.
    pub acknowledged: u64,
    /// See [`SendOutcome::Refused`].
    pub refused: u64,
    /// See [`SendOutcome::Indeterminate`].
    pub indeterminate: u64,
    /// Deliveries by their last status.
    pub statuses: BTreeMap<u16, u64>,
    /// Attempts beyond the first of each delivery.
    pub retries: u64,
    /// Deliveries that the door answered otherwise than they were meant to be.
    pub unexpected: u64,
    /// Events in acknowledged deliveries that were not brought before.
    pub events: u64,
    /// How long the last attempt of each took.
    pub latencies: Latencies,
    /// From the first to the last.
    pub elapsed: Duration,
}

impl Summary {
    /// How many deliveries were sent.
    pub fn sent(&self) -> u64 {
        self.acknowledged + self.refused + self.indeterminate
    }

    /// Counts one.
    pub fn add(&mut self, sent: &Sent) {
        match sent.outcome {
            SendOutcome::Acknowledged => self.acknowledged += 1,
            SendOutcome::Refused => self.refused += 1,
            SendOutcome::Indeterminate => self.indeterminate += 1,
        }
        if let Some(status) = sent.status {
            *self.statuses.entry(status).or_default() += 1;
        }
        self.retries += u64::from(sent.attempts.saturating_sub(1));
        self.unexpected += u64::from(!sent.as_meant());
        if sent.outcome == SendOutcome::Acknowledged && sent.delivery.meaning.fate != Fate::Redelivery {
            self.events += sent.delivery.meaning.events.len() as u64;
        }
        self.latencies.record(sent.took);
    }
}

/// Sends deliveries until there are no more, enough, or `shutdown` is cancelled; then those under way
/// come to their end, without further attempts. `observe` sees each when all is known about it.
pub async fn send(
    deliveries: impl IntoIterator<Item = Delivery>,
    signer: Signer,
    options: &Options,
    shutdown: &CancellationToken,
    mut observe: impl FnMut(&Sent),
) -> Result<Summary, Error> {
    let post = Arc::new(Post::new(signer, options, shutdown.clone())?);
    if let Some(rate) = options.rate.filter(|rate| !(rate.is_finite() && *rate > 0.0)) {
        return Err(Error::Rate(rate));
    }
    let began = Instant::now();
    let mut summary = Summary::default();
    let mut deliveries = deliveries.into_iter();
    let mut number = 0_u64;
    let mut more = true;
    let mut under_way = JoinSet::new();
    loop {
        more = more && !shutdown.is_cancelled() && options.count.is_none_or(|count| number < count);
        let room = more && under_way.len() < options.concurrency.max(1);
        let due = options.rate.map_or(began, |rate| began + Duration::from_secs_f64(number as f64 / rate));
        if room && due <= Instant::now() {
            match deliveries.next() {
                Some(delivery) => {
                    let post = post.clone();
                    under_way.spawn(async move { post.deliver(delivery).await });
                    number += 1;
                }
                None => more = false,
            }
            // What is done is taken at once, so that memory stays small at any rate.
            while let Some(done) = under_way.try_join_next() {
                take(done, &mut summary, &mut observe);
            }
            continue;
        }
        if !more && under_way.is_empty() {
            break;
        }
        tokio::select! {
            Some(done) = under_way.join_next() => take(done, &mut summary, &mut observe),
            () = sleep_until(due), if room => {}
            () = shutdown.cancelled(), if more => {}
        }
    }
    summary.elapsed = began.elapsed();
    Ok(summary)
}

fn take(done: Result<Sent, tokio::task::JoinError>, summary: &mut Summary, observe: &mut impl FnMut(&Sent)) {
    // A task that was not ended by us has panicked: it has said so, and there is nothing to count.
    if let Ok(sent) = done {
        summary.add(&sent);
        observe(&sent);
    }
}

/// Posts single deliveries.
#[derive(Debug)]
struct Post {
    client: Client<HttpConnector, Full<Bytes>>,
    signer: Signer,
    base: String,
    timeout: Duration,
    retry_for: Duration,
    shutdown: CancellationToken,
}

impl Post {
    fn new(signer: Signer, options: &Options, shutdown: CancellationToken) -> Result<Self, Error> {
        let base = options.url.trim_end_matches('/');
        let wrong = || Error::Url(options.url.clone());
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(options.concurrency).build(connector),
            signer,
            base: base.to_owned(),
            timeout: options.timeout,
            retry_for: options.retry_for,
            shutdown,
        })
    }

    async fn deliver(&self, delivery: Delivery) -> Sent {
        let began = Instant::now();
        let (mut attempts, mut maybe_taken) = (0, false);
        loop {
            attempts += 1;
            let attempt = Instant::now();
            let answer = timeout(self.timeout, self.attempt(&delivery)).await.ok().flatten();
            let took = attempt.elapsed();
            let status = answer.as_ref().map(|answer| answer.status);
            let answered = outcome(status);
            // An attempt before may have been taken, and this one is refused: by a door whose clock is wrong, say.
            let outcome =
                if answered == SendOutcome::Refused && maybe_taken { SendOutcome::Indeterminate } else { answered };
            // What is broken on purpose is never taken.
            let is_sound = !matches!(delivery.meaning.fate, Fate::Refused(_));
            maybe_taken |= answered == SendOutcome::Indeterminate && is_sound;
            let wait = answer.and_then(|answer| answer.retry_after).unwrap_or_else(|| back_off(attempts));
            let again = answered == SendOutcome::Indeterminate
                && delivery.sender.retries
                && began.elapsed() + wait < self.retry_for;
            let given_up = !again || self.shutdown.run_until_cancelled(sleep(wait)).await.is_none();
            if given_up {
                let status = status.map(|status| status.as_u16());
                return Sent { delivery, outcome, status, attempts, took };
            }
        }
    }

    /// One attempt; `None` where there was no whole answer.
    async fn attempt(&self, delivery: &Delivery) -> Option<Answer> {
        let uri: Uri = format!("{}/webhooks/{}", self.base, delivery.endpoint).parse().ok()?;
        let mut request = Request::new(Full::new(delivery.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.signer.headers(delivery, service::clock::now());
        let response = self.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        Limited::new(body, MOST_ANSWER).collect().await.ok()?;
        Some(Answer { status: parts.status, retry_after: retry_after(&parts.headers) })
    }
}

struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
}

fn outcome(status: Option<StatusCode>) -> SendOutcome {
    match status {
        Some(status) if status.is_success() => SendOutcome::Acknowledged,
        Some(StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) | None => SendOutcome::Indeterminate,
        Some(status) if status.is_client_error() => SendOutcome::Refused,
        Some(_) => SendOutcome::Indeterminate,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// At once, then slower and slower.
fn back_off(attempts: u32) -> Duration {
    Duration::from_millis(250 << attempts.min(6).saturating_sub(1))
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
