//! Cuts off clients that are too slow.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::HttpLimits;
use super::room::Slot;
use super::unserved::FIRST;

/// What a connection is doing. Clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Phase(Arc<State>);

#[derive(Debug)]
struct State {
    /// Even: it waits for a request. Odd: it serves one. It counts, so that the guard sees that a request came and went
    /// between two reads.
    count: AtomicU64,
    slot: Arc<Slot>,
    /// The first bytes of the connection.
    first: Mutex<Vec<u8>>,
}

impl Phase {
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        Self(Arc::new(State { count: AtomicU64::default(), slot, first: Mutex::default() }))
    }

    pub(super) fn first_bytes(&self) -> Vec<u8> {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what is missing of the first bytes; whether there is room for more.
    fn take_first(&self, bytes: &[u8]) -> bool {
        let mut first = self.0.first.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = FIRST - first.len();
        first.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        first.len() < FIRST
    }

    /// Serves a request until the result is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// The body of a request. None: the connection is being closed, and the request is not to be served.
    pub(crate) fn body(&self, body: Incoming) -> Option<RequestBody> {
        let here = !body.is_end_stream() || self.0.slot.works();
        here.then(|| RequestBody { body, slot: Arc::clone(&self.0.slot) })
    }

    fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }
}

/// While it lives, a request is being served.
#[derive(Debug)]
pub(crate) struct Busy(Phase);

impl Drop for Busy {
    fn drop(&mut self) {
        let Phase(state) = &self.0;
        state.count.fetch_add(1, Ordering::Relaxed);
        state.slot.waits();
    }
}

/// The body of a request. When all of it is here, nobody waits for the client any more.
#[derive(Debug)]
pub struct RequestBody {
    body: Incoming,
    slot: Arc<Slot>,
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let last = matches!(frame, Poll::Ready(None)) || (frame.is_ready() && self.body.is_end_stream());
        // What came too late is not done: the connection ends here.
        if last && !self.slot.works() { Poll::Pending } else { frame }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer; the request has been served when it has been sent.
#[derive(Debug)]
pub(crate) struct AnswerBody<B> {
    body: B,
    _busy: Busy,
}

impl<B> AnswerBody<B> {
    pub(crate) fn new(body: B, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl<B: HttpBody + Unpin> HttpBody for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A time limit that is set, moved and cleared without a new allocation each time.
#[derive(Debug, Default)]
pub(crate) struct Limit {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Limit {
    pub(crate) fn arm(&mut self, after: Duration) {
        let deadline = Instant::now() + after;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
        self.armed = true;
    }

    fn clear(&mut self) {
        self.armed = false;
    }

    /// Whether it is over; if not, the task is woken when it is.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.sleep {
            Some(sleep) if self.armed => sleep.as_mut().poll(cx).is_ready(),
            _ => false,
        }
    }
}

/// A connection that ends with an error when its client is too slow.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    stream: S,
    phase: Phase,
    limits: Arc<HttpLimits>,
    /// The count of [`Phase`] when it was last looked at.
    seen: u64,
    /// Whether some of the head of the next request is there.
    in_head: bool,
    /// Whether the first bytes are not all here.
    beginning: bool,
    reading: Limit,
    writing: Limit,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, phase: Phase, limits: Arc<HttpLimits>) -> Guarded<S> {
        let mut reading = Limit::default();
        // Who connects has something to say.
        reading.arm(limits.header_timeout);
        Guarded { stream, phase, limits, seen: 0, in_head: false, beginning: true, reading, writing: Limit::default() }
    }

    /// Notes that requests came and went.
    fn catch_up(&mut self) {
        let count = self.phase.count();
        if count != self.seen {
            self.seen = count;
            self.in_head = false;
            self.reading.clear();
        }
    }

    fn is_waiting(&self) -> bool {
        self.seen.is_multiple_of(2)
    }
}

fn cut_off(reason: &'static str) -> io::Error {
    metrics::counter!("weir_http_cut_off_total", "reason" => reason).increment(1);
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = &mut *self;
        this.catch_up();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if this.beginning {
            this.beginning = this.phase.take_first(&buf.filled()[before..]);
        }
        if !this.is_waiting() {
            return read;
        }
        if buf.filled().len() > before && !this.in_head {
            this.in_head = true;
            this.phase.0.slot.waits();
            this.reading.arm(this.limits.header_timeout);
        }
        if read.is_ready() {
            // A client that sends one byte after the other is never pending for long.
            return if this.in_head && this.reading.is_over(cx) { Poll::Ready(Err(cut_off("head"))) } else { read };
        }
        if !this.reading.armed {
            this.reading.arm(this.limits.idle_timeout);
        }
        if this.reading.is_over(cx) {
            let reason = if this.in_head || this.seen == 0 { "head" } else { "idle" };
            return Poll::Ready(Err(cut_off(reason)));
        }
        Poll::Pending
    }
}

impl<S> Guarded<S> {
    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing.clear();
            return written;
        }
        if !self.writing.armed {
            self.writing.arm(self.limits.write_timeout);
        }
        if self.writing.is_over(cx) { Poll::Ready(Err(cut_off("answer"))) } else { Poll::Pending }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // With TLS this is where a client that takes nothing is noticed: what was written before may stand in a buffer.
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ended = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, ended)
    }
}
