//! What every request of an HTTP server goes through on its connection, before the server's own stack.
//!
//! The accept loop is around it (`http.rs`): connections at one time, TLS, the time for a head, between two requests and
//! for taking an answer. It answers 431 and 400 by itself.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Extension;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, ServiceExt as _, service_fn};

use crate::http::guard::{AnswerBody, Phase};
use crate::http::{RequestBody, Watch};

/// The layers, from outside in.
pub(crate) fn stack<S, B>(
    service: S,
    peer: SocketAddr,
    phase: Phase,
    watch: Watch,
) -> impl Service<Request<Incoming>, Response = Response<AnswerBody<B>>, Error = Infallible, Future: Send> + Clone + Send
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send,
    B: Send,
{
    ServiceBuilder::new()
        // Metrics: requests, beside the connections that came to none.
        .map_request(move |request: Request<Incoming>| {
            watch.request();
            request
        })
        // Load shedding: whom the connection waits for. One whose client keeps us waiting gives way to the next.
        .layer_fn(move |inner| places(inner, phase.clone()))
        // Who asks, for routers.
        .layer(Extension(ConnectInfo(peer)))
        .service(service)
}

/// Tells the accept loop when all of a request is here and when its answer has been sent. It is our own because it is
/// about the connection: a request that came too late, on a connection that is being closed, is not done at all.
fn places<S, B>(
    inner: S,
    phase: Phase,
) -> impl Service<Request<Incoming>, Response = Response<AnswerBody<B>>, Error = Infallible, Future: Send> + Clone + Send
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send,
    B: Send,
{
    service_fn(move |request: Request<Incoming>| {
        let busy = phase.busy();
        let (parts, body) = request.into_parts();
        let served = phase.body(body).map(|body| inner.clone().oneshot(Request::from_parts(parts, body)));
        async move {
            let Some(served) = served else { return std::future::pending().await };
            served.await.map(|answer| answer.map(|body| AnswerBody::new(body, busy)))
        }
    })
}
