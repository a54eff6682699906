//! The load generator: so many connections, each with one request after the other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use simulate::latency::Latencies;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::bodies::{self, Signed};
use crate::figures::{Done, Quantiles};
use crate::role;

pub(crate) const NAME: &str = "load";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) connections: usize,
    /// Different bodies.
    pub(crate) bodies: usize,
    /// Of each.
    pub(crate) bytes: usize,
}

/// Sends so many requests to this address.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Send {
    pub(crate) address: SocketAddr,
    pub(crate) requests: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// How often each status was answered.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Of all bodies that were sent.
    pub(crate) body_bytes: u64,
    pub(crate) done: Done,
}

/// What all connections share.
struct Work {
    signed: Vec<Signed>,
    address: SocketAddr,
    requests: usize,
    next: AtomicUsize,
    seen: Mutex<(BTreeMap<u16, u64>, u64, Latencies)>,
}

pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    let mut signed = bodies::signed(settings.bodies, settings.bytes)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    role::serve(|send: Send| {
        let work = Arc::new(Work {
            signed: std::mem::take(&mut signed),
            address: send.address,
            requests: send.requests,
            next: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let elapsed = runtime.block_on(all(&work, settings.connections))?;
        // All connections have ended, and nobody else holds it.
        let work = Arc::into_inner(work).ok_or_else(|| anyhow::anyhow!("a connection has not ended"))?;
        signed = work.signed;
        let (statuses, body_bytes, latencies) = work.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let done = Done { records: latencies.count(), elapsed, latency: quantiles(&latencies) };
        Ok(Answered { statuses, body_bytes, done })
    })
}

async fn all(work: &Arc<Work>, connections: usize) -> anyhow::Result<Duration> {
    let mut senders = Vec::with_capacity(connections);
    let mut connected = JoinSet::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(work.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        connected.spawn(connection);
        senders.push(sender);
    }
    let began = Instant::now();
    let mut sending = JoinSet::new();
    for sender in senders {
        sending.spawn(one(Arc::clone(work), sender));
    }
    while let Some(ended) = sending.join_next().await {
        ended??;
    }
    Ok(began.elapsed())
}

async fn one(work: Arc<Work>, mut sender: http1::SendRequest<Full<Bytes>>) -> anyhow::Result<()> {
    loop {
        let number = work.next.fetch_add(1, Ordering::Relaxed);
        if number >= work.requests {
            return Ok(());
        }
        let signed = &work.signed[number % work.signed.len()];
        let mut request = Request::new(Full::new(signed.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::try_from(format!("/webhooks/{}", bodies::ENDPOINT))?;
        request.headers_mut().clone_from(&signed.headers);
        request.headers_mut().insert("host", http::HeaderValue::from_static("bench"));
        let began = Instant::now();
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        response.into_body().collect().await?;
        let took = began.elapsed();
        let mut seen = work.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen.0.entry(status).or_default() += 1;
        seen.1 += signed.body.len() as u64;
        seen.2.record(took);
    }
}

/// What is told of latencies.
pub(crate) fn quantiles(latencies: &Latencies) -> Option<Quantiles> {
    let at = |share| Some(u64::try_from(latencies.quantile(share)?.as_micros()).unwrap_or(u64::MAX));
    Some(Quantiles { p50_us: at(0.5)?, p99_us: at(0.99)?, max_us: at(1.0)? })
}
