//! The window of errors: one suite for the back end in memory and for that in Redis.

use std::time::{Duration, SystemTime};

use common::health::v1::{Digest, RecentErrors};
use health_check::errors::entry::{Series, entries_of};
use health_check::errors::memory::Memory;
use health_check::errors::redis::Shared;
use prost_types::Timestamp;
use weir_tests::redis::{Options, Redis};

const WINDOW: Duration = Duration::from_secs(1800);
const LIMIT: Duration = Duration::from_secs(2);

enum Window {
    Memory(Memory),
    Redis(Box<Shared>),
}

impl Window {
    async fn exchange(&mut self, digest: &Digest, now: SystemTime) -> Vec<Series> {
        let entries = entries_of(digest, now);
        match self {
            Window::Memory(memory) => {
                memory.add(entries, now);
                memory.series(now)
            }
            Window::Redis(shared) => shared.exchange(&entries, now).await.unwrap(),
        }
    }
}

fn at(seconds: i64) -> SystemTime {
    SystemTime::try_from(stamp(seconds)).unwrap()
}

fn stamp(seconds: i64) -> Timestamp {
    Timestamp { seconds: 1_772_368_496 + seconds, nanos: 0 }
}

/// What a loader that was started then tells: of each entry its number, when, its text, and how many.
fn digest(instance: &str, start: i64, now: i64, errors: &[(u64, i64, &str, u64)]) -> Digest {
    let error = |&(number, when, text, count): &(u64, i64, &str, u64)| RecentErrors {
        number,
        hop: "loader".to_owned(),
        endpoint: "hub".to_owned(),
        kind: "logged".to_owned(),
        text: text.to_owned(),
        count,
        at: Some(stamp(when)),
        last_at: Some(stamp(when)),
    };
    Digest {
        instance: instance.to_owned(),
        started_at: Some(stamp(start)),
        at: Some(stamp(now)),
        errors: errors.iter().map(error).collect(),
        ..Digest::default()
    }
}

/// Instance, text, count, and the seconds of the first and the last.
fn told(series: &[Series]) -> Vec<(String, String, u64, [i64; 2])> {
    let seconds = |at: SystemTime| Timestamp::from(at).seconds - stamp(0).seconds;
    let one = |series: &Series| {
        let times = [seconds(series.first_at), seconds(series.last_at)];
        (series.about.instance.clone(), series.text.clone(), series.count, times)
    };
    series.iter().map(one).collect()
}

fn row(instance: &str, text: &str, count: u64, times: [i64; 2]) -> (String, String, u64, [i64; 2]) {
    (instance.to_owned(), text.to_owned(), count, times)
}

async fn suite(mut window: Window) {
    // It grows, is read again, and an older answer comes late.
    let first = digest("a", 0, 5, &[(1, 1, "port 80 is closed", 2)]);
    assert_eq!(told(&window.exchange(&first, at(5)).await), [row("a", "port 80 is closed", 2, [1, 1])]);
    let second = digest("a", 0, 10, &[(1, 1, "port 80 is closed", 5), (2, 8, "no <room>\u{2026}", 1)]);
    let both = [row("a", "no <room>\u{2026}", 1, [8, 8]), row("a", "port 80 is closed", 5, [1, 1])];
    assert_eq!(told(&window.exchange(&second, at(10)).await), both);
    assert_eq!(told(&window.exchange(&second, at(10)).await), both);
    assert_eq!(told(&window.exchange(&first, at(11)).await), both);
    // Started anew, its numbers begin again; another worker has numbers of its own; other numbers in a text are the same.
    let anew = digest("a", 20, 25, &[(1, 21, "port 443 is closed", 3)]);
    let both = [row("a", "no <room>\u{2026}", 1, [8, 8]), row("a", "port 443 is closed", 8, [1, 21])];
    assert_eq!(told(&window.exchange(&anew, at(25)).await), both);
    let other = digest("b", 0, 30, &[(1, 29, "port 80 is closed", 7)]);
    let three = [&both[..], &[row("b", "port 80 is closed", 7, [29, 29])]].concat();
    assert_eq!(told(&window.exchange(&other, at(30)).await), three);
    // Each leaves the window with its time.
    let none = digest("c", 0, 1801, &[]);
    let left = [
        row("a", "no <room>\u{2026}", 1, [8, 8]),
        row("a", "port 443 is closed", 3, [21, 21]),
        row("b", "port 80 is closed", 7, [29, 29]),
    ];
    assert_eq!(told(&window.exchange(&none, at(1801)).await), left);
    assert_eq!(told(&window.exchange(&none, at(1821)).await), [row("b", "port 80 is closed", 7, [29, 29])]);
    // What is older is not taken in.
    let old = digest("a", 0, 1829, &[(1, 1, "port 80 is closed", 2)]);
    assert_eq!(told(&window.exchange(&old, at(1829)).await), []);
    // Of one entry a thousand count.
    let flood = digest("d", 0, 1829, &[(1, 1829, "flood", 5_000_000)]);
    assert_eq!(told(&window.exchange(&flood, at(1829)).await), [row("d", "flood", 1000, [1829, 1829])]);
}

