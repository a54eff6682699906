//! Reading without a group, tables, and topics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{Error, Headers, OffsetRange, Reader, Record, Spans, Start, TopicKind, TopicSpec};
use common::registration::v1::Registration;
use common::topics::REGISTRATIONS;
use tokio_util::sync::CancellationToken;

use crate::support::{LIMIT, Log, TOPIC, WEEK, prepare, produce, within};

async fn rest(reader: &mut Reader) -> Vec<i64> {
    let mut offsets = Vec::new();
    while let Some(record) = within("a record", reader.next_until_end()).await.unwrap() {
        offsets.push(record.coordinates.offset);
    }
    offsets
}

pub(crate) async fn starts_where_it_is_told(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..5).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let middle = produce(&bus, 5..6).await;
    produce(&bus, 6..10).await;
    let open = async |start| bus.reader(&[TOPIC.to_owned()], start).await.unwrap();
    let mut all = open(Start::Beginning).await;
    let mut times = Vec::new();
    while let Some(record) = within("a record", all.next_until_end()).await.unwrap() {
        times.push(record.produced_at_ms);
    }
    assert_eq!(times.len(), 10);
    let at = usize::try_from(middle[0].offset).unwrap();
    let time = Start::AtTime(common::time::from_millis(times[at]));
    assert_eq!(rest(&mut open(time).await).await.first(), Some(&5));
    assert_eq!(rest(&mut open(Start::LastN(3)).await).await, [7, 8, 9]);
    assert_eq!(rest(&mut open(Start::LastN(99)).await).await.len(), 10);

    let mut end = open(Start::End).await;
    assert_eq!(rest(&mut end).await, [0i64; 0]);
    produce(&bus, 10..11).await;
    assert_eq!(within("the new record", end.next()).await.unwrap().coordinates.offset, 10);
    assert!(matches!(bus.reader(&["nothing".to_owned()], Start::End).await, Err(Error::NoTopic { .. })));
}

/// All of a part, however many times it has to be asked for.
async fn part(spans: &mut Spans, mut from: i64, until: i64) -> Vec<i64> {
    let mut offsets = Vec::new();
    while from < until {
        let span = within("a part", spans.read(0, from, until)).await.unwrap();
        assert!(span.next > from, "it goes on");
        from = span.next;
        offsets.extend(span.records.iter().map(|record| record.coordinates.offset));
    }
    offsets
}

pub(crate) async fn parts_are_read_in_any_order(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let mut spans = bus.spans(TOPIC);
    assert_eq!(spans.ranges().await.unwrap(), [OffsetRange { partition: 0, low: 0, end: 0 }]);
    produce(&bus, 0..3000).await;
    let range = OffsetRange { partition: 0, low: 0, end: 3000 };
    assert_eq!(spans.ranges().await.unwrap(), [range]);
    // From the end to the beginning, then all of it.
    for from in [2990, 2980, 1500, 1490, 0] {
        assert_eq!(part(&mut spans, from, from + 10).await, (from..from + 10).collect::<Vec<_>>());
    }
    assert_eq!(part(&mut spans, 0, 3000).await, (0..3000).collect::<Vec<_>>());
    assert_eq!(part(&mut spans, 5, 5).await, [0i64; 0]);
    let time = spans.read(0, 1000, 1001).await.unwrap().records[0].produced_at_ms;
    let at = |millis| common::time::from_millis(millis);
    let [found] = spans.first_at(&[range], &at(time)).await.unwrap()[..] else { panic!() };
    assert!((0..=1000).contains(&found.low) && found.end == 3000, "{found:?}");
    if found.low > 0 {
        let before = spans.read(0, found.low - 1, found.low).await.unwrap().records[0].produced_at_ms;
        assert!(before < time, "the first of that time");
    }
    assert_eq!(spans.first_at(&[range], &at(time + 3_600_000)).await.unwrap(), [OffsetRange { low: 3000, ..range }]);

    // What has had its time is passed over.
    bus.delete_records(TOPIC, 0, 100).await.unwrap();
    assert_eq!(spans.ranges().await.unwrap(), [OffsetRange { low: 100, ..range }]);
    assert_eq!(part(&mut spans, 90, 110).await, (100..110).collect::<Vec<_>>());
    assert_eq!(part(&mut spans, 10, 20).await, [0i64; 0]);
    assert!(matches!(bus.spans("nothing").ranges().await, Err(Error::NoTopic { .. })));
}

