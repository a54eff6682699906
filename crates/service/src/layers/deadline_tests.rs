use std::convert::Infallible;

use http::HeaderValue;
use tonic::Code;
use tower::{ServiceExt as _, service_fn};

use super::*;

const SHORT: Duration = Duration::from_millis(20);
/// Longer than any test may take.
const LONG: Duration = Duration::from_secs(3600);

fn headers(timeout: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("grpc-timeout"), HeaderValue::from_static(timeout))])
}

#[test]
fn what_the_caller_asks_for_is_read_and_what_is_malformed_is_nothing() {
    for (text, expected) in [
        ("1H", Some(Duration::from_secs(3600))),
        ("2M", Some(Duration::from_secs(120))),
        ("3S", Some(Duration::from_secs(3))),
        ("20m", Some(Duration::from_millis(20))),
        ("5u", Some(Duration::from_micros(5))),
        ("99999999n", Some(Duration::from_nanos(99_999_999))),
        ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
        ("100000000n", None),
        ("", None),
        ("m", None),
        ("1", None),
        ("1s", None),
        ("-1S", None),
        ("1 S", None),
        ("1.5S", None),
    ] {
        assert_eq!(asked(&headers(text)), expected, "{text:?}");
    }
    assert_eq!(asked(&HeaderMap::new()), None);
}

#[tokio::test]
async fn the_shorter_limit_ends_a_call() {
    for (limit, header) in
        [(Some(SHORT), None), (None, Some("20m")), (Some(LONG), Some("20m")), (Some(SHORT), Some("1H"))]
    {
        let never = service_fn(|_: Request<()>| std::future::pending::<Result<(), Infallible>>());
        let mut call = Request::new(());
        if let Some(header) = header {
            *call.headers_mut() = headers(header);
        }
        let error = DeadlineLayer::new(limit).layer(never).oneshot(call).await.unwrap_err();
        let status = error.downcast::<Status>().unwrap();
        assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "no answer within 20ms"));
    }
}

#[tokio::test]
async fn in_time_the_answer_is_that_of_the_service() {
    for limit in [Some(LONG), None] {
        let answers = service_fn(async |_: Request<()>| Ok::<_, Infallible>("here"));
        assert_eq!(DeadlineLayer::new(limit).layer(answers).oneshot(Request::new(())).await.unwrap(), "here");
        let fails = service_fn(async |_: Request<()>| Err::<(), _>(Status::not_found("gone")));
        let error = DeadlineLayer::new(limit).layer(fails).oneshot(Request::new(())).await.unwrap_err();
        assert_eq!(error.downcast::<Status>().unwrap().code(), Code::NotFound);
    }
}
