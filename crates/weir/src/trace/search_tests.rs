use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bus::{Bus, Clock, Coordinates, Headers, Record, TopicKind, TopicSpec};
use common::activity::v1::{Activity, EnrichedActivity};
use common::event::v1::Context;
use enricher::files::DayFile;
use enricher::files::rows::Row;
use serde_json::Value;

use super::*;

const HOUR: i64 = 3_600_000;
const BODY: &str = r#"{"action":"created","starred_at":"2026-01-31T23:59:58Z",
    "repository":{"id":1,"name":"r","full_name":"o/r","owner":{"id":2,"login":"o"}},"sender":{"id":NUMBER,"login":"ann"}}"#;

/// An installation whose clock is set.
struct World {
    settings: Settings,
    records: Records,
    bus: Bus,
    millis: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut all = Settings::load(None).unwrap();
        all.lake.root = folder.path().join("lake").display().to_string();
        let settings = &mut all.bus;
        settings.data_dir = folder.path().to_owned();
        settings.kafka.brokers.clear();
        settings.create_topics = true;
        settings.producer.linger_ms = 0;
        let millis = Arc::new(AtomicI64::new(service_now()));
        let shared = millis.clone();
        let wall = move || UNIX_EPOCH + Duration::from_millis(shared.load(Ordering::SeqCst).unsigned_abs());
        let bus = Bus::open_with_clock(settings, Clock::new(wall).with_monotonic(|| Duration::ZERO)).unwrap();
        let kind = TopicKind::Log { retention: Duration::from_secs(7 * 24 * 3600) };
        let names = ["raw.github", "events.github.star", "activities", "activities.enriched", "dead-letters"];
        let specs = names.map(|name| TopicSpec { name: name.to_owned(), kind });
        assert_eq!(bus.prepare_topics(&specs).await.unwrap(), []);
        Self { settings: all, records: Records::Bus(Box::new(bus.clone())), bus, millis, _folder: folder }
    }

    fn set_clock(&self, by: i64) {
        self.millis.fetch_add(by, Ordering::SeqCst);
    }

    async fn send(&self, topic: &str, headers: Headers, payload: Vec<u8>) -> Coordinates {
        let record = Record::encoded(topic, headers.id.clone(), payload, headers);
        self.bus.producer().unwrap().try_send(record).unwrap().await.unwrap()
    }

    /// The door takes one in.
    async fn deliver(&self, number: usize) -> Delivery {
        let millis = self.millis.fetch_add(1000, Ordering::SeqCst);
        let header = |name: &str, value: String| common::raw::v1::Header { name: name.into(), value };
        let delivery = Delivery {
            delivery_id: format!("{millis:012x}{number:020x}"),
            source: "github".into(),
            endpoint: "shop".into(),
            tenant: "acme".into(),
            scheme: "hub-sha256".into(),
            received_at: Some(common::time::from_millis(millis)),
            headers: vec![
                header("x-github-event", "star".into()),
                header("x-github-delivery", format!("0d0e0f10-0000-11f0-8000-{number:012x}")),
            ],
            body: BODY.replace("NUMBER", &(number + 3).to_string()).into_bytes().into(),
        };
        self.send("raw.github", Headers { id: number.to_string(), ..Headers::default() }, delivery.encode_to_vec())
            .await;
        delivery
    }

    /// Both stages make of it what has to come of it.
    async fn process(&self, delivery: &Delivery) {
        let activity = self.type_it(delivery).await;
        let place = self.send("activities", activity.clone(), Vec::new()).await;
        self.enrich(activity, &place).await;
        self.has_finished("weir-enricher", "activities", place.partition, place.offset).await;
        self.set_clock(1000);
    }

    /// The second stage makes an enriched one of the activity; its group stands where it stood.
    async fn enrich(&self, activity: Headers, place: &Coordinates) {
        self.send("activities.enriched", Headers { from: Some(place.clone()), ..activity }, Vec::new()).await;
    }

    /// The first stage makes its typed event; the headers of the activity.
    async fn type_it(&self, delivery: &Delivery) -> Headers {
        let trace = self.trace(&delivery.delivery_id).await;
        let trace = trace.unwrap_or_else(|| panic!("{} is not found", delivery.delivery_id));
        let at = trace.found.record.coordinates.clone();
        let trace = trace.json();
        let event = &trace["events"][0];
        assert!(event.is_object(), "{trace}");
        let id = |of: &Value| Headers { id: of["id"].as_str().unwrap().to_owned(), ..Headers::default() };
        self.send("events.github.star", id(event), Vec::new()).await;
        self.has_finished("weir-processing", "raw.github", at.partition, at.offset).await;
        id(&event["activities"][0])
    }

    /// The lake has an activity that is enriched now.
    async fn load(&self, id: &str, delivery: &Delivery) {
        let (id, delivery_id) = (id.to_owned(), delivery.delivery_id.clone());
        let context = Context { delivery_id, received_at: delivery.received_at, ..Context::default() };
        let activity = Activity { id, context: Some(context), ..Activity::default() };
        let enriched_at = Some(common::time::from_millis(self.millis.load(Ordering::SeqCst)));
        let enriched = EnrichedActivity { activity: Some(activity), enriched_at, ..EnrichedActivity::default() };
        let at = Coordinates { log: "log".into(), topic: "activities".into(), partition: 0, offset: 0 };
        let mut file = DayFile::new().unwrap();
        file.append(&[Row { enriched, at, traceparent: None }]).unwrap();
        let mut table = loader::Fresh::begin(&self.settings.lake, columns::ACTIVITIES).await.unwrap();
        let day = delivery.received_at.unwrap().to_string();
        table.put(&day[..10], file.finish().unwrap().bytes).await.unwrap();
        table.commit().await.unwrap();
    }

    /// What comes of others, for so many seconds.
    async fn others(&self, seconds: i64) {
        for second in 0..seconds {
            let headers = Headers { id: format!("another-{second}"), ..Headers::default() };
            self.send("activities", headers, Vec::new()).await;
            self.set_clock(1000);
        }
    }

    async fn has_finished(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        self.bus.set_group_offset(group, topic, partition, offset + 1).await.unwrap();
    }

    async fn trace(&self, id: &str) -> Option<Trace> {
        let search = Search { settings: &self.settings, records: &self.records };
        let found = search.delivery(id, None).await.unwrap()?;
        Some(search.follow(found).await.unwrap())
    }
}

