//! The door's stack: what a request goes through, from the socket to the log.
//!
//! A layer here is a function around the service within. None has a state of its own: what they share is the [`Door`],
//! which goes along with the request. So a layer costs no allocation, and what is refused is refused as far out as it can
//! be told. The layers are our own where their refusals differ by the endpoint, or have to be counted to the hour for the
//! equation of what was taken in: `docs/adr/0021-one-stack-of-layers.md` says it of each.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use service::http::{RequestBody, serve_watched};
use service::tls::ServerTls;
use service::{Taken, What, clock, errors, trace};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder, ServiceExt as _, service_fn};
use tracing::Instrument as _;

use crate::answer::{self, Answer, Refusal, Route};
use crate::body::{self, Held};
use crate::door::Door;
use crate::endpoints::Endpoint;
use crate::limit::Lane;
use crate::pending::Pending;
use crate::{meters, record};

/// Why a delivery is dropped whose sender did not wait for the answer.
const SENDER_GONE: &str = "sender_gone";

/// Answers until `closing` is cancelled, and then for `drain` what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<ServerTls>,
    door: Arc<Door>,
    drain: Duration,
    closing: CancellationToken,
) {
    let (limits, watch) = (door.settings.http_limits(drain), door.watch.clone());
    serve_watched(listener, tls, stack(door), limits, watch, closing).await;
}

/// The layers, from outside in. Around them are the accept loop and `crates/service/src/layers/http.rs`.
fn stack(
    door: Arc<Door>,
) -> impl Service<Request<RequestBody>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + Send
{
    ServiceBuilder::new()
        .map_request(move |request| Asked { door: Arc::clone(&door), request })
        // Metrics: requests in flight, and each refusal. And what an answer says.
        .layer_fn(metrics)
        // 404 and 405, handshakes; 503 while nobody knows which endpoints there are.
        .layer_fn(routing)
        // Load shedding, and so the concurrency limit: 503 before anything is spent on it.
        .layer_fn(load_shedding)
        // Trace context.
        .layer_fn(trace_context)
        // Body limit: 415, 413, 408, 400 if it breaks off, 503 beyond the memory for bodies.
        .layer_fn(body_limit)
        // Authorisation: 401, once more with what is registered now.
        .layer_fn(authorisation)
        // Rate limit: 429, or the slow lane.
        .layer_fn(rate_limit)
        // Time limit: 503 at the platform's deadline. Only what is on the log is answered 200.
        .service_fn(log)
}

/// A request.
struct Asked {
    door: Arc<Door>,
    request: Request<RequestBody>,
}

/// An answer, and the endpoint where there is one.
struct Answered {
    endpoint: Option<Arc<Endpoint>>,
    answer: Answer,
}

/// A delivery to an endpoint that there is.
struct Delivery {
    door: Arc<Door>,
    endpoint: Arc<Endpoint>,
    headers: HeaderMap,
    body: RequestBody,
    started: Instant,
}

/// A delivery that is here.
struct Received {
    door: Arc<Door>,
    endpoint: Arc<Endpoint>,
    headers: HeaderMap,
    held: Held,
    received_at: SystemTime,
    deadline: Instant,
    taken: Taken,
}

/// A delivery whose sender is known.
struct Verified {
    received: Received,
    scheme: &'static str,
}

/// A delivery that is to be written.
struct Admitted {
    verified: Verified,
    lane: Lane,
}

impl Received {
    /// Ends what was taken in.
    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        self.taken.end(What::Dropped(refusal.reason()), 1);
        refusal
    }
}

/// A service within a layer.
trait Within<R>: Service<R, Response = Answer, Error = Refusal, Future: Send> + Clone + Send {}

impl<R, S> Within<R> for S where S: Service<R, Response = Answer, Error = Refusal, Future: Send> + Clone + Send {}

fn metrics<S>(
    inner: S,
) -> impl Service<Asked, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + Send
where
    S: Service<Asked, Response = Answered, Error = Infallible, Future: Send> + Clone + Send,
{
    service_fn(move |asked: Asked| {
        let inner = inner.clone();
        async move {
            let door = Arc::clone(&asked.door);
            let _in_flight = InFlight::begin(&door.in_flight);
            let Ok(Answered { endpoint, answer }) = inner.oneshot(asked).await;
            if let Answer::Refused(refusal) = &answer {
                let endpoint = endpoint.as_ref().map(|endpoint| endpoint.name.as_str());
                meters::refused(*refusal);
                if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                    let kind = errors::ErrorKind::Refused;
                    errors::note("streaming", endpoint.unwrap_or_default(), kind, refusal.reason());
                }
                // Strangers decide how often this happens.
                tracing::debug!(endpoint, reason = refusal.reason(), "refused");
            }
            let (status, headers) = (answer.status(), answer.headers(door.settings.retry_after_s));
            let mut response = Response::new(Full::new(answer.body()));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
    })
}

fn routing<S: Within<Delivery>>(
    inner: S,
) -> impl Service<Asked, Response = Answered, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(move |Asked { door, request }: Asked| {
        let inner = inner.clone();
        let started = Instant::now();
        async move {
            let (parts, body) = request.into_parts();
            let (endpoint, answer) = match answer::route(&parts.method, parts.uri.path()) {
                Route::About => (None, Answer::About),
                Route::Refused(refusal) => {
                    // The name of no endpoint.
                    if refusal == Refusal::UnknownEndpoint && parts.method == Method::POST {
                        door.refused("", refusal);
                    }
                    (None, refusal.into())
                }
                Route::Handshake(name) => match door.handshake(name, parts.uri.query().unwrap_or_default()).await {
                    Ok((endpoint, answer)) => (Some(endpoint), answer),
                    Err(refusal) => (None, refusal.into()),
                },
                Route::Delivery(name) => match door.endpoint(name).await {
                    Ok(endpoint) => {
                        let here = Arc::clone(&endpoint);
                        let delivery = Delivery { door, endpoint, headers: parts.headers, body, started };
                        (Some(here), inner.oneshot(delivery).await.unwrap_or_else(Answer::Refused))
                    }
                    Err(refusal) => {
                        // Counted without the name: strangers make up names without end.
                        door.refused("", refusal);
                        (None, refusal.into())
                    }
                },
            };
            Ok(Answered { endpoint, answer })
        }
    })
}

