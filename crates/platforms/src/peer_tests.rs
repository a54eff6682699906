//! A platform: it answers as a test says, and keeps what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use http::{HeaderMap, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The method, and the path with its query.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Dropping them ends it.
    _tasks: JoinSet<()>,
}

impl Peer {
    pub(crate) async fn new(answer: impl FnMut(&str) -> Response<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&asked), Arc::new(Mutex::new(answer)));
        let router = Router::new().fallback(move |request: Request| {
            let line = format!("{} {}", request.method(), request.uri());
            let told = answer.lock().unwrap()(&line);
            kept.lock().unwrap().push(Asked { line, headers: request.headers().clone() });
            async move { told }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, asked, _tasks: tasks }
    }

    /// Always the same.
    pub(crate) async fn always(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<String>) -> Self {
        let (headers, body) = (headers.to_vec(), body.into());
        Self::new(move |_| with(status, &headers, body.clone())).await
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The lines of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Response<String> {
    with(status, &[], body)
}

pub(crate) fn with(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<String>) -> Response<String> {
    let builder = headers.iter().fold(Response::builder().status(status), |it, (name, value)| it.header(*name, *value));
    builder.body(body.into()).unwrap()
}
