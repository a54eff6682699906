//! The time limit of a gRPC call.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request};
use tonic::Status;
use tower::{BoxError, Layer, Service};

/// Ends a call with `DEADLINE_EXCEEDED` when no answer has begun in time: `limit`, or what the caller asks for in
/// `grpc-timeout` where that is shorter.
///
/// It is our own because tower's knows one limit for all calls, and tonic's answers `CANCELLED`, which says that the
/// caller went away.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadlineLayer {
    limit: Option<Duration>,
}

impl DeadlineLayer {
    /// None: only what the caller asks for.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, limit: self.limit }
    }
}

/// The service of [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    limit: Option<Duration>,
}

impl<S, B> Service<Request<B>> for Deadline<S>
where
    S: Service<Request<B>, Future: Send + 'static, Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let limit = asked(request.headers()).into_iter().chain(self.limit).min();
        let call = self.inner.call(request);
        let Some(limit) = limit else { return Box::pin(async move { call.await.map_err(Into::into) }) };
        // The time runs from here, and so ends no later than that of tonic around it, which looks at the header too.
        let call = tokio::time::timeout(limit, call);
        Box::pin(async move {
            match call.await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(Status::deadline_exceeded(format!("no answer within {limit:?}")).into()),
            }
        })
    }
}

/// The time that the caller gives: at most eight digits and a unit, in `grpc-timeout`. What is malformed is no limit.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "deadline_tests.rs"]
mod tests;
