//! What commits take of the processor while a table grows: beside a young table at the same time, each in a process of its
//! own, so that nothing else is counted, and whatever else the machine does concerns both.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use weir_tests::child::{self, Child};
use weir_tests::scratch::Scratch;
use weir_tests::{usage, wait};

use crate::files::rows;
use crate::place::{Loading as _, Place};

const FOLDER: &str = "LOADER_COST_FOLDER";
/// How many commits the table has when the measured ones begin.
const BEFORE: &str = "LOADER_COST_BEFORE";
/// The file that says: the commits that are measured can begin.
const READY: &str = "ready";
/// The file whose existence they wait for.
const GO: &str = "go";
const TIME: &str = "time";
/// Requests that come together: one of each partition of the topic.
const PARTITIONS: i32 = 4;
const YOUNG: i64 = 10;
const OLD: i64 = 200;
const MEASURED: i64 = 60;
const LIMIT: Duration = Duration::from_secs(300);

fn processor_time() -> Duration {
    usage::processor_time(std::process::id()).unwrap()
}

/// As `weir up` does: a file of each partition, again and again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the other test"]
#[expect(clippy::disallowed_methods, reason = "how the other test tells it what to do")]
async fn commits_in_a_process_of_their_own() {
    let (Ok(folder), Ok(before)) = (std::env::var(FOLDER), std::env::var(BEFORE)) else { return };
    let (folder, before) = (Path::new(&folder), before.parse::<i64>().unwrap());
    let place = Place::open(folder).await;
    let mut settings = place.settings.clone();
    settings.loader.commit_interval_ms = 10;
    // As often for each commit as in a minute of `weir up`, about.
    settings.loader.compact.interval_ms = 1000;
    let loader = place.start_as(&settings, None).await;
    let mut began = Duration::ZERO;
    for n in 0..before + MEASURED {
        if n == before {
            std::fs::write(folder.join(READY), "").unwrap();
            wait::until("the other is ready", LIMIT, || Ok(folder.join(GO).exists().then_some(()))).unwrap();
            began = processor_time();
        }
        let mut asked = Vec::new();
        for partition in 0..PARTITIONS {
            asked.push(place.range(partition, n * 10, n * 10 + 10).await);
        }
        place.ask(&asked.iter().collect::<Vec<_>>()).await;
        loader.until_done(u64::try_from(n + 1).unwrap() * 40).await;
    }
    let took = processor_time() - began;
    loader.stop().await;
    std::fs::write(folder.join(TIME), took.as_millis().to_string()).unwrap();
}

/// A table that is to have so many commits before those that are measured.
async fn begin(name: &'static str, before: i64) -> (Child, Scratch) {
    let kept = Place::new(name).await.leave().unwrap();
    let folder = kept.path();
    let mut command = child::command(std::env::current_exe().unwrap());
    command.args(["cost::commits_in_a_process_of_their_own", "--exact", "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).env(BEFORE, before.to_string()).stdin(Stdio::null());
    let child = Child::spawn(name, command).unwrap();
    let ready = folder.join(READY);
    wait::until("the commits before", LIMIT, || {
        anyhow::ensure!(child.exited()?.is_none(), "{name} has ended");
        Ok(ready.exists().then_some(()))
    })
    .unwrap();
    (child, kept)
}

/// Milliseconds for each of the measured commits.
fn cost(child: &Child, folder: &Path) -> f64 {
    let status = child.wait(LIMIT).unwrap();
    assert!(status.success(), "{status}");
    let took: f64 = std::fs::read_to_string(folder.join(TIME)).unwrap().parse().unwrap();
    took / f64::from(i32::try_from(MEASURED).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_takes_as_much_of_the_processor_as_two_hundred_commits_before() {
    let (old, old_table) = begin("cost-old", OLD).await;
    let (young, young_table) = begin("cost-young", YOUNG).await;
    for table in [&old_table, &young_table] {
        std::fs::write(table.path().join(GO), "").unwrap();
    }
    let (later, at_first) = (cost(&old, old_table.path()), cost(&young, young_table.path()));
    println!("{at_first:.1} ms of processor for a commit at first, {later:.1} ms later");
    assert!(later < 1.5 * at_first, "a commit takes {later:.1} ms, and of a young table {at_first:.1} ms");

    let place = Place::open(old_table.path()).await;
    let expected: Vec<_> = (0..PARTITIONS).flat_map(|partition| rows(partition, 0..(OLD + MEASURED) * 10)).collect();
    place.assert_has(&expected);
    let files = place.count().await.files;
    assert!(files < 150, "{files} files of a day");
}