#[tokio::test]
async fn each_error_counts_once_within_the_window_in_memory() {
    suite(Window::Memory(Memory::new(WINDOW))).await;
}

#[tokio::test]
async fn each_error_counts_once_within_the_window_in_redis() {
    let redis = Redis::start(Options::default()).unwrap();
    suite(Window::Redis(Box::new(Shared::open(&redis.url(), "", WINDOW, LIMIT).unwrap()))).await;
}

#[tokio::test]
async fn several_count_each_error_once_and_one_that_is_new_knows_all() {
    let redis = Redis::start(Options::default()).unwrap();
    let open = || Window::Redis(Box::new(Shared::open(&redis.url(), "", WINDOW, LIMIT).unwrap()));
    let (mut one, mut other) = (open(), open());
    let digest = |count| digest("a", 0, 5, &[(1, 1, "it failed", count)]);
    one.exchange(&digest(40), at(5)).await;
    assert_eq!(told(&other.exchange(&digest(30), at(6)).await)[0].2, 40);
    assert_eq!(told(&other.exchange(&digest(60), at(7)).await)[0].2, 60);
    assert_eq!(told(&one.exchange(&digest(50), at(8)).await)[0].2, 60);
    // Who was started anew asks of a worker that has ended meanwhile.
    assert_eq!(told(&open().exchange(&Digest::default(), at(9)).await), [row("a", "it failed", 60, [1, 1])]);
    // Nothing stays for ever.
    let left: u64 = redis.ask("TTL weir:errors::series").unwrap()[1..].parse().unwrap();
    assert!((1700..=1800).contains(&left), "{left}");
    assert_eq!(redis.ask("DBSIZE").unwrap(), ":3");
    // However many errors there are, an entry takes the room of one.
    let count = r#"EVAL "return redis.call('ZCARD', redis.call('KEYS', 'weir:errors::of:*')[1])" 0"#;
    assert_eq!(redis.ask(count).unwrap(), ":1");
}

#[tokio::test]
async fn installations_on_one_store_are_apart() {
    let redis = Redis::start(Options::default()).unwrap();
    let open = |name| Window::Redis(Box::new(Shared::open(&redis.url(), name, WINDOW, LIMIT).unwrap()));
    let (mut staging, mut production) = (open("staging"), open("production"));
    staging.exchange(&digest("a", 0, 5, &[(1, 1, "it failed", 40)]), at(5)).await;
    assert_eq!(told(&production.exchange(&digest("a", 0, 5, &[(1, 1, "it failed", 3)]), at(5)).await)[0].2, 3);
    assert_eq!(told(&staging.exchange(&Digest::default(), at(6)).await)[0].2, 40);
}

#[tokio::test]
async fn a_clock_that_is_wrong_takes_nothing_from_the_others() {
    let redis = Redis::start(Options::default()).unwrap();
    let open = || Shared::open(&redis.url(), "", WINDOW, LIMIT).unwrap();
    let (mut right, mut wrong) = (open(), open());
    #[allow(clippy::disallowed_methods, reason = "the store has the clock of this machine")]
    let now = SystemTime::now();
    let seconds = Timestamp::from(now).seconds - stamp(0).seconds;
    let digest = digest("a", 0, seconds, &[(1, seconds - 1, "it failed", 40)]);
    let count = |series: Vec<Series>| told(&series)[0].2;
    assert_eq!(count(right.exchange_now(&entries_of(&digest, now), now).await.unwrap()), 40);
    for ahead in [now + WINDOW * 2, now - WINDOW * 2] {
        let error = wrong.exchange_now(&entries_of(&digest, ahead), ahead).await.unwrap_err().to_string();
        assert!(error.contains("differ by 3"), "{error}");
    }
    assert_eq!(count(right.exchange_now(&[], now).await.unwrap()), 40);
}

#[tokio::test]
async fn one_that_is_away_is_told_in_time_and_hears_all_when_it_is_back() {
    let mut redis = Redis::start(Options::default()).unwrap();
    let mut shared = Shared::open(&redis.url(), "", WINDOW, LIMIT).unwrap();
    let entries = entries_of(&digest("a", 0, 5, &[(1, 1, "it failed", 4)]), at(5));
    assert_eq!(told(&shared.exchange(&entries, at(5)).await.unwrap())[0].2, 4);
    redis.kill().unwrap();
    let asked = std::time::Instant::now();
    assert!(shared.exchange(&entries, at(6)).await.is_err());
    assert!(asked.elapsed() < LIMIT * 3, "{:?}", asked.elapsed());
    // It is empty then.
    redis.restart().unwrap();
    assert_eq!(told(&shared.exchange(&entries, at(7)).await.unwrap())[0].2, 4);
}
