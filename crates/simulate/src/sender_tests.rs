use std::sync::Mutex;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;
use crate::{Config, Endpoints, Generator};

/// A door that answers the attempts at each delivery by a script, and counts them.
async fn door(
    script: &'static [(u16, Option<&'static str>)],
) -> (String, Arc<Mutex<BTreeMap<Bytes, usize>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen: Arc<Mutex<BTreeMap<Bytes, usize>>> = Arc::default();
    let mut tasks = JoinSet::new();
    let counted = seen.clone();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let counted = counted.clone();
            connections.spawn(async move {
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let counted = counted.clone();
                    async move {
                        let body = request.into_body().collect().await?.to_bytes();
                        let attempt = {
                            let mut counted = counted.lock().unwrap();
                            let count = counted.entry(body).or_default();
                            *count += 1;
                            *count - 1
                        };
                        let (status, retry_after) = script[attempt.min(script.len() - 1)];
                        let mut answer = http::Response::builder().status(status);
                        if let Some(retry_after) = retry_after {
                            answer = answer.header("retry-after", retry_after);
                        }
                        Ok::<_, hyper::Error>(answer.body(Full::new(Bytes::from_static(b"ok"))).unwrap())
                    }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (url, seen, tasks)
}

fn generator(mix: &str) -> (Generator, Signer) {
    let endpoints = Arc::new(Endpoints::for_tests());
    let signer = Signer::new(&endpoints);
    let config = Config { mix: mix.parse().unwrap(), ..Config::new(endpoints, 1, 1_780_000_000_000) };
    (Generator::new(config).unwrap(), signer)
}

async fn run(mix: &str, options: Options, shutdown: &CancellationToken) -> (Summary, Vec<(SendOutcome, u32)>) {
    let (generator, signer) = generator(mix);
    let mut seen = Vec::new();
    let summary =
        send(generator, signer, &options, shutdown, |sent| seen.push((sent.outcome, sent.attempts))).await.unwrap();
    (summary, seen)
}

#[tokio::test]
async fn what_is_answered_with_2xx_is_acknowledged() {
    let (url, bodies, _tasks) = door(&[(200, None)]).await;
    let options = Options { count: Some(200), ..Options::new(url) };
    let (summary, seen) = run("facebook=1,github=1,standard=1", options, &CancellationToken::new()).await;
    assert_eq!((summary.acknowledged, summary.sent(), summary.retries), (200, 200, 0));
    assert_eq!(summary.statuses, BTreeMap::from([(200, 200)]));
    assert!(summary.events >= 200);
    assert_eq!(summary.latencies.count(), 200);
    assert_eq!(bodies.lock().unwrap().len(), 200);
    assert!(seen.iter().all(|sent| *sent == (SendOutcome::Acknowledged, 1)));
}

#[tokio::test]
async fn meta_tries_again_with_the_same_body() {
    let (url, bodies, _tasks) = door(&[(503, Some("0")), (429, Some("0")), (200, None)]).await;
    let options = Options { count: Some(20), ..Options::new(url) };
    let (summary, seen) = run("facebook=1", options, &CancellationToken::new()).await;
    assert_eq!((summary.acknowledged, summary.retries), (20, 40));
    assert!(seen.iter().all(|sent| *sent == (SendOutcome::Acknowledged, 3)));
    assert!(bodies.lock().unwrap().values().all(|attempts| *attempts == 3));
}

#[tokio::test]
async fn github_does_not_try_again_and_nobody_knows() {
    let (url, bodies, _tasks) = door(&[(503, Some("0")), (200, None)]).await;
    let options = Options { count: Some(20), ..Options::new(url) };
    let (summary, _) = run("github=1", options, &CancellationToken::new()).await;
    assert_eq!((summary.acknowledged, summary.indeterminate, summary.unexpected), (0, 20, 20));
    assert!(bodies.lock().unwrap().values().all(|attempts| *attempts == 1));
}

#[tokio::test]
async fn what_is_refused_stays_refused() {
    let (url, _, _tasks) = door(&[(401, None)]).await;
    let options = Options { count: Some(5), ..Options::new(url) };
    let (summary, seen) = run("facebook=1", options, &CancellationToken::new()).await;
    assert_eq!((summary.refused, summary.retries), (5, 0));
    assert!(seen.iter().all(|sent| *sent == (SendOutcome::Refused, 1)));
}

/// A door may have put it on the log and not been able to say so; the next one's clock is wrong, and it is refused there.
#[tokio::test]
async fn what_is_refused_after_an_attempt_without_an_answer_may_have_been_taken() {
    let (url, _, _tasks) = door(&[(503, Some("0")), (401, None)]).await;
    let options = Options { count: Some(20), ..Options::new(url) };
    let (summary, seen) = run("standard=1", options, &CancellationToken::new()).await;
    assert!(seen.iter().all(|sent| *sent == (SendOutcome::Indeterminate, 2)), "{seen:?}");
    assert_eq!(summary.statuses, BTreeMap::from([(401, 20)]));
}

#[tokio::test]
async fn without_a_door_all_is_indeterminate() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let options =
        Options { count: Some(3), retry_for: Duration::from_millis(600), ..Options::new(format!("http://{free}")) };
    let (summary, seen) = run("facebook=1", options, &CancellationToken::new()).await;
    assert_eq!((summary.indeterminate, summary.statuses.len()), (3, 0));
    assert!(seen.iter().all(|(outcome, attempts)| *outcome == SendOutcome::Indeterminate && *attempts > 1));
}

#[tokio::test]
async fn the_rate_is_kept_and_a_shutdown_ends_it() {
    let (url, _, _tasks) = door(&[(200, None)]).await;
    let shutdown = CancellationToken::new();
    let options = Options { rate: Some(100.0), ..Options::new(url) };
    let stop = async {
        sleep(Duration::from_millis(500)).await;
        shutdown.cancel();
    };
    let ((summary, _), ()) = tokio::join!(run("facebook=1", options, &shutdown), stop);
    assert!((20..=52).contains(&summary.sent()), "{}", summary.sent());
    assert_eq!(summary.sent(), summary.acknowledged);
}

#[tokio::test]
async fn wrong_options_are_named() {
    for url in ["127.0.0.1:8080", "https://127.0.0.1", "http://127.0.0.1/webhooks", "", "http://"] {
        let (generator, signer) = generator("facebook=1");
        let result = send(generator, signer, &Options::new(url), &CancellationToken::new(), |_| {}).await;
        assert!(matches!(result, Err(Error::Url(_))), "{url}");
    }
    for rate in [0.0, -1.0, f64::NAN] {
        let (generator, signer) = generator("facebook=1");
        let options = Options { rate: Some(rate), ..Options::new("http://127.0.0.1:1") };
        let result = send(generator, signer, &options, &CancellationToken::new(), |_| {}).await;
        assert!(matches!(result, Err(Error::Rate(_))), "{rate}");
    }
}
