//! A disk that is full, and is not any more.

use std::fs;
use std::time::{Duration, Instant};

use weir_tests::disk::Disk;

use crate::system::System;
use crate::{compare, from_environment, send};

/// The embedded log keeps 1 GiB free.
const MEBIBYTES: u32 = 1400;
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_nothing_in_and_loses_nothing() {
    let Some(disk) = Disk::mount(MEBIBYTES).unwrap() else {
        println!("skipped: a small disk can be mounted by root only");
        return;
    };
    let system = System::embedded_on(disk.path()).await;
    let count = from_environment("WEIR_TEST_DELIVERIES", 4000);
    let (progress, mut watched) = tokio::sync::watch::channel(0);
    let fault = async {
        watched.wait_for(|answered| *answered >= count / 3).await.unwrap();
        let filler = disk.fill().unwrap();
        system.says("streaming_kafka", "failing").await;
        // What was under way has its answer by now; nothing is acknowledged while the disk is full.
        let before = *watched.borrow_and_update();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let meanwhile = *watched.borrow_and_update() - before;
        fs::remove_file(filler).unwrap();
        let freed = Instant::now();
        watched.wait_for(|answered| *answered >= before + meanwhile + 100).await.unwrap();
        println!("serving again {:.1} s after the disk had room", freed.elapsed().as_secs_f64());
        assert!(freed.elapsed() < RECOVERS_WITHIN, "{:?}", freed.elapsed());
    };
    let answered = |answered| {
        progress.send_replace(answered);
    };
    let (ledger, ()) = tokio::join!(send(&system, count, answered), fault);
    compare(&system, &ledger).await;
}
