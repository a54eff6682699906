//! A disk that is full, and is not any more.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use weir_tests::scratch::Scratch;

use crate::system::System;
use crate::{compare, from_environment, send};

/// The embedded log keeps 1 GiB free.
const SIZE: &str = "size=1400m";
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);

/// A small disk, in memory.
struct Disk(Scratch);

impl Disk {
    /// None: who runs the test may not mount one.
    fn mount() -> Option<Self> {
        let scratch = Scratch::new("disk").unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "weir-test"]).arg(scratch.path()).output();
        mount.is_ok_and(|mounted| mounted.status.success()).then_some(Self(scratch))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last block.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut file = File::create(&path).unwrap();
        let block = vec![1; 1 << 20];
        while file.write_all(&block).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still have a file open.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_nothing_in_and_loses_nothing() {
    let Some(disk) = Disk::mount() else {
        println!("skipped: a small disk can be mounted by root only");
        return;
    };
    let system = System::embedded_on(disk.path()).await;
    let count = from_environment("WEIR_TEST_DELIVERIES", 4000);
    let (progress, mut watched) = tokio::sync::watch::channel(0);
    let fault = async {
        watched.wait_for(|answered| *answered >= count / 3).await.unwrap();
        let filler = disk.fill();
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
