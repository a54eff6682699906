//! What never becomes a request. The HTTP layer answers it by itself, or not at all, so no handler counts it: after a
//! change of the balancer everything may fail while the server looks idle. Here it is counted, and told in the log.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines of the log about one reason.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// As many bytes of a connection are remembered as are needed to tell what it speaks.
pub(super) const FIRST: usize = 16;
/// The beginning of version 2 of the PROXY protocol.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Why a connection ends without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unserved {
    /// It is no HTTP.
    Malformed,
    /// The head is larger than it may be, or has too many headers.
    HeadTooLarge,
    /// It begins with a header of the PROXY protocol.
    ProxyHeader,
    /// It speaks TLS, and the port does not.
    TlsOnPlainPort,
    /// It speaks HTTP, and the port wants TLS before.
    PlainOnTlsPort,
    /// It speaks HTTP/2, and the port speaks HTTP/1.1.
    Http2,
    /// The TLS handshake failed: another version, a certificate that the client does not trust.
    Handshake,
}

impl Unserved {
    /// Every reason there is.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::HeadTooLarge,
        Self::ProxyHeader,
        Self::TlsOnPlainPort,
        Self::PlainOnTlsPort,
        Self::Http2,
        Self::Handshake,
    ];

    /// A stable code for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::HeadTooLarge => "head_too_large",
            Self::ProxyHeader => "proxy_header",
            Self::TlsOnPlainPort => "tls_on_plain_port",
            Self::PlainOnTlsPort => "plain_on_tls_port",
            Self::Http2 => "http2",
            Self::Handshake => "tls_handshake",
        }
    }

    /// What to look at.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Malformed => {
                "the clients do not send HTTP/1.1: check which program other than a proxy or a platform connects"
            }
            Self::HeadTooLarge => "the head of a request is too large: check whether a proxy adds headers",
            Self::ProxyHeader => {
                "the connections begin with a PROXY header: turn the PROXY protocol off at the load balancer"
            }
            Self::TlsOnPlainPort => {
                "the clients use TLS, but this port does not: terminate TLS at the load balancer, or set a certificate"
            }
            Self::PlainOnTlsPort => "the clients do not use TLS, but this port does: make the load balancer use TLS",
            Self::Http2 => "the clients use HTTP/2, but this port uses HTTP/1.1: set the load balancer to HTTP/1.1",
            Self::Handshake => "the TLS handshake fails: check whether the load balancer trusts the certificate",
        }
    }

    /// The status of the answer; `None`: there is none.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Malformed | Self::ProxyHeader | Self::TlsOnPlainPort => Some(400),
            Self::HeadTooLarge => Some(431),
            Self::PlainOnTlsPort | Self::Http2 | Self::Handshake => None,
        }
    }

    /// Why a connection ended, where that is for what was sent. `first` is how the connection began.
    pub(super) fn of_http(error: &hyper::Error, first: &[u8]) -> Option<Self> {
        if error.is_parse_too_large() {
            return Some(Self::HeadTooLarge);
        }
        if error.is_parse_version_h2() {
            return Some(Self::Http2);
        }
        error.is_parse().then(|| match first {
            [0x16, 0x03, ..] => Self::TlsOnPlainPort,
            first if is_proxy(first) => Self::ProxyHeader,
            _ => Self::Malformed,
        })
    }

    /// Why a handshake failed. Who only connected and went, as the checks of balancers do, is not meant.
    pub(super) fn of_handshake(first: &[u8]) -> Option<Self> {
        match first {
            [] => None,
            first if is_proxy(first) => Some(Self::ProxyHeader),
            [0x16, 0x03, ..] => Some(Self::Handshake),
            [b'A'..=b'Z', ..] => Some(Self::PlainOnTlsPort),
            _ => Some(Self::Malformed),
        }
    }
}

fn is_proxy(first: &[u8]) -> bool {
    first.starts_with(b"PROXY ") || first.starts_with(PROXY_V2)
}

/// How many requests there were, and how many connections that never came to one, by [`Unserved::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnservedTotals {
    /// Requests.
    pub requests: u64,
    /// Connections without one.
    pub unserved: [u64; Unserved::ALL.len()],
}

/// Counts what a server is asked, and what never becomes a request. Clones are one.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    also: fn(Unserved),
    requests: AtomicU64,
    unserved: [Reason; Unserved::ALL.len()],
}

#[derive(Default)]
struct Reason {
    count: AtomicU64,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    last: Option<Instant>,
    not_told: u64,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("totals", &self.totals()).finish()
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl Watch {
    /// `also` is called for each connection that never came to a request, beside what is counted for every server.
    #[must_use]
    pub fn new(also: fn(Unserved)) -> Self {
        Self { inner: Arc::new(Inner { also, requests: AtomicU64::default(), unserved: Default::default() }) }
    }

    /// What there was since the start.
    #[must_use]
    pub fn totals(&self) -> UnservedTotals {
        let unserved = &self.inner.unserved;
        UnservedTotals {
            requests: self.inner.requests.load(Ordering::Relaxed),
            unserved: std::array::from_fn(|at| unserved[at].count.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn request(&self) {
        self.inner.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unserved(&self, server: &str, peer: SocketAddr, why: Unserved, first: &[u8]) {
        let Some(at) = Unserved::ALL.iter().position(|one| *one == why) else { return };
        let reason = &self.inner.unserved[at];
        reason.count.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("weir_http_unserved_total", "server" => server.to_owned(), "reason" => why.as_str())
            .increment(1);
        (self.inner.also)(why);
        let not_told = {
            let mut log = reason.log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.last.is_some_and(|last| last.elapsed() < LOG_EVERY) {
                log.not_told += 1;
                return;
            }
            log.last = Some(Instant::now());
            std::mem::take(&mut log.not_told)
        };
        let (reason, hint, first) = (why.as_str(), why.hint(), first.escape_ascii());
        tracing::warn!(server, %peer, reason, hint, begins = %first, not_told, "a connection ended without a request");
    }
}

#[cfg(test)]
#[path = "unserved_tests.rs"]
mod tests;
