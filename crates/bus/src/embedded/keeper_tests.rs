use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::*;
use crate::{Bus, Clock, Headers, Record, Start, TopicKind, TopicSpec};

struct Here {
    bus: Bus,
    /// What the wall clock says, and what it would say if nobody had set it.
    wall: Arc<AtomicU64>,
    seconds: Arc<AtomicU64>,
    log: Arc<Log>,
    seen: std::cell::RefCell<Compacted>,
    _folder: tempfile::TempDir,
}

const DAY: u64 = 24 * 3600;
const WEEK: Duration = Duration::from_secs(7 * DAY);

async fn here(kind: TopicKind) -> Here {
    let folder = tempfile::tempdir().unwrap();
    let time = || Arc::new(AtomicU64::new(1_700_000_000));
    let (wall, seconds) = (time(), time());
    let now = |of: &Arc<AtomicU64>| {
        let of = of.clone();
        move || Duration::from_secs(of.load(Ordering::SeqCst))
    };
    let of_wall = now(&wall);
    let clock = Clock::new(move || SystemTime::UNIX_EPOCH + of_wall()).with_monotonic(now(&seconds));
    let settings = super::super::tests::settings(folder.path());
    let bus = Bus::open_with_clock(&settings, clock).unwrap();
    let spec = TopicSpec { name: "things".to_owned(), kind };
    assert_eq!(bus.prepare_topics(&[spec]).await.unwrap(), []);
    let log = super::super::tests::log(&settings);
    Here { bus, wall, seconds, log, seen: Default::default(), _folder: folder }
}

impl Here {
    async fn send(&self, key: &str, value: Option<&str>) {
        let value = value.map(|value| value.as_bytes().to_vec());
        let record = Record { topic: "things".into(), key: key.into(), payload: value, headers: Headers::default() };
        self.bus.producer().unwrap().try_send(record).unwrap().await.unwrap();
    }

    async fn read(&self, start: Start) -> Vec<(i64, String)> {
        let mut reader = self.bus.reader(&["things".to_owned()], start).await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = reader.next_until_end().await.unwrap() {
            let value = record.payload.map_or("gone".to_owned(), |value| String::from_utf8_lossy(&value).into_owned());
            records.push((record.coordinates.offset, value));
        }
        records
    }

    fn pass(&self) {
        pass(&self.log, &mut self.seen.borrow_mut()).unwrap();
    }

    /// So much time passes, and the keeper looks every minute of it that matters.
    fn run(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
        self.wall.fetch_add(seconds, Ordering::SeqCst);
        self.pass();
    }

    fn set_clock(&self, seconds: i64) {
        self.wall.store(self.wall.load(Ordering::SeqCst).strict_add_signed(seconds), Ordering::SeqCst);
    }

    /// Where reading begins that looks for this time, as far from the beginning as it is.
    async fn first_at(&self, seconds: i64) -> Option<i64> {
        let time = common::time::from_millis((1_700_000_000 + seconds) * 1000);
        self.read(Start::AtTime(time)).await.first().map(|(offset, _)| *offset)
    }
}

#[tokio::test]
async fn records_go_when_they_have_had_their_time() {
    let here = here(TopicKind::Log { retention: Duration::from_secs(100) }).await;
    for number in 0..10 {
        here.send("key", Some(&number.to_string())).await;
        here.run(20);
    }
    // It is 200, so that what is of 100 and later stays.
    assert_eq!(here.read(Start::Beginning).await.first(), Some(&(5, "5".to_owned())));
    assert_eq!(here.first_at(0).await, Some(5));
    here.pass();
    assert_eq!(here.read(Start::Beginning).await.len(), 5, "looking again changes nothing");
    here.run(1000);
    assert_eq!(here.read(Start::Beginning).await, []);
    here.set_clock(-5000);
    here.send("key", Some("next")).await;
    assert_eq!(here.read(Start::Beginning).await, [(10, "next".to_owned())], "offsets go on");
}

