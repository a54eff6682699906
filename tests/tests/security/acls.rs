//! Every principal may do what the table says, and nothing else.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList};
use weir::access::{Access, Operation, Resource};
use weir::catalogue::SERVICES;

use crate::world::{prefix, principals, topic, world};

const WITHIN: Duration = Duration::from_secs(30);
/// Without another record for so long, no more come.
const QUIET: Duration = Duration::from_secs(2);

/// The topics on which records were written, and those on which they were not, with why.
#[derive(Clone)]
struct Written(Arc<Mutex<Outcomes>>);

type Outcomes = (BTreeSet<String>, Vec<(String, Option<Code>)>);

impl ClientContext for Written {}

impl ProducerContext for Written {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut state = self.0.lock().unwrap();
        match result {
            Ok(message) => drop(state.0.insert(message.topic().to_owned())),
            Err((error, message)) => state.1.push((message.topic().to_owned(), error.rdkafka_error_code())),
        }
    }
}

/// Tries to write to each topic.
fn written(config: &ClientConfig, topics: &[&str]) -> BTreeSet<String> {
    let written = Written(Arc::default());
    let mut config = config.clone();
    config.set("message.timeout.ms", "20000").set("linger.ms", "0");
    let producer: ThreadedProducer<Written> = config.create_with_context(written.clone()).unwrap();
    for topic in topics {
        // A topic that is known to be forbidden is refused at once.
        if let Err((error, _)) = producer.send(BaseRecord::<str, str, ()>::to(topic).key("k").payload("v")) {
            written.0.lock().unwrap().1.push(((*topic).to_owned(), error.rdkafka_error_code()));
        }
    }
    producer.flush(WITHIN).unwrap();
    let state = written.0.lock().unwrap();
    for (topic, code) in &state.1 {
        assert_eq!(*code, Some(Code::TopicAuthorizationFailed), "{topic}");
    }
    assert_eq!(state.0.len() + state.1.len(), topics.len());
    state.0.clone()
}

/// Tries to read each topic; on each there is a record.
fn read(config: &ClientConfig, topics: &[&str], expected: usize) -> BTreeSet<String> {
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    for topic in topics {
        list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut found, began, mut last) = (BTreeSet::new(), Instant::now(), Instant::now());
    while last.elapsed() < QUIET || found.len() < expected {
        assert!(began.elapsed() < WITHIN, "read {found:?} only");
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            found.insert(message.topic().to_owned());
            last = Instant::now();
        }
    }
    found
}

/// Tries to join a group, and to see where it stands.
fn joins(config: &ClientConfig, group: &str, topic: &str) -> bool {
    let mut config = config.clone();
    config.set("group.id", group);
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let began = Instant::now();
    let joined = loop {
        assert!(began.elapsed() < WITHIN, "neither in group {group} nor refused");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Err(error)) if error.rdkafka_error_code() == Some(Code::GroupAuthorizationFailed) => break false,
            // Its first record: it is in.
            Some(Ok(_)) => break true,
            _ if consumer.assignment().is_ok_and(|assigned| assigned.count() > 0) => break true,
            _ => {}
        }
    };
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, 0);
    let seen = consumer.committed_offsets(asked, if joined { WITHIN } else { Duration::from_secs(1) });
    assert_eq!(joined, seen.is_ok(), "{group}: {seen:?}");
    joined
}

/// The topics of which it is told that they are there.
fn seen(config: &ClientConfig, topics: &[&str]) -> BTreeSet<String> {
    let client: BaseConsumer = config.create().unwrap();
    let is_shown = |name: &&&str| {
        let metadata = client.fetch_metadata(Some(name), WITHIN).unwrap();
        match metadata.topics()[0].error() {
            None => true,
            Some(error) => {
                assert_eq!(Code::from(error), Code::TopicAuthorizationFailed, "{name}");
                false
            }
        }
    };
    topics.iter().filter(is_shown).map(|name| (*name).to_owned()).collect()
}

fn may(access: &Access, operation: Operation) -> BTreeSet<String> {
    let rules = access.rules.iter().filter(|rule| rule.operations.contains(&operation));
    rules.filter_map(|rule| topic(&rule.resource).map(str::to_owned)).collect()
}

#[test]
fn each_principal_may_do_what_the_table_says_and_nothing_else() {
    let (world, prefix) = (world(), prefix("acls"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let table = runtime.block_on(world.open(&prefix));
    let topics: BTreeSet<_> =
        table.iter().flat_map(|access| &access.rules).filter_map(|rule| topic(&rule.resource)).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let groups = |access: &Access| -> Vec<String> {
        let of = access.rules.iter().filter_map(|rule| match &rule.resource {
            Resource::Group(name) if rule.operations.contains(&Operation::Read) => Some(name.clone()),
            _ => None,
        });
        of.collect()
    };
    let all_groups: Vec<(String, &Access)> =
        table.iter().flat_map(|access| groups(access).into_iter().map(move |group| (group, access))).collect();
    // Of both lanes of processing, of the enricher, of the loader, and of whatever else consumes.
    let settings = weir::settings::Settings::load(None).unwrap();
    let of_services: BTreeSet<_> =
        SERVICES.iter().flat_map(|service| (service.groups)(&settings).into_values()).collect();
    assert!(of_services.len() >= 4, "{of_services:?}");
    assert_eq!(all_groups.len(), of_services.len());

    // A record on each topic, by whoever may do everything.
    let mut harness = ClientConfig::new();
    harness.set("bootstrap.servers", world.kafka.bootstrap());
    assert_eq!(written(&harness, &topics).len(), topics.len());
    harness.set("group.id", "harness");
    assert_eq!(read(&harness, &topics, topics.len()).len(), topics.len());

    assert_eq!(table.iter().map(|access| access.service.as_str()).collect::<Vec<_>>(), principals());
    std::thread::scope(|scope| {
        for access in &table {
            let (topics, all_groups, world, runtime, prefix) = (&topics, &all_groups, &world, &runtime, &prefix);
            scope.spawn(move || {
                let (service, config) = (&access.service, world.client(&access.service));
                assert_eq!(written(&config, topics), may(access, Operation::Write), "{service} writes");
                let readable = may(access, Operation::Read);
                assert_eq!(read(&config, topics, readable.len()), readable, "{service} reads");
                let known = access.rules.iter().filter_map(|rule| topic(&rule.resource).map(str::to_owned)).collect();
                assert_eq!(seen(&config, topics), known, "{service} sees");
                for (group, owner) in all_groups {
                    let input = may(owner, Operation::Read).into_iter().next().unwrap();
                    assert_eq!(joins(&config, group, &input), owner.service == *service, "{service} in group {group}");
                }
                let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
                let options = AdminOptions::new().request_timeout(Some(WITHIN));
                let deleted = runtime.block_on(admin.delete_topics(topics, &options)).unwrap();
                assert_eq!(deleted.len(), topics.len());
                for outcome in deleted {
                    let (topic, code) = outcome.expect_err("a topic was deleted");
                    // Whoever may not see a topic is not told that it is there.
                    assert_eq!(code, Code::TopicAuthorizationFailed, "{service} deletes {topic}");
                }
                let name = format!("{prefix}made-by-{service}");
                let new = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
                let made = runtime.block_on(admin.create_topics([&new], &options)).unwrap();
                assert_eq!(made, [Err((name, Code::TopicAuthorizationFailed))]);
            });
        }
    });
}
