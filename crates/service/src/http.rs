//! The accept loop under every HTTP server: what a public port needs and a bare server does not give. What a request
//! goes through on its connection is in `layers/http.rs`.
//!
//! A client that is slow to send the head of a request, to send the next one or to take an answer is cut off; so is
//! nobody who only waits for us. Where all connections are taken, the one whose client has kept us waiting for longest is
//! closed for the next.
//! Bodies are read by handlers, which have to limit their size and time.

pub(crate) mod guard;
mod room;
mod unserved;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service, ServiceExt as _};

use crate::layers;
use crate::tls::ServerTls;
use guard::{Guarded, Phase};
use room::{Room, Slot};
use unserved::FIRST;

pub use guard::RequestBody;
pub use unserved::{Unserved, UnservedTotals, Watch};

/// Between two attempts to accept when the system refuses: too many open files.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
/// The smallest that hyper takes.
const LEAST_BUFFER: usize = 8192;
/// What hyper allows by itself, without an allocation for each request.
const HYPER_MAX_HEADERS: usize = 100;

/// What an HTTP server allows its clients.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// For the head of a request, from its first byte; for the first on a connection also until that byte.
    pub header_timeout: Duration,
    /// Between two requests on one connection. Longer than the idle time of a proxy in front, else that one sends a
    /// request just as the connection closes.
    pub idle_timeout: Duration,
    /// Without the client taking anything of an answer.
    pub write_timeout: Duration,
    /// Connections at one time. For one more, that is closed whose client has kept us waiting for longest.
    pub max_connections: usize,
    /// The size of the head of a request; beyond it 431.
    pub max_header_bytes: usize,
    /// The headers of a request; beyond it 431. 100 is what costs nothing.
    pub max_headers: usize,
    /// After the shutdown, for requests that are under way.
    pub drain: Duration,
}

/// Serves `service`, a router of axum or a stack of layers, until `shutdown` is cancelled; then closes the listener, lets
/// requests under way end within `limits.drain`, and cuts off the rest.
///
/// Routers can ask for the peer with `ConnectInfo<SocketAddr>`. A handler that panics ends its connection only.
pub async fn serve<S, B>(listener: TcpListener, service: S, limits: HttpLimits, shutdown: CancellationToken)
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    serve_watched(listener, None, service, limits, Watch::default(), shutdown).await;
}

/// [`serve`] with TLS, where there is one; a handshake counts as a connection, and has `limits.header_timeout`. `watch`
/// counts what is asked and what never becomes a request.
pub async fn serve_watched<S, B>(
    listener: TcpListener,
    tls: Option<ServerTls>,
    service: S,
    limits: HttpLimits,
    watch: Watch,
    shutdown: CancellationToken,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let server = listener.local_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string());
    let open = metrics::gauge!("weir_http_connections", "server" => server.clone());
    let room = Room::new(limits.max_connections);
    let limits = Arc::new(limits);
    let server: Arc<str> = server.into();
    let mut connections = JoinSet::new();
    // Accepted, and without a place: who waits longest gives way only for somebody who is there.
    let mut next = None;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
            accepted = accept_one(&listener), if next.is_none() => next = Some(accepted),
            taken = room.take(), if next.is_some() => {
                let Some((stream, peer)) = next.take() else { continue };
                let slot = Arc::clone(&taken.slot);
                let connection = Connection {
                    server: Arc::clone(&server),
                    peer,
                    watch: watch.clone(),
                    limits: Arc::clone(&limits),
                    service: service.clone(),
                    shutdown: shutdown.clone(),
                    slot: Arc::clone(&slot),
                };
                let tls = tls.clone();
                let open = open.clone();
                open.increment(1);
                let counted = CountDown(open);
                slot.is_served_by(connections.spawn(async move {
                    connection.begin(tls, stream).await;
                    drop((taken, counted));
                }));
            }
        }
    }
    drop(next);
    drop(listener);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!(
            %server, connections = connections.len(),
            "the drain timed out, closing the remaining connections"
        );
        connections.shutdown().await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    // The panic itself was logged where it happened.
    if ended.is_err_and(|error| error.is_panic()) {
        metrics::counter!("weir_http_panics_total").increment(1);
    }
}

/// Waits for room, then for a connection. Can be cancelled at any time without losing one.
pub(crate) async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    // Never closed, so this ends; were it closed, nothing would be accepted any more.
    let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
        return std::future::pending().await;
    };
    let (stream, peer) = accept_one(listener).await;
    (stream, peer, permit)
}

/// The next connection. Can be cancelled at any time without losing one.
async fn accept_one(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

struct CountDown(metrics::Gauge);

impl Drop for CountDown {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

struct Connection<S> {
    server: Arc<str>,
    peer: SocketAddr,
    watch: Watch,
    limits: Arc<HttpLimits>,
    service: S,
    shutdown: CancellationToken,
    slot: Arc<Slot>,
}

impl<S, B> Connection<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    async fn begin(self, tls: Option<ServerTls>, stream: TcpStream) {
        // Answers are small and complete: waiting for more of them only adds delay.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(peer = %self.peer, %error, "connection lost before it was served");
            return;
        }
        let Some(tls) = tls else { return self.serve(stream).await };
        let mut first = [0; FIRST];
        let handshake = async {
            let deadline = Instant::now() + self.limits.header_timeout;
            // Looked at, and left where it is: a handshake that fails does not say what came.
            let seen = timeout_at(deadline, stream.peek(&mut first)).await;
            let seen = seen.ok().and_then(Result::ok).unwrap_or_default();
            let left = deadline.saturating_duration_since(Instant::now());
            (tls.accept(stream, left).await, seen)
        };
        match self.shutdown.run_until_cancelled(handshake).await {
            Some((Ok(stream), _)) => self.serve(Box::new(stream)).await,
            Some((Err(error), seen)) => {
                tracing::debug!(peer = %self.peer, %error, "a TLS handshake failed");
                // Who took too long, or went, said nothing wrong.
                if error.kind() == io::ErrorKind::InvalidData
                    && let Some(why) = Unserved::of_handshake(&first[..seen])
                {
                    self.watch.unserved(&self.server, self.peer, why, &first[..seen]);
                }
            }
            None => {}
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let phase = Phase::new(self.slot);
        let io = TokioIo::new(Guarded::new(stream, phase.clone(), Arc::clone(&self.limits)));
        let stack = layers::http::stack(self.service, self.peer, phase.clone(), self.watch.clone());
        // In a box, because what a request needs would else be set aside for each connection that is idle.
        let requests = service_fn(move |request: Request<Incoming>| Box::pin(stack.clone().oneshot(request)));
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // The guard is more exact; this is for what it cannot see: a head that came with the request before.
            .header_read_timeout(self.limits.idle_timeout + self.limits.header_timeout)
            .max_header_size(self.limits.max_header_bytes)
            // As much is read at once: the memory of connections is this by their number.
            .max_buf_size(self.limits.max_header_bytes.max(LEAST_BUFFER));
        if self.limits.max_headers != HYPER_MAX_HEADERS {
            builder.max_headers(self.limits.max_headers);
        }
        let mut connection = pin!(builder.serve_connection(io, requests));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            let first = phase.first_bytes();
            if let Some(why) = Unserved::of_http(&error, &first) {
                self.watch.unserved(&self.server, self.peer, why, &first);
            }
            tracing::debug!(peer = %self.peer, error = %error_chain(&error), "connection ended");
        }
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