fn service_now() -> i64 {
    common::time::to_millis(&service::clock::timestamp())
}

/// The clock is two hours ahead for a while, and right again: each delivery is found, with all that came of it, also what
/// was worked on after the clock was set back.
#[tokio::test]
async fn every_delivery_is_found_although_the_clock_was_set() {
    let world = World::new().await;
    let (mut all, mut waiting) = (Vec::new(), Vec::new());
    for number in 0..16 {
        match number {
            5 => world.set_clock(2 * HOUR),
            11 => world.set_clock(-2 * HOUR),
            _ => {}
        }
        waiting.push(world.deliver(number).await);
        // What came just before the clock was set is worked on after it.
        if ![4, 10].contains(&number) {
            for delivery in std::mem::take(&mut waiting) {
                world.process(&delivery).await;
                all.push(delivery.delivery_id);
            }
        }
    }
    assert_eq!(all.len(), 16);
    for id in all {
        let trace = world.trace(&id).await.unwrap();
        assert!(trace.is_found_on_topics(), "{}", trace.pretty());
    }
    assert!(world.trace(&"0".repeat(32)).await.is_none());
}

/// The same where the lake has it: records from when the clock was 40 days ahead hide what came after them, until the oldest
/// of what is kept is later than it.
#[tokio::test]
async fn what_the_lake_has_is_found_behind_records_of_a_clock_that_was_ahead() {
    let world = World::new().await;
    world.set_clock(40 * 24 * HOUR);
    for number in 0..16 {
        let ahead = world.deliver(number).await;
        world.process(&ahead).await;
    }
    world.set_clock(-40 * 24 * HOUR + 2 * HOUR);
    let delivery = world.deliver(20).await;
    world.set_clock(-2 * HOUR);
    let activity = world.type_it(&delivery).await;
    let place = world.send("activities", activity.clone(), Vec::new()).await;
    world.enrich(activity.clone(), &place).await;
    world.has_finished("weir-enricher", "activities", place.partition, place.offset).await;
    world.load(&activity.id, &delivery).await;
    let trace = world.trace(&delivery.delivery_id).await.unwrap();
    assert!(trace.is_complete(), "{}", trace.pretty());

    for topic in ["events.github.star", "activities", "activities.enriched"] {
        for (partition, end) in (0..).zip(world.bus.offsets_at(topic, Start::End).await.unwrap()) {
            world.bus.delete_records(topic, partition, end).await.unwrap();
        }
    }
    let trace = world.trace(&delivery.delivery_id).await.unwrap();
    assert!(trace.is_settled() && !trace.is_complete(), "{}", trace.pretty());
    assert!(trace.verdict().contains("The lake has what is not on its topic any more"), "{}", trace.verdict());
}

