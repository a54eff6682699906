//! The door without a log: the same HTTP server, limits, verification and answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sources::{Secrets, Source};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::bodies;
use crate::role;

pub(crate) const NAME: &str = "http-limit";

const DRAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Where it listens, and how many requests it has answered with 200.
    State,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    pub(crate) answered: u64,
}

struct Server {
    source: &'static dyn Source,
    secrets: Vec<SecretString>,
    max_body: usize,
    answered: AtomicU64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let settings: streaming::Settings = service::load(streaming::DEFAULTS, None, [])?;
    let settings = settings.streaming;
    let source = sources::by_name(bodies::SOURCE).context("the source of the bench is unknown")?;
    let server = Arc::new(Server {
        source,
        secrets: vec![bodies::SECRET.into()],
        max_body: source.traits().max_body.min(settings.max_body_bytes),
        answered: AtomicU64::new(0),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
    let stop = CancellationToken::new();
    let serving = runtime.spawn(service::http::serve(listener, router, settings.http_limits(DRAIN), stop.clone()));
    let served =
        role::serve(|Command::State| Ok(Listening { address, answered: server.answered.load(Ordering::Relaxed) }));
    stop.cancel();
    runtime.block_on(serving)?;
    served
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match Limited::new(body, server.max_body).collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            let secrets = Secrets { active: &server.secrets, verify_token: None };
            match server.source.verify(&parts.headers, &body, &secrets, service::clock::now()) {
                Ok(_) => {
                    let number = server.answered.fetch_add(1, Ordering::Relaxed);
                    Response::new(Body::from(format!("{{\"delivery_id\":\"{number:032x}\"}}\n")))
                }
                Err(_) => refused(StatusCode::UNAUTHORIZED),
            }
        }
        Err(_) => refused(StatusCode::PAYLOAD_TOO_LARGE),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refused(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
