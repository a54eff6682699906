//! What commits take of the processor while a table grows: in a process of its own, so that nothing else is counted.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use weir_tests::child::{self, Child};
use weir_tests::usage;

use crate::files::rows;
use crate::place::{Loading as _, Place};

const FOLDER: &str = "LOADER_COST_FOLDER";
const TIMES: &str = "times";
/// Requests that come together: one of each partition of the topic.
const PARTITIONS: i32 = 4;
/// The first of a piece of the run, and the first after it.
const PIECES: [i64; 4] = [10, 40, 200, 230];

fn processor_time() -> Duration {
    usage::processor_time(std::process::id()).unwrap()
}

/// As `weir up` does: a file of each partition, again and again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is run by the other test"]
#[expect(clippy::disallowed_methods, reason = "how the other test tells it what to do")]
async fn commits_in_a_process_of_their_own() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let place = Place::open(Path::new(&folder)).await;
    let mut settings = place.settings.clone();
    settings.loader.commit_interval_ms = 10;
    // As often for each commit as in a minute of `weir up`, about.
    settings.loader.compact.interval_ms = 1000;
    let loader = place.start_as(&settings, None).await;
    let mut times = String::new();
    for n in 0..=PIECES[3] {
        if PIECES.contains(&n) {
            writeln!(times, "{}", processor_time().as_millis()).unwrap();
        }
        let mut asked = Vec::new();
        for partition in 0..PARTITIONS {
            asked.push(place.range(partition, n * 10, n * 10 + 10).await);
        }
        place.ask(&asked.iter().collect::<Vec<_>>()).await;
        loader.until_done(u64::try_from(n + 1).unwrap() * 40).await;
    }
    loader.stop().await;
    std::fs::write(Path::new(&folder).join(TIMES), times).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_takes_as_much_of_the_processor_as_two_hundred_commits_before() {
    let place = Place::new("cost").await;
    let folder = place.folder().to_owned();
    let kept = place.leave();
    let mut command = child::command(std::env::current_exe().unwrap());
    command.args(["cost::commits_in_a_process_of_their_own", "--exact", "--ignored", "--nocapture"]);
    command.env(FOLDER, &folder).stdin(Stdio::null());
    let status = Child::spawn("commits", command).unwrap().wait(Duration::from_secs(300)).unwrap();
    assert!(status.success(), "{status}");
    let times = std::fs::read_to_string(folder.join(TIMES)).unwrap();
    let times: Vec<f64> = times.lines().map(|line| line.parse().unwrap()).collect();
    let each = |from: usize| (times[from + 1] - times[from]) / 30.0;
    println!("{:.1} ms of processor for a commit at first, {:.1} ms later", each(0), each(2));
    assert!(each(2) < 1.5 * each(0), "a commit takes {:.1} ms, and took {:.1} ms", each(2), each(0));

    let place = Place::open(&folder).await;
    let expected: Vec<_> = (0..PARTITIONS).flat_map(|partition| rows(partition, 0..(PIECES[3] + 1) * 10)).collect();
    place.assert_has(&expected);
    let files = place.count().await.files;
    assert!(files < 150, "{files} files of a day");
    drop(kept);
}
