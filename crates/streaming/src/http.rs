//! The edge: from a request to what the domain needs, and from its answer to a response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use common::identity::Id;
use common::raw::v1::{Delivery, Header};
use common::topics::{raw, raw_bulk};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use service::{HopCounts, What, clock, trace};
use sources::Source;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::body::{self, Budget, Held};
use crate::catch_up::CatchUp;
use crate::door::{self, Allow, Answer, Refusal, Route};
use crate::endpoints::{Endpoint, Endpoints};
use crate::limit::Lane;
use crate::meters;
use crate::pending::Pending;
use crate::settings::StreamingSettings;
use crate::storms::Storms;

/// Why a delivery is dropped whose sender did not wait for the answer.
const SENDER_GONE: &str = "sender_gone";

/// What every request needs.
pub(crate) struct Door {
    pub(crate) settings: StreamingSettings,
    pub(crate) endpoints: Endpoints,
    pub(crate) registrations: bus::TableHandle,
    pub(crate) catch_up: CatchUp,
    pub(crate) producer: bus::Producer,
    pub(crate) storms: Storms,
    pub(crate) budget: Budget,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) counts: HopCounts,
    pub(crate) tasks: TaskTracker,
    /// What the listener is asked, and what never becomes a request.
    pub(crate) watch: service::http::Watch,
}

/// The routes of the door.
pub(crate) fn router(door: Arc<Door>) -> Router {
    // One handler for everything: a router of its own would decode paths, and names have one spelling.
    Router::new().fallback(answer).with_state(door)
}