pub(crate) async fn ends_at_the_end_as_it_was(log: &Log) {
    let bus = log.with_topic(3, |_| {}).await;
    prepare(&bus, &["others"]).await;
    let topics = [TOPIC.to_owned(), "others".to_owned()];
    let mut reader = bus.reader(&topics, Start::Beginning).await.unwrap();
    assert_eq!(rest(&mut reader).await, [0i64; 0]);
    crate::support::produce_keyed(&bus, 0..30, |n| n.to_string()).await;
    let other = Record::encoded("others", "k", vec![1], Headers::default());
    within("a delivery", bus.producer().unwrap().try_send(other).unwrap()).await.unwrap();
    assert_eq!(rest(&mut reader).await.len(), 31);
    assert_eq!(rest(&mut reader).await, [0i64; 0], "asked again, it looks anew");
    crate::support::produce_keyed(&bus, 30..35, |n| n.to_string()).await;
    assert_eq!(rest(&mut reader).await.len(), 5);
}

pub(crate) async fn finds_single_records(log: &Log) {
    let bus = log.with_topic(2, |_| {}).await;
    let mut lookup = bus.lookup();
    assert!(lookup.at("nothing", 0, 0).await.unwrap().is_none(), "there is no such topic");
    let places = crate::support::produce_keyed(&bus, 0..600, |n| (n % 7).to_string()).await;
    // Forward, back, to the other partition, far ahead, the last one.
    for n in [0, 1, 2, 599, 5, 5, 400, 3, 598, 599, 0] {
        let at = &places[n];
        let found = within("a record", lookup.at(TOPIC, at.partition, at.offset)).await.unwrap().unwrap();
        assert_eq!((&found.coordinates, found.headers.id), (at, n.to_string()));
        assert_eq!(found.payload.as_deref(), Some(n.to_string().as_bytes()));
    }
    let ends = |partition| places.iter().filter(|at| at.partition == partition).map(|at| at.offset).max().unwrap() + 1;
    for (partition, offset) in [(0, ends(0)), (1, ends(1)), (0, 99_999), (0, -1), (2, 0)] {
        let found = within("an answer", lookup.at(TOPIC, partition, offset)).await.unwrap();
        assert!(found.is_none(), "{partition}/{offset}: {found:?}");
    }
    // What came after the last look, right behind it.
    let last = &places[599];
    within("the last", lookup.at(TOPIC, last.partition, last.offset)).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let more = crate::support::produce_keyed(&bus, 600..601, |_| (599 % 7).to_string()).await;
    assert_eq!((more[0].partition, more[0].offset), (last.partition, ends(last.partition)));
    within("one more", lookup.at(TOPIC, more[0].partition, more[0].offset)).await.unwrap().unwrap();
    bus.delete_records(TOPIC, 0, 10).await.unwrap();
    assert!(within("an answer", lookup.at(TOPIC, 0, 9)).await.unwrap().is_none(), "it had its time");
    assert!(within("a record", lookup.at(TOPIC, 0, 10)).await.unwrap().is_some());
}

pub(crate) async fn passes_over_deleted_records(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..10).await;
    bus.delete_records(TOPIC, 0, 7).await.unwrap();
    let mut reader = bus.reader(&[TOPIC.to_owned()], Start::Beginning).await.unwrap();
    assert_eq!(rest(&mut reader).await, [7, 8, 9]);
    let mut reader = bus.reader(&[TOPIC.to_owned()], Start::LastN(8)).await.unwrap();
    assert_eq!(rest(&mut reader).await, [7, 8, 9]);
    bus.delete_records(TOPIC, 0, 10).await.unwrap();
    let mut reader = bus.reader(&[TOPIC.to_owned()], Start::Beginning).await.unwrap();
    assert_eq!(rest(&mut reader).await, [0i64; 0]);
}