fn load_shedding<S: Within<Delivery>>(inner: S) -> impl Within<Delivery> {
    service_fn(move |delivery: Delivery| {
        let inner = inner.clone();
        async move {
            let Delivery { door, endpoint, .. } = &delivery;
            if door.producer.has_room() {
                return inner.oneshot(delivery).await;
            }
            // What is refused must cost little, or nothing is left for what is taken.
            door.refused(&endpoint.name, Refusal::ProducerFull);
            if !delivery.headers.contains_key(header::EXPECT) {
                body::forget(delivery.body).await;
            }
            Err(Refusal::ProducerFull)
        }
    })
}

fn trace_context<S: Within<Delivery>>(inner: S) -> impl Within<Delivery> {
    service_fn(move |delivery: Delivery| {
        let span = tracing::info_span!(
            "delivery",
            endpoint = delivery.endpoint.name,
            source = delivery.endpoint.source.name(),
            delivery_id = tracing::field::Empty,
            outcome = tracing::field::Empty,
        );
        trace::set_parent(&span, sent_trace(&delivery.door, &delivery.headers).as_deref());
        let accepted = inner.clone().oneshot(delivery).instrument(span.clone());
        async move {
            let accepted = accepted.await;
            span.record("outcome", accepted.as_ref().map_or_else(|refusal| refusal.reason(), |_| "accepted"));
            accepted
        }
    })
}

/// The trace of the sender, where that is trusted.
fn sent_trace(door: &Door, headers: &HeaderMap) -> Option<String> {
    door.settings.trust_traceparent.then(|| trace::of_request(headers)).flatten()
}

fn body_limit<S: Within<Received>>(inner: S) -> impl Within<Delivery> {
    service_fn(move |Delivery { door, endpoint, headers, body, started }: Delivery| {
        let inner = inner.clone();
        async move {
            let traits = endpoint.source.traits();
            let deadline = started + traits.answer_within;
            let read = async {
                answer::check_encoding(&headers)?;
                let read_by = deadline.min(started + door.settings.body_timeout());
                let most = traits.max_body.min(door.settings.max_body_bytes);
                body::read(body, most, read_by, &door.budget).await
            };
            let held = read.await.inspect_err(|refusal| door.refused(&endpoint.name, *refusal))?;
            let received_at = clock::now();
            // From here on it has its hour. A sender that goes away before the answer drops all of this.
            let taken = door.counts.take(&endpoint.name, Some(&received_at.into()), 1, SENDER_GONE);
            inner.oneshot(Received { door, endpoint, headers, held, received_at, deadline, taken }).await
        }
    })
}

fn authorisation<S: Within<Verified>>(inner: S) -> impl Within<Received> {
    service_fn(move |mut received: Received| {
        let inner = inner.clone();
        async move {
            let Received { door, endpoint, headers, held, received_at, .. } = &received;
            let verify = |endpoint: &Endpoint| endpoint.verify(headers, &held.bytes, *received_at);
            let verified = door.twice(endpoint, verify).await;
            let (endpoint, scheme) = verified.map_err(|refusal| received.refuse(refusal))?;
            received.endpoint = endpoint;
            inner.oneshot(Verified { received, scheme }).await
        }
    })
}

fn rate_limit<S: Within<Admitted>>(inner: S) -> impl Within<Verified> {
    service_fn(move |mut verified: Verified| {
        let inner = inner.clone();
        async move {
            let Received { door, endpoint, received_at, .. } = &verified.received;
            let lane = door.lane(endpoint, *received_at);
            let lane = lane.map_err(|refusal| verified.received.refuse(refusal))?;
            inner.oneshot(Admitted { verified, lane }).await
        }
    })
}

async fn log(Admitted { verified: Verified { mut received, scheme }, lane }: Admitted) -> Result<Answer, Refusal> {
    let id = record::delivery_id().map_err(|refusal| received.refuse(refusal))?;
    tracing::Span::current().record("delivery_id", tracing::field::display(id));
    let Received { door, endpoint, headers, held, received_at, deadline, mut taken } = received;
    let mut record = record::record(&endpoint, lane, id, scheme, received_at.into(), &headers, held);
    // Where this process exports no traces, the sender's goes on: others may.
    record.headers.traceparent = trace::onward(sent_trace(&door, &headers).as_deref());
    endpoint.meters.received.increment(1);
    let sent = door.producer.try_send(record).map_err(|error| {
        let refusal = match error {
            bus::Error::Full => Refusal::ProducerFull,
            bus::Error::TooLarge { .. } => Refusal::TooLarge,
            error => {
                tracing::debug!(endpoint = endpoint.name, %error, "delivery not sent");
                Refusal::NotAcknowledged
            }
        };
        endpoint.meters.dropped(refusal.reason());
        taken.end(What::Dropped(refusal.reason()), 1);
        refusal
    })?;
    Pending::new(sent, endpoint, lane, taken, door.tasks.clone()).acknowledged(deadline).await?;
    Ok(Answer::Accepted(id))
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

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
