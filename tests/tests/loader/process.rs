//! Loaders as processes: killed and paused in the middle of a commit.
//!
//! The process is this test binary once more, with a store that stops where the test wants it to. It tells where it is,
//! and is told to go on, by files in its folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use weir_tests::child::{self, Child, Signal};
use weir_tests::wait;

use crate::faults::{Commits, Faulty};
use crate::files::rows;
use crate::place::{LIMIT, Loading as _, Place};

const FOLDER: &str = "LOADER_TEST_FOLDER";
const WHAT: &str = "LOADER_TEST_WHAT";
const REACHED: &str = "reached";
const GO: &str = "go";

/// Starts a loader of its own on the log in the folder, and waits until it has come to its commit.
fn start(folder: &Path, what: &str) -> Child {
    let mut command = child::command(std::env::current_exe().unwrap());
    command.args(["process::a_loader_in_a_process_of_its_own", "--exact", "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).env(WHAT, what).stdin(Stdio::null());
    let process = Child::spawn("a loader", command).unwrap();
    wait::until("the loader comes to its commit", LIMIT, || {
        anyhow::ensure!(process.exited()?.is_none(), "it ended before");
        Ok(folder.join(REACHED).exists().then_some(()))
    })
    .unwrap();
    process
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the other tests"]
#[expect(clippy::disallowed_methods, reason = "how the other tests tell it what to do")]
async fn a_loader_in_a_process_of_its_own() {
    let (Ok(folder), Ok(what)) = (std::env::var(FOLDER), std::env::var(WHAT)) else { return };
    let folder = PathBuf::from(folder);
    let place = Place::open(&folder).await;
    let what = if what == "wait" { Commits::Wait } else { Commits::WrittenAndStuck };
    let store = Faulty::new(&place, what, 1);
    let loader = place.start_on(store.clone()).await;
    store.reached.notified().await;
    std::fs::write(folder.join(REACHED), "").unwrap();
    while !folder.join(GO).exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.go.add_permits(1);
    loader.until_idle().await;
    loader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_killed_between_commit_and_acknowledgement_loads_nothing_twice() {
    let place = Place::new("killed").await;
    let folder = place.folder().to_owned();
    place.ask(&[&place.range(0, 0, 10).await, &place.range(0, 10, 20).await]).await;
    let _kept = place.leave();
    let process = start(&folder, "written-and-stuck");
    process.kill().unwrap();

    let place = Place::open(&folder).await;
    let committed = place.count().await.rows;
    assert!(committed >= 10, "the commit is there");
    let loader = place.start().await;
    loader.until_idle().await;
    let count = loader.counted();
    loader.stop().await;
    assert_eq!((count.taken_in, count.dropped["already_loaded"]), (20, committed), "all came again");
    place.assert_has(&rows(0, 0..20));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_paused_before_its_commit_and_overtaken_loads_nothing_twice() {
    let paused = Place::new("paused").await;
    let folder = paused.folder().to_owned();
    let (one, two) = (paused.range(0, 0, 10).await, paused.range(0, 10, 20).await);
    paused.ask(&[&one]).await;
    let other = Place::beside(&paused, "goes-on").await;
    let kept = paused.leave();
    let process = start(&folder, "wait");
    process.signal(Signal::Stop).unwrap();

    let loader = other.start().await;
    other.ask(&[&one, &two]).await;
    loader.until_done(20).await;
    loader.stop().await;
    process.signal(Signal::Cont).unwrap();
    std::fs::write(folder.join(GO), "").unwrap();
    let status = process.wait(LIMIT).unwrap();
    assert!(status.success(), "{status}");
    other.assert_has(&rows(0, 0..20));
    assert_eq!(other.count().await.rows, 20);
    drop(kept);
}