#[tokio::test]
async fn what_is_read_first_is_only_what_is_near_the_delivery() {
    let world = World::new().await;
    let mut all = Vec::new();
    for number in 0..300 {
        // One each second.
        all.push(world.deliver(number).await.delivery_id);
    }
    let time = accepted_at(&all[150], service::clock::now() + Duration::from_secs(3600)).unwrap();
    let mut window = world.records.around(&["raw.github".to_owned()], &time, NEAR[1].0, NEAR[1].1).await.unwrap();
    let mut read = 0;
    while let Some(record) = window.next("").await.unwrap() {
        let millis = record.produced_at_ms - common::time::to_millis(&time);
        assert!((-1000..60_000).contains(&millis), "{millis}");
        read += 1;
    }
    assert_eq!(read, 61);
    let none = Duration::ZERO;
    let mut empty = world.records.around(&["raw.github".to_owned()], &time, none, none).await.unwrap();
    assert!(empty.next("").await.unwrap().is_none());
}

/// What no stage has begun cannot be anywhere: it is told how much comes before, and nothing is looked through.
#[tokio::test]
async fn what_its_stage_has_not_begun_is_in_flight_and_not_looked_for() {
    let world = World::new().await;
    let mut deliveries = Vec::new();
    for number in 0..120 {
        deliveries.push(world.deliver(number).await);
    }
    for delivery in &deliveries[..40] {
        world.process(delivery).await;
    }
    let trace = world.trace(&deliveries[119].delivery_id).await.unwrap();
    let at = &trace.found.record.coordinates;
    let next = world.bus.group_offset("weir-processing", "raw.github", at.partition).await.unwrap().unwrap();
    assert!(next < at.offset, "{next} {at}");
    let json = trace.json();
    assert_eq!(json["waiting"], serde_json::json!([{"at": at.to_string(), "before": at.offset - next}]));
    // The stages have made 120 records: what was made in the two seconds after it is all that is looked at.
    assert!(json["looked_at"].as_u64() < Some(10), "{json}");
    let (partition, offset) = (at.partition, at.offset);
    let verdict = format!(
        "processing has not finished raw.github/{partition}/{offset} yet ({} records before it)",
        offset - next
    );
    assert!(trace.verdict().contains(&verdict), "{}", trace.verdict());

    // One step further: typed, and not enriched.
    let next = &deliveries[40];
    let activity = world.type_it(next).await;
    let place = world.send("activities", activity.clone(), Vec::new()).await;
    let trace = world.trace(&next.delivery_id).await.unwrap();
    assert!(trace.is_settled() && !trace.is_found_on_topics(), "{}", trace.pretty());
    let verdict =
        format!("In flight: the enricher has not finished activities/{}/{} yet", place.partition, place.offset);
    assert!(trace.verdict().contains(&verdict), "{}", trace.verdict());

    // A stage that has finished it and made nothing of it: everything is looked through, and it is said what to do.
    world.has_finished("weir-enricher", "activities", place.partition, place.offset).await;
    let trace = world.trace(&next.delivery_id).await.unwrap();
    assert!(!trace.is_settled() && trace.json()["looked_at"].as_u64() >= Some(120), "{}", trace.json());
    let verdict = format!(
        "The enricher has finished activities/{}/{}, and what has to come of it was not found: `weir replay raw`",
        place.partition, place.offset
    );
    assert!(trace.verdict().contains(&verdict), "{}", trace.verdict());
    world.enrich(activity, &place).await;
    assert!(world.trace(&next.delivery_id).await.unwrap().is_found_on_topics());
}

