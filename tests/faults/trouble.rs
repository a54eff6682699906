//! An HTTP proxy before an object store that does what such stores do now and then: it refuses, it is slow, it ends a
//! connection in the middle of what it is sent or answers, and it does what it was asked for without saying so.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use weir_tests::ports;

use crate::surroundings::lock;

/// What becomes of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// Two of five get 503 `SlowDown` or 500 `InternalError`, and one of four of these has been done all the same.
    Errors,
    /// Each comes later, by up to so much.
    Slow(Duration),
    /// One of five has its connection cut in the middle of its body or of its answer, and one of five when it was done
    /// and before its answer. Of what must not replace anything, which are commits, it is one of two.
    Torn,
}

/// What becomes of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// Refused, and done or not.
    Refused {
        status: StatusCode,
        code: &'static str,
        done: bool,
    },
    Late(Duration),
    /// Half of what is sent is read; where nothing is sent, half of the answer is.
    Halved,
    /// Done, and the answer is lost.
    Unanswered,
}

/// How many there were, and of these how many with trouble.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Met {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    pub(crate) late: u64,
    pub(crate) halved: u64,
    pub(crate) unanswered: u64,
    /// Those among them that must not replace anything.
    pub(crate) commits_unanswered: u64,
}

impl Met {
    pub(crate) fn troubled(self) -> u64 {
        self.refused + self.late + self.halved + self.unanswered
    }
}

#[derive(Debug)]
struct State {
    trouble: Trouble,
    /// The answer to the last commit was lost: that to the next is not, so that there is an end.
    lost_last: bool,
    rng: Rng,
    met: Met,
}

/// The proxy. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Troubled {
    port: u16,
    state: Arc<Mutex<State>>,
    _accepting: JoinSet<()>,
}

type Body = BoxBody<Bytes, io::Error>;

impl Troubled {
    /// Before the store on this port. The seed decides whom it meets.
    pub(crate) async fn start(before: u16, seed: u64) -> anyhow::Result<Self> {
        let port = ports::free()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let state = State { trouble: Trouble::None, lost_last: false, rng: Rng::with_seed(seed), met: Met::default() };
        let (state, mut accepting) = (Arc::new(Mutex::new(state)), JoinSet::new());
        let own = Arc::clone(&state);
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let _ = stream.set_nodelay(true);
                let state = Arc::clone(&own);
                let service = service_fn(move |request| serve(request, before, Arc::clone(&state)));
                // An error is a connection that was cut on purpose, or by its client.
                connections.spawn(async move {
                    let serving = hyper::server::conn::http1::Builder::new();
                    let _ = serving.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { port, state, _accepting: accepting })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What was met since it was set.
    pub(crate) fn met(&self) -> Met {
        lock(&self.state).met
    }

    /// From now on. Answers what was met until now.
    pub(crate) fn set(&self, trouble: Trouble) -> Met {
        let mut state = lock(&self.state);
        state.trouble = trouble;
        std::mem::take(&mut state.met)
    }
}

impl State {
    fn fate(&mut self, is_commit: bool) -> Fate {
        self.met.requests += 1;
        let fate = match (self.trouble, self.rng.u32(0..20)) {
            (Trouble::Torn, _) if is_commit => {
                self.lost_last = !self.lost_last;
                self.met.commits_unanswered += u64::from(self.lost_last);
                if self.lost_last { Fate::Unanswered } else { Fate::Done }
            }
            (Trouble::Slow(most), _) => Fate::Late(most.mul_f64(self.rng.f64())),
            (Trouble::Errors, lot @ 0..8) => {
                let (status, code) = if lot % 2 == 0 {
                    (StatusCode::SERVICE_UNAVAILABLE, "SlowDown")
                } else {
                    (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
                };
                Fate::Refused { status, code, done: lot < 2 }
            }
            (Trouble::Torn, 0..4) => Fate::Halved,
            (Trouble::Torn, 4..8) => Fate::Unanswered,
            _ => Fate::Done,
        };
        match fate {
            Fate::Done => {}
            Fate::Refused { .. } => self.met.refused += 1,
            Fate::Late(_) => self.met.late += 1,
            Fate::Halved => self.met.halved += 1,
            Fate::Unanswered => self.met.unanswered += 1,
        }
        fate
    }
}

/// An error ends the connection without an answer.
async fn serve(request: Request<Incoming>, before: u16, state: Arc<Mutex<State>>) -> io::Result<Response<Body>> {
    let fate = lock(&state).fate(request.headers().contains_key(header::IF_NONE_MATCH));
    let (head, mut body) = request.into_parts();
    let length = body.size_hint().exact().unwrap_or_default();
    if fate == Fate::Halved && length > 0 {
        let mut read = 0;
        while read < length / 2 {
            let Some(frame) = body.frame().await else { break };
            read += frame.map_err(io::Error::other)?.data_ref().map_or(0, |data| data.len() as u64);
        }
        return Err(cut());
    }
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if let Fate::Late(by) = fate {
        tokio::time::sleep(by).await;
    }
    if let Fate::Refused { status, code, done: false } = fate {
        return refused(status, code);
    }
    let is_head = head.method == Method::HEAD;
    let answer = forward(Request::from_parts(head, Full::new(body)), before).await?;
    match fate {
        Fate::Refused { status, code, .. } => refused(status, code),
        Fate::Unanswered => Err(cut()),
        Fate::Halved if !is_head && !answer.body().is_empty() => {
            let (head, body) = answer.into_parts();
            let half = body.slice(..body.len() / 2);
            let frames = [Ok(Frame::data(half)), Err(cut())];
            Ok(Response::from_parts(head, StreamBody::new(tokio_stream::iter(frames)).boxed()))
        }
        Fate::Halved => Err(cut()),
        Fate::Done | Fate::Late(_) => Ok(answer.map(whole)),
    }
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed()
}

fn refused(status: StatusCode, code: &str) -> io::Result<Response<Body>> {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>the test's</Message></Error>");
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/xml")
        .body(whole(text.into()))
        .map_err(io::Error::other)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut on purpose")
}

/// Asks the store itself, by a connection of its own.
async fn forward(request: Request<Full<Bytes>>, before: u16) -> io::Result<Response<Bytes>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, before)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let mut driving = JoinSet::new();
    driving.spawn(async move {
        let _ = connection.await;
    });
    let (mut head, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let between: &mut HeaderMap = &mut head.headers;
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        between.remove(name);
    }
    head.version = http::Version::HTTP_11;
    Ok(Response::from_parts(head, body))
}
