use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::*;

const MB: usize = 1024 * 1024;

/// A body in pieces, which may say how long it is, pause before each piece, and break off.
struct Pieces {
    pieces: Vec<Bytes>,
    declared: Option<u64>,
    pause: Duration,
    sleeping: Option<Pin<Box<Sleep>>>,
    breaks: bool,
}

fn pieces(count: usize, size: usize) -> Pieces {
    let pieces = (0..count).map(|piece| Bytes::from(vec![u8::try_from(piece % 251).unwrap(); size])).collect();
    Pieces { pieces, declared: None, pause: Duration::ZERO, sleeping: None, breaks: false }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let pause = self.pause;
        let sleeping = self.sleeping.get_or_insert_with(|| Box::pin(sleep(pause)));
        if sleeping.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.sleeping = None;
        if self.pieces.is_empty() {
            return Poll::Ready(self.breaks.then_some(Err("connection reset")));
        }
        Poll::Ready(Some(Ok(Frame::data(self.pieces.remove(0)))))
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map(SizeHint::with_exact).unwrap_or_default()
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn one_piece_is_not_copied() {
    let budget = Budget::new(MB);
    let sent = Bytes::from(vec![7; 1000]);
    let held = read(Full::new(sent.clone()), 2000, soon(), &budget).await.unwrap();
    assert_eq!(held.bytes.as_ptr(), sent.as_ptr());
    assert_eq!(held.bytes, sent);
    assert!(budget.used() > 0.0);
    drop(held);
    assert!(budget.used().abs() < f64::EPSILON);
}

#[tokio::test]
async fn pieces_are_put_together() {
    let budget = Budget::new(8 * MB);
    for declared in [None, Some(3_000_000)] {
        let body = Pieces { declared, ..pieces(300, 10_000) };
        let expected: Vec<u8> = body.pieces.concat();
        let held = read(body, 3_000_000, soon(), &budget).await.unwrap();
        assert_eq!(held.bytes, expected, "declared {declared:?}");
    }
    let held = read(Full::<Bytes>::default(), 10, soon(), &budget).await.unwrap();
    assert!(held.bytes.is_empty());
}

#[tokio::test]
async fn too_large_is_told_before_and_while_reading() {
    let budget = Budget::new(8 * MB);
    // Declared: nothing is read.
    let declared = Pieces { declared: Some(1001), ..pieces(0, 0) };
    assert_eq!(read(declared, 1000, soon(), &budget).await.err(), Some(Refusal::TooLarge));
    // Not declared: as soon as it is too much.
    assert_eq!(read(pieces(11, 100), 1000, soon(), &budget).await.err(), Some(Refusal::TooLarge));
    assert!(read(pieces(10, 100), 1000, soon(), &budget).await.is_ok());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_truncated() {
    let body = Pieces { breaks: true, declared: Some(1000), ..pieces(5, 100) };
    assert_eq!(read(body, 1000, soon(), &Budget::new(MB)).await.err(), Some(Refusal::BodyTruncated));
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_given_up_at_the_deadline() {
    let begun = Instant::now();
    let body = Pieces { pause: Duration::from_secs(1), ..pieces(1000, 1) };
    assert_eq!(read(body, 1000, soon(), &Budget::new(MB)).await.err(), Some(Refusal::BodyTimeout));
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_header_alone_takes_no_memory() {
    let budget = Budget::new(MB);
    // Twenty times the budget is declared and not sent.
    let read_all = futures_util::future::join_all((0..20).map(|_| {
        let body = Pieces { pause: Duration::from_secs(60), declared: Some(MB as u64), ..pieces(1, 1) };
        read(body, MB, soon(), &budget)
    }));
    let used = async {
        sleep(Duration::from_secs(1)).await;
        budget.used()
    };
    let (outcomes, used) = tokio::join!(read_all, used);
    assert!(used < 0.5, "{used}");
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().err() == Some(&Refusal::BodyTimeout)));
    assert!(budget.used().abs() < f64::EPSILON);
}

#[tokio::test]
async fn beyond_the_budget_it_is_crowded() {
    let budget = Budget::new(MB);
    let first = read(pieces(6, 100_000), MB, soon(), &budget).await.unwrap();
    assert_eq!(read(pieces(10, 100_000), MB, soon(), &budget).await.err(), Some(Refusal::Crowded));
    drop(first);
    assert!(read(pieces(5, 100_000), MB, soon(), &budget).await.is_ok());
}

#[tokio::test]
async fn trailers_are_not_part_of_it() {
    let frames = vec![
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"body"))),
        Ok(Frame::trailers(http::HeaderMap::new())),
    ];
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
    let held = read(body, 100, soon(), &Budget::new(MB)).await.unwrap();
    assert_eq!(held.bytes, "body");
}

#[tokio::test]
async fn what_is_not_wanted_is_taken_in_as_long_as_it_is_little() {
    let left = async |mut body: Pieces| {
        forget(&mut body).await;
        body.pieces.len()
    };
    assert_eq!(left(pieces(8, 8192)).await, 0, "64 KiB");
    assert_eq!(left(pieces(20, 8192)).await, 11, "one piece too much");
    assert_eq!(left(Pieces { declared: Some(70_000), ..pieces(5, 14_000) }).await, 5, "it says that it is large");
    assert_eq!(left(Pieces { breaks: true, ..pieces(3, 10) }).await, 0);
    let begun = Instant::now();
    assert_eq!(left(Pieces { pause: Duration::from_secs(60), ..pieces(3, 10) }).await, 3, "slow");
    assert!(begun.elapsed() < Duration::from_secs(30));
}