/// The enricher's group stands where the files are loaded, which is long after its records are out.
#[tokio::test]
async fn what_is_enriched_is_found_although_its_group_stands_before_it() {
    let world = World::new().await;
    let mut deliveries = Vec::new();
    for number in 0..2 {
        deliveries.push(world.deliver(number).await);
    }
    world.process(&deliveries[0]).await;
    let activity = world.type_it(&deliveries[1]).await;
    let place = world.send("activities", activity.clone(), Vec::new()).await;
    world.has_finished("weir-enricher", "activities", place.partition, place.offset - 1).await;
    // It comes out later than what is looked at first, and later than a minute.
    world.set_clock(HOUR / 4);
    world.enrich(activity, &place).await;
    let trace = world.trace(&deliveries[1].delivery_id).await.unwrap();
    assert!(trace.is_found_on_topics(), "{}", trace.pretty());
}

/// A group without an offset is one that the services do not have: what is missing may be anywhere.
#[tokio::test]
async fn a_group_that_has_no_offset_tells_nothing() {
    let mut world = World::new().await;
    let delivery = world.deliver(0).await;
    world.process(&delivery).await;
    world.settings.processing.group = "another".to_owned();
    let waits = world.deliver(1).await;
    let trace = world.trace(&waits.delivery_id).await.unwrap();
    assert!(!trace.is_settled(), "{}", trace.pretty());
    let told = "It cannot be told how far processing is: the group another has no offset in raw.github/";
    assert!(trace.verdict().contains(told), "{}", trace.verdict());
}

/// Out of a backlog it came late, and a repetition came long after: the lake says when, and little is looked at.
#[tokio::test]
async fn what_came_at_another_time_is_found_where_the_lake_says() {
    let world = World::new().await;
    let first = world.deliver(7).await;
    world.others(400).await;
    let activity = world.type_it(&first).await;
    let place = world.send("activities", activity.clone(), Vec::new()).await;
    world.enrich(activity.clone(), &place).await;
    world.has_finished("weir-enricher", "activities", place.partition, place.offset).await;
    world.load(&activity.id, &first).await;
    world.others(400).await;
    let again = world.deliver(7).await;
    assert_ne!(first.delivery_id, again.delivery_id);
    let at = world.trace(&again.delivery_id).await.unwrap().found.record.coordinates;
    world.has_finished("weir-processing", "raw.github", at.partition, at.offset).await;
    for (delivery, came_with) in [(&first, Value::Null), (&again, first.delivery_id.clone().into())] {
        let trace = world.trace(&delivery.delivery_id).await.unwrap();
        assert!(trace.is_complete(), "{}", trace.pretty());
        let told = trace.json();
        assert_eq!(told["events"][0]["came_with"], came_with, "{told}");
        assert!(told["looked_at"].as_u64() < Some(200), "{told}");
    }
}