pub(crate) fn registration(id: &str, revision: u64) -> Record {
    let message = Registration { id: id.to_owned(), revision, ..Registration::default() };
    Record::new(&REGISTRATIONS, id, &message, Headers::default())
}

pub(crate) type Rows = Arc<Mutex<BTreeMap<String, u64>>>;

pub(crate) fn follow(
    bus: &bus::Bus,
    rows: &Rows,
    shutdown: &CancellationToken,
) -> (bus::TableHandle, tokio::task::JoinSet<()>) {
    let table = bus.table(&REGISTRATIONS);
    let handle = table.handle();
    let (rows, shutdown) = (rows.clone(), shutdown.clone());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let apply = move |key: &str, message: Option<Registration>| {
            let mut rows = rows.lock().unwrap();
            match message {
                Some(message) => rows.insert(key.to_owned(), message.revision),
                None => rows.remove(key),
            };
        };
        table.follow(apply, shutdown).await.unwrap();
    });
    (handle, tasks)
}

pub(crate) async fn send(bus: &bus::Bus, record: Record) {
    within("a delivery", bus.producer().unwrap().try_send(record).unwrap()).await.unwrap();
}

pub(crate) async fn a_table_follows_and_catches_up(log: &Log) {
    let bus = log.open(|_| {});
    let specs = [TopicSpec { name: REGISTRATIONS.name().to_owned(), kind: TopicKind::Compacted }];
    assert_eq!(bus.prepare_topics(&specs).await.unwrap(), []);
    for record in [registration("a", 1), registration("b", 1), registration("a", 2)] {
        send(&bus, record).await;
    }
    send(&bus, Record::encoded(REGISTRATIONS.name(), "c", vec![0xff; 9], Headers::default())).await;
    send(&bus, Record::tombstone(&REGISTRATIONS, "b")).await;

    let (rows, shutdown) = (Rows::default(), CancellationToken::new());
    let (handle, mut tasks) = follow(&bus, &rows, &shutdown);
    within("the table", handle.wait_read()).await;
    assert!(handle.is_read());
    assert_eq!(*rows.lock().unwrap(), BTreeMap::from([("a".to_owned(), 2)]));

    for revision in 1..=20 {
        send(&bus, registration("d", revision)).await;
        handle.catch_up(LIMIT).await.unwrap();
        assert_eq!(rows.lock().unwrap().get("d"), Some(&revision), "what was there when asked was not applied");
    }
    shutdown.cancel();
    within("the table's end", tasks.join_next()).await.unwrap().unwrap();
    assert!(matches!(handle.catch_up(Duration::from_millis(100)).await, Err(Error::Closed | Error::TimedOut { .. })));
}

pub(crate) async fn a_table_waits_for_its_topic(log: &Log) {
    let bus = log.open(|_| {});
    let (rows, shutdown) = (Rows::default(), CancellationToken::new());
    let (handle, mut tasks) = follow(&bus, &rows, &shutdown);
    let waited = handle.catch_up(Duration::from_millis(700)).await;
    assert!(matches!(waited, Err(Error::TimedOut { .. })), "{waited:?}");
    assert!(!handle.is_read(), "a topic that is not there has not been read");

    let specs = [TopicSpec { name: REGISTRATIONS.name().to_owned(), kind: TopicKind::Compacted }];
    assert_eq!(bus.prepare_topics(&specs).await.unwrap(), []);
    send(&bus, registration("a", 1)).await;
    within("the table", handle.wait_read()).await;
    handle.catch_up(LIMIT).await.unwrap();
    assert_eq!(rows.lock().unwrap().len(), 1);
    shutdown.cancel();
    within("the table's end", tasks.join_next()).await.unwrap().unwrap();
}

