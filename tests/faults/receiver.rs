//! Who is told of alerts: a webhook for each class, which health-check gets as settings. It notes what comes, and when.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A receiver and a route for each class.
pub(crate) const CLASSES: [&str; 3] = ["page", "ticket", "log"];

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) at: Instant,
    pub(crate) class: &'static str,
    /// What lasts, as "loader/lag".
    pub(crate) firing: Vec<String>,
    /// What is over.
    resolved: Vec<String>,
}

/// The receiver. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Receiver {
    port: u16,
    told: Arc<watch::Sender<Vec<Told>>>,
    _accepting: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (told, mut accepting) = (Arc::new(watch::Sender::new(Vec::new())), JoinSet::new());
        let own = Arc::clone(&told);
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let told = Arc::clone(&own);
                let service = service_fn(move |request| note(request, Arc::clone(&told)));
                connections.spawn(async move {
                    let serving = hyper::server::conn::http1::Builder::new();
                    let _ = serving.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { port, told, _accepting: accepting })
    }

    /// What health-check is told of it.
    pub(crate) fn settings(&self) -> String {
        let one = |class: &str| {
            format!(
                "[[alerts.receivers]]\nname = \"{class}\"\nwebhook = {{ url = \"http://127.0.0.1:{port}/{class}\" }}\n\
                 [[alerts.routes]]\nname = \"{class}\"\nclasses = [\"{class}\"]\nreceivers = [\"{class}\"]\n",
                port = self.port
            )
        };
        format!("[alerts]\nallow_networks = [\"127.0.0.0/8\"]\n{}", CLASSES.map(one).concat())
    }

    /// All messages so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }

    /// Waits until this can be said of all messages so far.
    pub(crate) async fn until(
        &self,
        what: &str,
        within: Duration,
        is_so: impl FnMut(&Vec<Told>) -> bool,
    ) -> anyhow::Result<()> {
        let mut told = self.told.subscribe();
        let waited = tokio::time::timeout(within, told.wait_for(is_so)).await;
        waited.with_context(|| format!("{what}: not within {within:?}, but: {:#?}", self.told()))??;
        Ok(())
    }
}

/// What of it is not over, as "page loader/lag".
pub(crate) fn open(told: &[Told]) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for Told { class, firing, resolved, .. } in told {
        open.extend(firing.iter().map(|alert| format!("{class} {alert}")));
        for alert in resolved {
            open.remove(&format!("{class} {alert}"));
        }
    }
    open
}

async fn note(
    request: Request<Incoming>,
    told: Arc<watch::Sender<Vec<Told>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let class = CLASSES.into_iter().find(|class| request.uri().path().trim_start_matches('/') == *class);
    let body = request.into_body().collect().await?.to_bytes();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let alerts = |list: &str| -> Vec<String> {
        let alerts = message["data"][list].as_array().into_iter().flatten();
        let text = |alert: &Value, key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        alerts.map(|alert| format!("{}/{}", text(alert, "stage"), text(alert, "check"))).collect()
    };
    let (firing, resolved) = (alerts("firing"), alerts("resolved"));
    if let Some(class) = class {
        println!("    {class}: {}, resolved {resolved:?}", message["data"]["title"]);
        told.send_modify(|told| told.push(Told { at: Instant::now(), class, firing, resolved }));
    }
    Ok(Response::new(Full::default()))
}
