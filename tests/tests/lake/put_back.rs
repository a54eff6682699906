//! The log is put back from a copy, and the lake is not.

use std::fs;
use std::path::Path;

use weir_tests::scratch::Scratch;

use crate::send_from;
use crate::system::System;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_comes_afterwards_is_taken_for_loaded() {
    let disk = Scratch::new("put-back").unwrap();
    let (log, kept) = (disk.path().join("data/log"), disk.path().join("kept"));
    let system = System::embedded_on(disk.path()).await;
    let (first, _) = send_from(&system, 0, 100, |_| ()).await.bounds();
    assert!(system.wait_for_rows(first).await >= first);
    system.stop("weir").await;
    drop(system);
    copy(&log, &kept);

    let system = System::embedded_on(disk.path()).await;
    let (second, _) = send_from(&system, 1_000_000, 300, |_| ()).await.bounds();
    assert!(system.wait_for_rows(first + second).await >= first + second);
    system.stop("weir").await;
    let before = system.in_lake().await;
    drop(system);

    fs::remove_dir_all(&log).unwrap();
    copy(&kept, &log);
    let system = System::embedded_on(disk.path()).await;
    // Before anything came: whatever the log comes to afterwards, it is known.
    system.says("loader_held", "failing").await;
    send_from(&system, 2_000_000, 300, |_| ()).await;
    let activities = system.on_topic("activities").await;
    system.says("loader_held", "failing").await;
    // Each is in the lake, or waits for somebody to look; none was passed over.
    let dropped = system.dropped("loader", "already_loaded").await;
    assert_eq!(dropped, 0, "of {} activities", activities.len());
    let lake = system.in_lake().await;
    assert!(before.keys().all(|id| lake.get(id) == Some(&1)), "what was loaded is as it was");
    assert!(lake.values().all(|times| *times == 1), "nothing is there twice");
}
