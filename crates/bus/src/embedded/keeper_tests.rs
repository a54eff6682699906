use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::*;
use crate::{Bus, Headers, Record, Start, TopicKind, TopicSpec};

struct Here {
    bus: Bus,
    clock: Clock,
    seconds: Arc<AtomicU64>,
    log: Arc<Log>,
    _folder: tempfile::TempDir,
}

async fn here(kind: TopicKind) -> Here {
    let folder = tempfile::tempdir().unwrap();
    let seconds = Arc::new(AtomicU64::new(1_700_000_000));
    let shared = seconds.clone();
    let clock = Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(shared.load(Ordering::SeqCst)));
    let settings = super::super::tests::settings(folder.path());
    let bus = Bus::open_with_clock(&settings, clock.clone()).unwrap();
    let spec = TopicSpec { name: "things".to_owned(), kind };
    assert_eq!(bus.prepare_topics(&[spec]).await.unwrap(), []);
    let log = super::super::tests::log(&settings);
    Here { bus, clock, seconds, log, _folder: folder }
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
        pass(&self.log, &self.clock, &mut Compacted::new()).unwrap();
    }
}

#[tokio::test]
async fn records_go_when_they_have_had_their_time() {
    let here = here(TopicKind::Log { retention: Duration::from_secs(100) }).await;
    for number in 0..10 {
        here.send("key", Some(&number.to_string())).await;
        here.seconds.fetch_add(20, Ordering::SeqCst);
    }
    // Looking up by time, with a clock that went back meanwhile.
    let at = |seconds: i64| Start::AtTime(common::time::from_millis((1_700_000_000 + seconds) * 1000));
    assert_eq!(here.read(at(21)).await.first().map(|(offset, _)| *offset), Some(2));
    assert_eq!(here.read(at(40)).await.first().map(|(offset, _)| *offset), Some(2));
    assert_eq!(here.read(at(-5)).await.len(), 10);
    assert_eq!(here.read(at(181)).await, []);
    here.pass();
    // It is 200, so that what is of 100 and later stays.
    assert_eq!(here.read(Start::Beginning).await.first(), Some(&(5, "5".to_owned())));
    assert_eq!(here.read(at(0)).await.len(), 5);
    here.pass();
    assert_eq!(here.read(Start::Beginning).await.len(), 5, "looking again changes nothing");
    here.seconds.fetch_add(1000, Ordering::SeqCst);
    here.pass();
    assert_eq!(here.read(Start::Beginning).await, []);
    here.seconds.fetch_sub(5000, Ordering::SeqCst);
    here.send("key", Some("next")).await;
    assert_eq!(here.read(Start::Beginning).await, [(10, "next".to_owned())], "offsets go on");
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
    here.pass();
    let end = COMPACT_AFTER + 2;
    let kept = here.read(Start::Beginning).await;
    let row = |offset: i64, value: &str| (offset, value.to_owned());
    assert_eq!(kept, [row(1, "gone"), row(end - 3, "997"), row(end - 2, "998"), row(end, "gone")]);
    // Removals are seen for a day; the last record always stays, for it says where the topic ends.
    here.seconds.fetch_add(2 * 24 * 3600, Ordering::SeqCst);
    here.pass();
    let kept: Vec<_> = here.read(Start::Beginning).await.into_iter().map(|(_, value)| value).collect();
    assert_eq!(kept, ["997", "998", "gone"]);
}
