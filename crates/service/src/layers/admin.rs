//! The stack of the admin server: probes, digest, metrics, and pages for people.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder};

use crate::http::{HttpLimits, RequestBody, Watch, serve_watched};
use crate::settings::AdminSettings;
use crate::tls::ServerTls;

/// Answers are made at once; what is left of them at the end is in a socket's buffer.
const DRAIN: Duration = Duration::from_secs(1);
/// Headers of a request: what a browser or a prober sends, and some.
const MAX_HEADERS: usize = 100;

/// Serves `pages` until `stop` is cancelled.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<ServerTls>,
    pages: Router,
    settings: AdminSettings,
    stop: CancellationToken,
) {
    serve_watched(listener, tls, stack(pages), limits(&settings), Watch::default(), stop).await;
}

/// What the accept loop allows.
fn limits(settings: &AdminSettings) -> HttpLimits {
    let millis = Duration::from_millis;
    HttpLimits {
        header_timeout: millis(settings.header_timeout_ms),
        idle_timeout: millis(settings.idle_timeout_ms),
        write_timeout: millis(settings.write_timeout_ms),
        max_connections: settings.max_connections,
        max_header_bytes: settings.max_header_bytes,
        max_headers: MAX_HEADERS,
        drain: DRAIN,
    }
}

/// The layers, from outside in; around them are those of `http.rs`. There is no time limit and no body limit, because
/// each page is made at once of what is in memory and reads no body. TLS is all that authorises: what is here is for
/// whoever reaches the port.
fn stack(
    pages: Router,
) -> impl Service<Request<RequestBody>, Response = Response, Error = Infallible, Future: Send> + Clone + Send {
    ServiceBuilder::new()
        // What a browser or a proxy must not keep, nor take for something else.
        .map_response(fresh)
        .service(pages)
}

fn fresh(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