/// The issue of a clock that is 40 (or 8) days ahead for 75 s: two passes, and back.
#[tokio::test]
async fn a_clock_that_is_wrong_for_a_minute_destroys_nothing() {
    let here = here(TopicKind::Log { retention: WEEK }).await;
    for wrong in [40, 8, -8, -40].map(|days| days * 24 * 3600) {
        let before = here.read(Start::Beginning).await.len();
        here.send("key", Some("before")).await;
        here.run(60);
        assert_eq!(here.bus.keeping().unwrap().clock_jumped_by, None);
        here.set_clock(wrong);
        here.pass();
        let jumped = here.bus.keeping().unwrap().clock_jumped_by.unwrap();
        assert_eq!(jumped, format!("{:+} days 0 h", wrong / 24 / 3600));
        here.send("key", Some("meanwhile")).await;
        here.run(60);
        here.run(15);
        here.set_clock(-wrong);
        here.run(60);
        here.send("key", Some("after")).await;
        here.run(3600);
        assert_eq!(here.read(Start::Beginning).await.len(), before + 3);
        assert_eq!(here.bus.keeping().unwrap().clock_jumped_by, None);
    }
    // Each has its week from when it came, whatever the clock said then.
    here.run(7 * DAY - 16_000);
    assert_eq!(here.read(Start::Beginning).await.len(), 12);
    here.run(7 * DAY);
    assert_eq!(here.read(Start::Beginning).await, []);
}

#[tokio::test]
async fn one_second_in_2036_does_not_stop_retention() {
    let here = here(TopicKind::Log { retention: WEEK }).await;
    here.set_clock(10 * 365 * 24 * 3600);
    here.send("key", Some("of 2036")).await;
    here.set_clock(-10 * 365 * 24 * 3600);
    here.run(3600);
    here.send("key", Some("of today")).await;
    here.run(2 * 3600);
    let times: Vec<_> = {
        let mut reader = here.bus.reader(&["things".to_owned()], Start::Beginning).await.unwrap();
        let mut times = Vec::new();
        while let Some(record) = reader.next_until_end().await.unwrap() {
            times.push(record.produced_at_ms / 1000 - 1_700_000_000);
        }
        times
    };
    assert_eq!(times, [10 * 365 * 24 * 3600, 3600], "a record's time is what its writer saw");
    here.run(7 * DAY);
    assert_eq!(here.read(Start::Beginning).await, []);
}

#[tokio::test]
async fn who_was_away_for_weeks_goes_on_removing_after_an_hour() {
    let here = here(TopicKind::Log { retention: WEEK }).await;
    here.send("key", Some("before")).await;
    here.run(7000);
    // The machine slept.
    here.set_clock(21 * 24 * 3600);
    here.pass();
    here.send("key", Some("since")).await;
    here.run(3500);
    assert_eq!(here.read(Start::Beginning).await.len(), 2);
    here.run(100);
    here.pass();
    assert_eq!(here.read(Start::Beginning).await, [(1, "since".to_owned())], "what came since has its own week");
    here.run(7 * DAY);
    assert_eq!(here.read(Start::Beginning).await, []);
}

#[tokio::test]
async fn what_a_group_has_not_read_stays() {
    let here = here(TopicKind::Log { retention: WEEK }).await;
    for number in 0..4 {
        here.send("key", Some(&number.to_string())).await;
        here.run(60);
    }
    here.run(7000);
    let partition = (0..2).find(|partition| here.log.topic("things").unwrap().range(*partition) == Some((0, 4)));
    here.bus.set_group_offset("stage", "things", partition.unwrap(), 1).await.unwrap();
    here.bus.set_group_offset("other", "things", partition.unwrap(), 4).await.unwrap();
    here.run(3 * DAY);
    assert_eq!(here.bus.keeping().unwrap().unread, []);
    here.run(DAY);
    let unread = here.bus.keeping().unwrap().unread;
    let [late] = &unread[..] else { panic!("{unread:?}") };
    assert_eq!((&*late.group, &*late.topic, late.records, late.is_over()), ("stage", "things", 3, false));
    here.run(5 * DAY);
    assert!(here.bus.keeping().unwrap().unread[0].is_over());
    assert_eq!(here.read(Start::Beginning).await.len(), 3, "what it has read is gone, and nothing else");
    here.bus.delete_group("stage").await.unwrap();
    here.pass();
    assert_eq!(here.bus.keeping().unwrap().unread, []);
    assert_eq!(here.read(Start::Beginning).await, []);
}

/// Looking up by time, with a clock that goes back and forth: nothing that is of that time, or later, is left out.
#[tokio::test]
async fn the_first_record_of_a_time() {
    let here = here(TopicKind::Log { retention: Duration::from_secs(3000) }).await;
    assert_eq!(here.first_at(0).await, None);
    let mut times = Vec::new();
    for step in [0, 7200, 60, -7200, -100_000, 40 * 24 * 3600, -40 * 24 * 3600, 100_000, 5] {
        here.set_clock(step);
        for _ in 0..3 {
            here.send("key", Some("x")).await;
            times.push(i64::try_from(here.wall.load(Ordering::SeqCst)).unwrap() - 1_700_000_000);
            here.run(30);
        }
    }
    for asked in times.iter().flat_map(|time| [time - 1, *time, time + 1]) {
        let first = times.iter().position(|time| *time >= asked).map(|at| i64::try_from(at).unwrap());
        assert_eq!(here.first_at(asked).await, first, "{asked} of {times:?}");
    }
    let topic = here.log.topic("things").unwrap();
    let marks = |partition| here.log.files.marks(topic.row.number, partition).unwrap().len();
    assert!(marks(0).max(marks(1)) > 10, "they were looked through");
}

