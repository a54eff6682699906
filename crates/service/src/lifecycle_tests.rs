use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::anyhow;
use tonic::service::Routes;

use super::*;
use crate::host::test_host;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

/// Runs `service` with these signals sent at these times after the start.
async fn run<F: Future<Output = anyhow::Result<()>>>(
    host: &Host,
    service: F,
    deadline: Duration,
    at: &'static [u64],
) -> End {
    let (to_us, mut signals) = mpsc::channel(2);
    let sender = host.clone();
    let mut sending = tokio::task::JoinSet::new();
    sending.spawn(async move {
        for wait in at {
            tokio::time::sleep(Duration::from_millis(*wait)).await;
            to_us.send("SIGTERM").await.unwrap();
        }
        let _keep_open = (to_us, sender);
        std::future::pending::<()>().await;
    });
    let mut service = Box::pin(service);
    supervise(host, service.as_mut(), deadline, &mut signals).await
}

#[tokio::test]
async fn a_service_that_ends_by_itself_is_done() {
    let host = test_host("done");
    host.serve(Routes::default()).await.unwrap();
    assert_eq!(run(&host, async { Ok(()) }, LONG, &[]).await, End::Done);
    assert!(host.shutdown().is_cancelled(), "other tasks hear of it");
}

#[tokio::test]
async fn an_error_and_a_panic_are_failures() {
    assert_eq!(run(&test_host("error"), async { Err(anyhow!("no")) }, LONG, &[]).await, End::Failed);
    let panics = async { if true { panic!("on purpose") } else { Ok(()) } };
    assert_eq!(run(&test_host("panic"), panics, LONG, &[]).await, End::Failed);
}

#[tokio::test]
async fn a_signal_drains_service_and_tasks() {
    let host = test_host("drain");
    host.serve(Routes::default()).await.unwrap();
    let drained = Arc::new(AtomicBool::new(false));
    let (flag, shutdown) = (Arc::clone(&drained), host.shutdown().clone());
    host.tasks().spawn(async move {
        shutdown.cancelled().await;
        tokio::time::sleep(SHORT).await;
        flag.store(true, Ordering::SeqCst);
    });
    let shutdown = host.shutdown().clone();
    let service = async move {
        shutdown.cancelled().await;
        Ok(())
    };
    assert_eq!(run(&host, service, LONG, &[50]).await, End::Done);
    assert!(drained.load(Ordering::SeqCst), "the task was not waited for");
}

#[tokio::test]
async fn an_error_while_draining_is_a_failure() {
    let host = test_host("late");
    let shutdown = host.shutdown().clone();
    let service = async move {
        shutdown.cancelled().await;
        Err(anyhow!("cannot commit"))
    };
    assert_eq!(run(&host, service, LONG, &[10]).await, End::Failed);
}

#[tokio::test]
async fn the_deadline_ends_what_hangs() {
    let before = Instant::now();
    let host = test_host("deadline");
    assert_eq!(run(&host, std::future::pending(), SHORT, &[10]).await, End::Deadline);
    assert!(before.elapsed() >= SHORT && before.elapsed() < LONG / 2, "{:?}", before.elapsed());

    let host = test_host("task");
    host.tasks().spawn(std::future::pending::<()>());
    assert_eq!(run(&host, async { Ok(()) }, SHORT, &[]).await, End::Deadline, "a task that hangs, too");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let before = Instant::now();
    let host = test_host("second");
    assert_eq!(run(&host, std::future::pending(), LONG, &[10, 100]).await, End::SecondSignal);
    assert!(before.elapsed() < LONG / 2, "{:?}", before.elapsed());
}

#[test]
fn every_end_has_its_own_code() {
    let codes = [End::Done, End::Failed, End::Deadline, End::SecondSignal].map(End::exit_code);
    assert_eq!(codes, [0, 1, 75, 76]);
}