async fn answer(State(door): State<Arc<Door>>, request: Request) -> Response {
    let _in_flight = InFlight::begin(&door.in_flight);
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let (endpoint, answer) = match door::route(&parts.method, parts.uri.path()) {
        Route::About => (None, Answer::About),
        Route::Refused(refusal) => {
            // The name of no endpoint.
            if refusal == Refusal::UnknownEndpoint && parts.method == Method::POST {
                door.refused("", refusal);
            }
            (None, refusal.into())
        }
        Route::Handshake(name) => split(door.handshake(name, parts.uri.query().unwrap_or_default()).await),
        Route::Delivery(name) => split(door.delivery(name, &parts, body, started).await),
    };
    if let Answer::Refused(refusal) = &answer {
        let endpoint = endpoint.as_ref().map(|endpoint| endpoint.name.as_str());
        meters::refused(*refusal, endpoint);
        // Strangers decide how often this happens.
        tracing::debug!(endpoint, reason = refusal.reason(), "refused");
    }
    let status = answer.status();
    let headers = answer.headers(door.settings.retry_after_s);
    let mut response = Response::new(Body::from(answer.body()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// An answer, and the endpoint where there is one.
type Answered = Result<(Arc<Endpoint>, Answer), Refusal>;

fn split(answered: Answered) -> (Option<Arc<Endpoint>>, Answer) {
    match answered {
        Ok((endpoint, answer)) => (Some(endpoint), answer),
        Err(refusal) => (None, refusal.into()),
    }
}

impl Door {
    /// The endpoint of that name, which may have been registered a moment ago.
    async fn endpoint(&self, name: &str) -> Result<Arc<Endpoint>, Refusal> {
        match self.endpoints.lookup(name, self.registrations.is_read()) {
            Err(refusal) if refusal.may_be_outdated() => self.newer(name).await,
            found => found,
        }
    }

    /// The endpoint of that name by all that stands on the topic now.
    async fn newer(&self, name: &str) -> Result<Arc<Endpoint>, Refusal> {
        if !self.catch_up.wait().await {
            return Err(Refusal::RegistrationsBehind);
        }
        self.endpoints.lookup(name, true)
    }

    /// Does something with an endpoint, and if that fails, once more with a newer one: its secrets may have been
    /// rotated a moment ago. Gives the one with which it succeeded.
    async fn twice<T>(
        &self,
        endpoint: &Arc<Endpoint>,
        attempt: impl Fn(&Endpoint) -> Result<T, Refusal>,
    ) -> Result<(Arc<Endpoint>, T), Refusal> {
        match attempt(endpoint) {
            Ok(done) => Ok((Arc::clone(endpoint), done)),
            Err(refusal) if refusal.may_be_outdated() && !endpoint.fixed => {
                let newer = self.newer(&endpoint.name).await?;
                if Arc::ptr_eq(&newer, endpoint) {
                    return Err(refusal);
                }
                let done = attempt(&newer)?;
                Ok((newer, done))
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn handshake(&self, name: &str, query: &str) -> Answered {
        let endpoint = self.endpoint(name).await?;
        let challenge = self
            .twice(&endpoint, |endpoint| {
                endpoint.handshake(query, clock::now()).unwrap_or(Err(Refusal::Method(Allow::Post)))
            })
            .await;
        Ok((endpoint, challenge.map_or_else(Answer::from, |(_, text)| Answer::Challenge(text))))
    }

    async fn delivery(&self, name: &str, parts: &Parts, body: Body, started: Instant) -> Answered {
        // Counted without the name: strangers make up names without end.
        let endpoint = self.endpoint(name).await.inspect_err(|refusal| self.refused("", *refusal))?;
        if !self.producer.has_room() {
            // Before anything is spent on it: what is refused must cost little, or nothing is left for what is taken.
            self.refused(&endpoint.name, Refusal::ProducerFull);
            if !parts.headers.contains_key(header::EXPECT) {
                body::forget(body).await;
            }
            return Ok((endpoint, Answer::Refused(Refusal::ProducerFull)));
        }
        let span = tracing::info_span!(
            "delivery",
            endpoint = endpoint.name,
            source = endpoint.source.name(),
            delivery_id = tracing::field::Empty,
            outcome = tracing::field::Empty,
        );
        if self.settings.trust_traceparent {
            trace::set_parent(&span, parts.headers.get("traceparent").and_then(|value| value.to_str().ok()));
        }
        let accepted = self.accept(&endpoint, &parts.headers, body, started).instrument(span.clone()).await;
        span.record("outcome", accepted.map_or_else(Refusal::reason, |_| "accepted"));
        Ok((endpoint, accepted.map_or_else(Answer::from, Answer::Accepted)))
    }

    /// The lane of a delivery. What is held back, because it cannot be read, is treated as what comes too fast.
    fn lane(&self, endpoint: &Endpoint, now: SystemTime) -> Result<Lane, Refusal> {
        match self.storms.left(&endpoint.name, now) {
            None => endpoint.lane(),
            Some(_) if !endpoint.source.traits().retries => Ok(Lane::Bulk),
            // At most an hour.
            Some(left) => Err(Refusal::Storm(u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1))),
        }
    }

    /// Counts a delivery that was refused before there was one to be taken in.
    fn refused(&self, endpoint: &str, refusal: Refusal) {
        drop(self.counts.take(endpoint, Some(&clock::timestamp()), 1, refusal.reason()));
    }

    /// Reads, verifies, writes, and waits until it is durable.
    async fn accept(
        &self,
        endpoint: &Arc<Endpoint>,
        headers: &HeaderMap,
        body: Body,
        started: Instant,
    ) -> Result<Id, Refusal> {
        let traits = endpoint.source.traits();
        let deadline = started + traits.answer_within;
        let read = async {
            door::check_encoding(headers)?;
            let read_by = deadline.min(started + self.settings.body_timeout());
            let most = traits.max_body.min(self.settings.max_body_bytes);
            body::read(body, most, read_by, &self.budget).await
        };
        let held = read.await.inspect_err(|refusal| self.refused(&endpoint.name, *refusal))?;
        let received_at = clock::now();
        // From here on it has its hour. A sender that goes away before the answer drops all of this.
        let mut taken = self.counts.take(&endpoint.name, Some(&received_at.into()), 1, SENDER_GONE);
        let mut refuse = |refusal: &Refusal| taken.end(What::Dropped(refusal.reason()), 1);
        let verify = |endpoint: &Endpoint| endpoint.verify(headers, &held.bytes, received_at);
        let (endpoint, scheme) = self.twice(endpoint, verify).await.inspect_err(&mut refuse)?;
        let lane = self.lane(&endpoint, received_at).inspect_err(&mut refuse)?;

        let id = delivery_id().inspect_err(&mut refuse)?;
        Span::current().record("delivery_id", tracing::field::display(id));
        let record = record(&endpoint, lane, id, scheme, received_at.into(), headers, held);
        endpoint.meters.received.increment(1);
        let delivery = self.producer.try_send(record).map_err(|error| {
            let refusal = match error {
                bus::Error::Full => Refusal::ProducerFull,
                bus::Error::TooLarge { .. } => Refusal::TooLarge,
                error => {
                    tracing::debug!(endpoint = endpoint.name, %error, "delivery not sent");
                    Refusal::NotAcknowledged
                }
            };
            endpoint.meters.dropped(refusal.reason());
            refuse(&refusal);
            refusal
        })?;
        Pending::new(delivery, endpoint, lane, taken, self.tasks.clone()).acknowledged(deadline).await?;
        Ok(id)
    }
}

/// The record of a delivery. The body leaves the memory for bodies here and is the producer's from now on.
fn record(
    endpoint: &Endpoint,
    lane: Lane,
    id: Id,
    scheme: &'static str,
    received_at: prost_types::Timestamp,
    headers: &HeaderMap,
    held: Held,
) -> bus::Record {
    let source = endpoint.source;
    endpoint.meters.bytes.record(as_f64(held.bytes.len()));
    let id = id.to_string();
    let key = source.ordering_key(headers, &held.bytes).unwrap_or_else(|| id.clone());
    let delivery = Delivery {
        delivery_id: id.clone(),
        source: source.name().to_owned(),
        endpoint: endpoint.name.clone(),
        tenant: endpoint.tenant.clone(),
        scheme: scheme.to_owned(),
        received_at: Some(received_at),
        headers: kept_headers(source, headers),
        body: Bytes::clone(&held.bytes),
    };
    let topic = match lane {
        Lane::Prompt => raw(source.name()),
        Lane::Bulk => raw_bulk(source.name()),
    };
    let about = bus::Headers {
        id,
        source: endpoint.ce_source.clone(),
        traceparent: trace::current_traceparent(),
        ..bus::Headers::default()
    };
    bus::Record::new(&topic, key, &delivery, about)
}

/// The headers that matter to the source. A value that is no UTF-8, which no platform sends, loses what is not.
fn kept_headers(source: &dyn Source, headers: &HeaderMap) -> Vec<Header> {
    let kept = source.kept_headers();
    headers
        .iter()
        .filter(|(name, _)| kept.contains(&name.as_str()))
        .map(|(name, value)| Header {
            name: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        })
        .collect()
}

/// 48 bits of time in milliseconds and 80 random ones: every attempt of a platform to deliver has its own, and whoever
/// looks for it knows where to begin.
fn delivery_id() -> Result<Id, Refusal> {
    let mut id = [0; 16];
    let millis = service::clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let [.., a, b, c, d, e, f] = millis.to_be_bytes();
    id[..6].copy_from_slice(&[a, b, c, d, e, f]);
    match getrandom::fill(&mut id[6..]) {
        Ok(()) => Ok(Id(id)),
        Err(error) => {
            tracing::error!(%error, "the system gives no random bytes");
            Err(Refusal::Internal)
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes for a histogram")]
fn as_f64(bytes: usize) -> f64 {
    bytes as f64
}

/// Counts a request for as long as it is being answered, however that ends.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        meters::in_flight().increment(1);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        meters::in_flight().decrement(1);
    }
}

/// What the listener allows.
pub(crate) fn limits(settings: &StreamingSettings, drain: Duration) -> service::HttpLimits {
    service::HttpLimits {
        header_timeout: Duration::from_millis(settings.header_timeout_ms),
        idle_timeout: Duration::from_millis(settings.idle_timeout_ms),
        write_timeout: Duration::from_millis(settings.write_timeout_ms),
        max_connections: settings.max_connections,
        max_header_bytes: settings.max_header_bytes,
        max_headers: settings.max_headers,
        drain,
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