/// A log as the version before wrote it: no marks, no time, and times that never go back.
#[tokio::test]
async fn a_log_of_the_version_before_keeps_to_the_times_of_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let settings = super::super::tests::settings(folder.path());
    let open = |seconds: u64| {
        let clock = Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        Bus::open_with_clock(&settings, clock).unwrap()
    };
    let start = 1_700_000_000;
    let record = || Record::encoded("things", "key".to_owned(), b"x".to_vec(), Headers::default());
    for day in 0..4 {
        let bus = open(start + day * DAY);
        let kind = TopicKind::Log { retention: WEEK };
        bus.prepare_topics(&[TopicSpec { name: "things".to_owned(), kind }]).await.unwrap();
        bus.producer().unwrap().try_send(record()).unwrap().await.unwrap();
    }
    let forget = || {
        let opened = super::super::store::Files::open(&folder.path().join("log")).unwrap();
        let keys: Vec<_> =
            [&b"mark/"[..], &b"time"[..]].into_iter().flat_map(|keys| opened.files.meta.prefix(keys)).collect();
        keys.into_iter().for_each(|key| opened.files.meta.remove(key.key().unwrap()).unwrap());
        opened.files.database.persist(fjall::PersistMode::SyncAll).unwrap();
    };
    let kept = async |bus: &Bus| {
        pass(&super::super::tests::log(&settings), &mut Compacted::new()).unwrap();
        let mut reader = bus.reader(&["things".to_owned()], Start::Beginning).await.unwrap();
        let mut count = 0;
        while reader.next_until_end().await.unwrap().is_some() {
            count += 1;
        }
        count
    };
    forget();
    let bus = open(start + 40 * DAY);
    assert!(bus.keeping().unwrap().clock_jumped_by.is_some(), "its records say that it is earlier");
    assert_eq!(kept(&bus).await, 4);
    drop(bus);
    forget();
    let bus = open(start + 3 * DAY + 1800);
    assert_eq!(kept(&bus).await, 4);
    drop(bus);
    // Kept by then: the time is known, and goes on.
    let seconds = Arc::new(AtomicU64::new(start + 3 * DAY + 2400));
    let shared = seconds.clone();
    let clock = Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(shared.load(Ordering::SeqCst)));
    let bus = Bus::open_with_clock(&settings, clock).unwrap();
    for (day, left) in [(6, 4), (7, 3), (8, 2), (9, 1), (12, 0)] {
        seconds.store(start + day * DAY + 600, Ordering::SeqCst);
        assert_eq!(kept(&bus).await, left, "{day}");
    }
}

#[tokio::test]
async fn the_latest_of_each_key_stays() {
    let here = here(TopicKind::Compacted).await;
    here.send("gone", Some("1")).await;
    here.send("gone", None).await;
    for number in 0..COMPACT_AFTER {
        let record =
            Record::encoded("things", format!("k{}", number % 3), number.to_string().into_bytes(), Headers::default());
        let _sent = here.bus.producer().unwrap().try_send(record).unwrap();
    }
    here.send("k0", None).await;
    here.run(60);
    let end = COMPACT_AFTER + 2;
    let kept = here.read(Start::Beginning).await;
    let row = |offset: i64, value: &str| (offset, value.to_owned());
    assert_eq!(kept, [row(1, "gone"), row(end - 3, "997"), row(end - 2, "998"), row(end, "gone")]);
    // Removals are seen for a day; the last record always stays, for it says where the topic ends.
    here.seen.borrow_mut().clear();
    here.set_clock(40 * 24 * 3600);
    here.pass();
    here.set_clock(-40 * 24 * 3600);
    here.pass();
    assert_eq!(here.read(Start::Beginning).await.len(), 4, "a clock that was wrong for a minute");
    here.seen.borrow_mut().clear();
    here.run(2 * DAY);
    let kept: Vec<_> = here.read(Start::Beginning).await.into_iter().map(|(_, value)| value).collect();
    assert_eq!(kept, ["997", "998", "gone"]);
}
