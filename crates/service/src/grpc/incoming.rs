//! Connections for the gRPC server, at most so many at one time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::either::Either;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::http::accept;
use crate::http::guard::Limit;
use crate::tls::{ServerTls, Tls, client_names};

/// `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`
const PREFACE_BYTES: usize = 24;

type Handshake = Pin<Box<dyn Future<Output = Option<Capped>> + Send>>;

struct Accepting {
    listener: TcpListener,
    tls: Option<ServerTls>,
    permits: Arc<Semaphore>,
    timeout: Duration,
    cut: CancellationToken,
    /// Under way beside each other: one slow client keeps nobody else out. They have their place of the connections.
    handshakes: FuturesUnordered<Handshake>,
}

/// Accepts for ever. A connection that has not sent its preface within `preface_timeout` is closed: before it pings do
/// not work, so nothing else would notice. A handshake may take as long before. When `cut` is cancelled every connection
/// fails, whatever its client does.
pub(crate) fn accept_all(
    listener: TcpListener,
    tls: Option<ServerTls>,
    max_connections: usize,
    preface_timeout: Duration,
    cut: CancellationToken,
) -> impl Stream<Item = io::Result<Capped>> {
    let permits = Arc::new(Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let handshakes = FuturesUnordered::new();
    let accepting = Accepting { listener, tls, permits, timeout: preface_timeout, cut, handshakes };
    stream::unfold(accepting, |mut accepting| async move {
        let accepted = accepting.next().await;
        Some((accepted, accepting))
    })
}

impl Accepting {
    async fn next(&mut self) -> io::Result<Capped> {
        loop {
            tokio::select! {
                (stream, peer, permit) = accept(&self.listener, &self.permits) => {
                    stream.set_nodelay(true)?;
                    let (timeout, cut) = (self.timeout, self.cut.clone());
                    let Some(tls) = self.tls.clone() else {
                        return Ok(Capped::new(Either::Left(stream), Peer::default(), timeout, cut, permit));
                    };
                    self.handshakes.push(Box::pin(async move {
                        match tls.accept(stream, timeout).await {
                            Ok(stream) => {
                                let names = client_names(&stream).unwrap_or_default().into();
                                Some(Capped::new(Either::Right(Box::new(stream)), Peer { names }, timeout, cut, permit))
                            }
                            Err(error) => {
                                // Strangers decide how often this happens.
                                tracing::debug!(%peer, %error, "a TLS handshake failed");
                                None
                            }
                        }
                    }));
                }
                Some(done) = self.handshakes.next() => {
                    if let Some(connection) = done {
                        return Ok(connection);
                    }
                }
            }
        }
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The names of the certificate it showed; empty where it showed none.
    pub(crate) names: Arc<[String]>,
}

impl Default for Peer {
    fn default() -> Self {
        Self { names: Arc::new([]) }
    }
}

/// A connection that gives its place back when it is dropped.
#[derive(Debug)]
pub(crate) struct Capped {
    stream: Either<TcpStream, Box<Tls>>,
    peer: Peer,
    read: usize,
    preface: Limit,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _permit: OwnedSemaphorePermit,
}

impl Capped {
    fn new(
        stream: Either<TcpStream, Box<Tls>>,
        peer: Peer,
        preface_timeout: Duration,
        cut: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let mut preface = Limit::default();
        preface.arm(preface_timeout);
        Self { stream, peer, read: 0, preface, cut: Box::pin(cut.cancelled_owned()), _permit: permit }
    }

    /// Pending as long as it may live. Asked where a read or a write has to wait, so that its task is woken.
    fn is_cut<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "connection closed at the shutdown")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Connected for Capped {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}
impl AsyncRead for Capped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if this.read < PREFACE_BYTES {
            this.read += buf.filled().len() - before;
            if read.is_pending() && this.preface.is_over(cx) {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no HTTP/2 preface")));
            }
        }
        if read.is_pending() { this.is_cut(cx) } else { read }
    }
}

impl AsyncWrite for Capped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_pending() { self.is_cut(cx) } else { written }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if written.is_pending() { self.is_cut(cx) } else { written }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() { self.is_cut(cx) } else { flushed }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        if ended.is_pending() { self.is_cut(cx) } else { ended }
    }
}
