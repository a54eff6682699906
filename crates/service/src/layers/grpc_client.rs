//! A connection to a gRPC server and what a call on it goes through.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderValue, Request};
use tonic::body::Body;
use tonic::transport::{self, Endpoint};
use tower::ServiceBuilder;
use tower::util::MapRequest;

use super::deadline::{Deadline, DeadlineLayer};
use crate::tls::Dial;
use crate::trace;

pub use http::Uri;

/// Between two pings while a call waits for its answer, and for the answer to a ping. A connection that does not answer
/// is replaced.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that clients of gRPC are made of. Clones share it.
pub type Channel = Deadline<MapRequest<transport::Channel, fn(Request<Body>) -> Request<Body>>>;

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// To take a connection.
    pub connect: Duration,
    /// From a call to the beginning of its answer, connecting included. None where the caller has one limit for more
    /// than this call.
    pub call: Option<Duration>,
}

impl Dial {
    /// Connects now.
    ///
    /// # Errors
    /// When nobody answers, or not as they should.
    pub async fn connect(&self, to: Uri, limits: CallLimits) -> Result<Channel, transport::Error> {
        let endpoint = endpoint(to, limits);
        let connected = match self.connector(endpoint.uri()) {
            None => endpoint.connect().await,
            Some(connector) => endpoint.connect_with_connector(connector).await,
        };
        connected.map(|channel| stack(channel, limits))
    }

    /// Connects when it is used, and again when the connection is lost.
    #[must_use]
    pub fn connect_lazy(&self, to: Uri, limits: CallLimits) -> Channel {
        let endpoint = endpoint(to, limits);
        let channel = match self.connector(endpoint.uri()) {
            None => endpoint.connect_lazy(),
            Some(connector) => endpoint.connect_with_connector_lazy(connector),
        };
        stack(channel, limits)
    }

    /// As [`connect_lazy`](Self::connect_lazy), to this address, whatever the host's name stands for. With TLS the
    /// certificate has to be that of the name.
    #[must_use]
    pub fn connect_lazy_at(&self, to: Uri, at: SocketAddr, limits: CallLimits) -> Channel {
        let connector = self.connector_at(&to, at);
        stack(endpoint(to, limits).connect_with_connector_lazy(connector), limits)
    }
}

/// The connection under the layers.
fn endpoint(to: Uri, limits: CallLimits) -> Endpoint {
    Endpoint::from(to)
        .connect_timeout(limits.connect)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
}

/// The layers, from outside in. TLS is the connection's. Nothing limits how many calls there are at once but the server;
/// `max_decoding_message_size` of each client limits what it reads.
fn stack(channel: transport::Channel, limits: CallLimits) -> Channel {
    ServiceBuilder::new()
        // Time limit.
        .layer(DeadlineLayer::new(limits.call))
        // Trace context: that of the span in which the call is made.
        .map_request(traced as fn(Request<Body>) -> Request<Body>)
        .service(channel)
}

fn traced(mut call: Request<Body>) -> Request<Body> {
    let traceparent = trace::current_traceparent().and_then(|text| HeaderValue::try_from(text).ok());
    if let Some(traceparent) = traceparent {
        call.headers_mut().insert(trace::TRACEPARENT, traceparent);
    }
    call
}
