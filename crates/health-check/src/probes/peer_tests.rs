//! An HTTP server of others: it answers as a test says, and keeps what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) struct Peer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Dropping them ends it.
    _tasks: JoinSet<()>,
}

impl Peer {
    pub(crate) async fn new(answer: impl FnMut(&Asked) -> Response<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&asked), Arc::new(Mutex::new(answer)));
        let router = Router::new().fallback(move |request: Request| {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            async move {
                let (head, body) = request.into_parts();
                let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
                let query = query.into_owned().collect();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let (method, path) = (head.method, head.uri.path().to_owned());
                let asked = Asked { method, path, query, headers: head.headers, body };
                kept.lock().unwrap().push(asked.clone());
                answer.lock().unwrap()(&asked)
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, asked, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Response<String> {
    Response::builder().status(status).body(body.into()).unwrap()
}
