//! A log to try, and what all tries need.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Ack, Batch, Bus, Consumer, Coordinates, Headers, Incoming, Record, Settings, TopicKind, TopicSpec};

/// Longer than anything takes on a busy machine; only a failure waits for it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Opens buses on one log, in a corner of it that belongs to one test.
pub(crate) struct Log {
    settings: Settings,
    _folder: tempfile::TempDir,
}

impl Log {
    /// The broker that all tests share.
    pub(crate) fn kafka(test: &str) -> Self {
        let prefix = weir_tests::kafka::prefix(test);
        Self::at(weir_tests::kafka::shared().expect("kafka").bootstrap(), &prefix)
    }

    /// A log within this process.
    pub(crate) fn embedded(_test: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings("", "", folder.path());
        settings.kafka.brokers.clear();
        Self { settings, _folder: folder }
    }

    /// A broker of one's own.
    pub(crate) fn at(bootstrap: &str, prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { settings: settings(bootstrap, prefix, folder.path()), _folder: folder }
    }

    /// Where the log is.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.settings.kafka.brokers[0]
    }

    /// A topic or group, as the log knows it.
    pub(crate) fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.settings.topic_prefix)
    }

    /// A bus on this log, with other settings.
    pub(crate) fn open(&self, change: impl FnOnce(&mut Settings)) -> Bus {
        let mut settings = self.settings.clone();
        change(&mut settings);
        Bus::open(&settings).unwrap()
    }

    /// A bus on this log, and a topic on it.
    pub(crate) async fn with_topic(&self, partitions: i32, change: impl FnOnce(&mut Settings)) -> Bus {
        let bus = self.open(|settings| {
            settings.partitions = partitions;
            change(settings);
        });
        prepare(&bus, &[TOPIC]).await;
        bus
    }
}

/// The topic of most tests.
pub(crate) const TOPIC: &str = "things";
/// The group of most tests.
pub(crate) const GROUP: &str = "stage";

/// The settings as they are where nothing is said.
pub(crate) fn defaults() -> Settings {
    let mut file: toml::Table = toml::from_str(bus::DEFAULTS).unwrap();
    file.remove("bus").unwrap().try_into().unwrap()
}

fn settings(bootstrap: &str, prefix: &str, folder: &std::path::Path) -> Settings {
    let mut settings = defaults();
    settings.topic_prefix = prefix.to_owned();
    settings.partitions = 1;
    settings.create_topics = true;
    settings.data_dir = folder.to_owned();
    settings.kafka.brokers = vec![bootstrap.to_owned()];
    settings.kafka.session_timeout_ms = 6000;
    // Twice the limit, which alone says how long a busy machine may take; tests of what fails set their own.
    settings.kafka.delivery_timeout_ms = 120_000;
    settings.producer.linger_ms = 0;
    settings.consumer.retry_backoff_ms = 50;
    settings
}

pub(crate) async fn prepare(bus: &Bus, names: &[&str]) {
    let log = TopicKind::Log { retention: WEEK };
    let specs: Vec<_> = names.iter().map(|name| TopicSpec { name: (*name).to_owned(), kind: log }).collect();
    assert_eq!(bus.prepare_topics(&specs).await.unwrap(), []);
}

/// A record whose value is a number.
pub(crate) fn numbered(key: &str, number: u32) -> Record {
    let headers = Headers { id: number.to_string(), ..Headers::default() };
    Record::encoded(TOPIC, key, number.to_string().into_bytes(), headers)
}

pub(crate) fn number(record: &Incoming) -> u32 {
    std::str::from_utf8(record.payload.as_deref().unwrap()).unwrap().parse().unwrap()
}

/// Produces these numbers, one key, and waits until all are durable.
pub(crate) async fn produce(bus: &Bus, numbers: std::ops::Range<u32>) -> Vec<Coordinates> {
    produce_keyed(bus, numbers, |_| "key".to_owned()).await
}

pub(crate) async fn produce_keyed(
    bus: &Bus,
    numbers: std::ops::Range<u32>,
    key: impl Fn(u32) -> String,
) -> Vec<Coordinates> {
    let producer = bus.producer().unwrap();
    let receipts: Vec<_> = numbers.map(|n| producer.try_send(numbered(&key(n), n)).unwrap()).collect();
    let mut places = Vec::new();
    for receipt in receipts {
        places.push(within("a delivery", receipt).await.unwrap());
    }
    places
}

pub(crate) fn consumer(bus: &Bus) -> Consumer {
    bus.consumer(GROUP, &[TOPIC.to_owned()]).unwrap()
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

pub(crate) async fn next(consumer: &mut Consumer) -> Batch {
    within("a batch", consumer.next()).await.unwrap().expect("the consumer is open")
}

/// The next records, so many of them.
pub(crate) async fn take(consumer: &mut Consumer, count: usize) -> Vec<Incoming> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(next(consumer).await.records);
    }
    assert_eq!(records.len(), count, "more records than expected");
    records
}

/// Consumes and completes until all these numbers were seen. Says how many came in all.
pub(crate) async fn take_all(consumer: &mut Consumer, mut wanted: BTreeSet<u32>) -> usize {
    let mut seen = 0;
    while !wanted.is_empty() {
        for record in next(consumer).await.records {
            wanted.remove(&number(&record));
            seen += 1;
            record.ack.complete();
        }
    }
    seen
}

/// Nothing is handed out for this long.
pub(crate) async fn nothing(consumer: &mut Consumer, pause: Duration) {
    if let Ok(batch) = tokio::time::timeout(pause, consumer.next()).await {
        panic!("nothing was to come, and this did: {batch:?}");
    }
}

/// Looks until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut look: impl FnMut() -> F) {
    within(what, async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

pub(crate) fn complete(acks: impl IntoIterator<Item = Ack>) {
    acks.into_iter().for_each(Ack::complete);
}