pub(crate) async fn lists_the_topics_of_its_prefix(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    prepare(&bus, &["others"]).await;
    assert_eq!(bus.topics().await.unwrap(), ["others", TOPIC]);
    assert_eq!(bus.identity().await.rsplit_once('.').unwrap().1, "1");
    bus.ping(Duration::from_secs(10)).await.unwrap();
}

pub(crate) async fn says_what_is_wrong_with_topics(log: &Log) {
    let spec = |name: &str, kind| TopicSpec { name: name.to_owned(), kind };
    let week = TopicKind::Log { retention: WEEK };
    let forbidden = log.open(|settings| settings.create_topics = false);
    let problems = forbidden.prepare_topics(&[spec(TOPIC, week)]).await.unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].blocks && problems[0].topic.ends_with(TOPIC));
    assert!(problems[0].missing && problems[0].problem.contains("weir topics --create"));

    let bus = log.open(|settings| {
        settings.partitions = 3;
        settings.producer.max_record_bytes = 100_000;
    });
    prepare(&bus, &[TOPIC]).await;
    let month = TopicKind::Log { retention: WEEK * 4 };
    let stricter = log.open(|_| {});
    let problems = stricter.prepare_topics(&[spec(TOPIC, month)]).await.unwrap();
    let found =
        |part: &str| problems.iter().find(|problem| problem.problem.contains(part)).map(|problem| problem.blocks);
    assert_eq!(found("max.message.bytes=100000"), Some(true));
    assert_eq!(found("keeps its records"), Some(false));
    let compacted = stricter.prepare_topics(&[spec(TOPIC, TopicKind::Compacted)]).await.unwrap();
    assert!(compacted.iter().any(|problem| problem.blocks && problem.problem.contains("cleanup.policy")));
    assert!(compacted.iter().any(|problem| problem.blocks && problem.problem.contains("3 partitions")));

    // An installation that asks for replicas is production: one copy is not enough for it.
    let production = log.open(|settings| settings.replication_factor = 3);
    let problems = production.prepare_topics(&[spec(TOPIC, week)]).await.unwrap();
    assert!(problems.iter().any(|problem| problem.blocks && problem.problem.contains("min.insync.replicas=1")));
    assert!(problems.iter().any(|problem| problem.blocks && problem.problem.contains("1 replicas")));
}

pub(crate) async fn a_topic_has_an_identity(log: &Log) {
    let bus = log.with_topic(2, |_| {}).await;
    prepare(&bus, &["others"]).await;
    let own = bus.topic_identity(TOPIC).await.unwrap();
    assert_ne!(bus.topic_identity("others").await.unwrap(), own);
    produce(&bus, 0..3).await;
    assert_eq!(log.open(|_| {}).topic_identity(TOPIC).await.unwrap(), own, "it is told again");
    assert!(matches!(bus.topic_identity("nothing").await, Err(Error::NoTopic { .. })));
}

pub(crate) async fn tells_the_topics_with_records(log: &Log) {
    let bus = log.with_topic(3, |_| {}).await;
    prepare(&bus, &["empty", "emptied", "others"]).await;
    let topics = ["empty", TOPIC, "others", "emptied"].map(ToOwned::to_owned);
    assert_eq!(bus.topics_with_records(&topics).await.unwrap(), [""; 0]);
    produce(&bus, 0..3).await;
    let mut gone = Vec::new();
    for topic in ["others", "emptied"] {
        let record = Record::encoded(topic, "k", vec![1], Headers::default());
        gone.push(within("a delivery", bus.producer().unwrap().try_send(record).unwrap()).await.unwrap());
    }
    bus.delete_records("emptied", gone[1].partition, 1).await.unwrap();
    assert_eq!(bus.topics_with_records(&topics).await.unwrap(), [TOPIC, "others"]);
    assert_eq!(bus.topics_with_records(&[]).await.unwrap(), [""; 0]);
    let missing = bus.topics_with_records(&["nothing".to_owned()]).await;
    assert!(matches!(missing, Err(Error::NoTopic { .. })), "{missing:?}");
}
