//! The gRPC server and what a call goes through.

use std::convert::Infallible;
use std::time::Duration;

use http::Request;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::filter::FilterLayer;
use tower::util::MapFutureLayer;

use super::deadline::DeadlineLayer;
use crate::GrpcSettings;
use crate::grpc::allow::{self, Allow};
use crate::grpc::incoming;
use crate::tls::ServerTls;
use crate::trace;

/// For clients to take what is left of answers at the shutdown.
const DRAIN: Duration = Duration::from_secs(3);

/// Serves until `shutdown` is cancelled; then calls under way may end. When each has its answer, or the beginning of it,
/// clients have [`DRAIN`] to take what is left: one that does not read must not hold the end up.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<ServerTls>,
    routes: Routes,
    settings: &GrpcSettings,
    shutdown: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let millis = Duration::from_millis;
    let (calls, cut) = (TaskTracker::new(), CancellationToken::new());
    let cutting = cut_off(calls.clone(), cut.clone(), shutdown.clone());
    let allow = Allow::new(&settings.tls.allow);

    // Around all of it: connections at one time, their handshake, and the time until they say hello.
    let keepalive_timeout = millis(settings.keepalive_timeout_ms);
    let incoming = incoming::accept_all(listener, tls, settings.max_connections, keepalive_timeout, cut);
    let serving = Server::builder()
        // A connection: pings where it is quiet, and an age at which its client is asked to make another one.
        .accept_http1(false)
        .http2_keepalive_interval(Some(millis(settings.keepalive_interval_ms)))
        .http2_keepalive_timeout(Some(keepalive_timeout))
        .max_connection_age(millis(settings.max_connection_age_ms))
        // Trace context: a call of a trace is a span of it.
        .trace_fn(trace::of_call)
        // Concurrency limit, for each connection. Clients know it, and wait: nothing is shed.
        .max_concurrent_streams(settings.max_concurrent_calls)
        .concurrency_limit_per_connection(settings.max_concurrent_calls as usize)
        // Time limit, until an answer begins.
        .layer(DeadlineLayer::new(Some(millis(settings.timeout_ms))))
        // The shutdown waits for calls until their answer begins. Streams end by the shutdown.
        .layer(MapFutureLayer::new(move |call| calls.track_future(call)))
        // Authorisation, before anybody reads the call.
        .layer(FilterLayer::new(move |call: Request<Body>| allow::check(allow.as_ref(), call)))
        // Body limit: each service has its own, `max_decoding_message_size`, because messages are what it counts.
        .serve_with_incoming_shutdown(routes, incoming, shutdown.cancelled_owned());
    tokio::select! {
        ended = serving => ended,
        never = cutting => match never {},
    }
}

/// Cancels `cut` when [`DRAIN`] is over.
async fn cut_off(calls: TaskTracker, cut: CancellationToken, shutdown: CancellationToken) -> Infallible {
    shutdown.cancelled().await;
    calls.close();
    calls.wait().await;
    tokio::time::sleep(DRAIN).await;
    tracing::warn!("the drain timed out, closing gRPC connections whose clients do not read their answers");
    cut.cancel();
    std::future::pending().await
}
