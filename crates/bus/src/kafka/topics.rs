//! Creating and checking topics.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Events, unusable};
use super::{Kafka, blocking};
use crate::topics::{Found, check, hidden, missing, shape};
use crate::{Error, Kept, TopicProblem, TopicSpec};

const ASK: Duration = Duration::from_secs(10);
/// Before a question that came too early is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// All topics of this installation, without the prefix.
pub(crate) fn list(kafka: &Kafka, limit: Duration) -> Result<Vec<String>, Error> {
    let prefix = &kafka.settings.topic_prefix;
    let mut names: Vec<_> = find(kafka, limit)?
        .into_keys()
        // Kafka's own topics begin with two underscores.
        .filter(|name| !name.starts_with("__"))
        .filter_map(|name| name.strip_prefix(prefix).map(ToOwned::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

/// Those that have records: all first and all last offsets in two questions. Blocks at most twice `limit`, and a little.
pub(crate) fn with_records(kafka: &Kafka, topics: Vec<String>, limit: Duration) -> Result<Vec<String>, Error> {
    let away = |error: KafkaError| kafka.away(&error.to_string());
    let there = find(kafka, limit)?;
    let ask = |of: Offset| {
        let mut asked = TopicPartitionList::new();
        for name in &topics {
            let name = kafka.settings.full_name(name);
            let Some(found) = there.get(&name) else { return Err(Error::NoTopic { topic: name.into() }) };
            for partition in 0..i32::try_from(found.partitions).unwrap_or(i32::MAX) {
                asked.add_partition_offset(&name, partition, of).map_err(away)?;
            }
        }
        if asked.count() == 0 {
            return Ok(HashMap::new());
        }
        let until = Instant::now() + limit;
        loop {
            match offsets(kafka, &asked, limit) {
                // The client does not know yet who leads a topic that was just created. To poll is to wait.
                Err(error) if is_early(&error) && Instant::now() < until => drop(kafka.asking.poll(AGAIN)),
                answer => return answer.map_err(away),
            }
        }
    };
    let (first, last) = (ask(Offset::Beginning)?, ask(Offset::End)?);
    kafka.serve_asking();
    let filled: HashSet<&str> = last
        .iter()
        .filter(|(place, end)| first.get(*place) != Some(*end))
        .map(|((topic, _), _)| topic.as_str())
        .collect();
    Ok(topics.into_iter().filter(|name| filled.contains(kafka.settings.full_name(name).as_str())).collect())
}

/// The first offset and the one after the last of each partition, by the topic's full name.
pub(super) type Ranges = HashMap<(String, i32), (i64, i64)>;

/// Those of every partition of this installation. Blocks at most thrice `limit`.
pub(super) fn ranges(kafka: &Kafka, limit: Duration) -> Result<Ranges, Error> {
    let away = |error: KafkaError| kafka.away(&error.to_string());
    let ask = |of: Offset, found: &HashMap<String, Found>| {
        let mut asked = TopicPartitionList::new();
        for (name, found) in found {
            for partition in 0..i32::try_from(found.partitions).unwrap_or(i32::MAX) {
                asked.add_partition_offset(name, partition, of).map_err(away)?;
            }
        }
        if asked.count() == 0 { Ok(HashMap::new()) } else { offsets(kafka, &asked, limit).map_err(away) }
    };
    let mut found = find(kafka, limit)?;
    found.retain(|name, _| !name.starts_with("__") && name.starts_with(&kafka.settings.topic_prefix));
    let (first, mut last) = (ask(Offset::Beginning, &found)?, ask(Offset::End, &found)?);
    kafka.serve_asking();
    let number = |offset: Offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
    let range = |(place, low): ((String, i32), Offset)| {
        let end = last.remove(&place).map_or(0, number);
        (place, (number(low), end))
    };
    Ok(first.into_iter().map(range).collect())
}

/// Offsets by "time": those of the beginning and of the end are asked for in the same way.
fn offsets(kafka: &Kafka, asked: &TopicPartitionList, limit: Duration) -> KafkaResult<HashMap<(String, i32), Offset>> {
    let mut offsets = HashMap::new();
    for element in kafka.asking.offsets_for_times(asked.clone(), limit)?.elements() {
        element.error()?;
        offsets.insert((element.topic().to_owned(), element.partition()), element.offset());
    }
    Ok(offsets)
}

fn is_early(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let early = [Code::NotLeaderForPartition, Code::LeaderNotAvailable, Code::UnknownTopicOrPartition];
    error.rdkafka_error_code().is_some_and(|code| early.contains(&code))
}

fn find(kafka: &Kafka, limit: Duration) -> Result<HashMap<String, Found>, Error> {
    let metadata = kafka.asking.fetch_metadata(None, limit);
    kafka.serve_asking();
    let metadata = metadata.map_err(|error| kafka.away(&error.to_string()))?;
    let found = metadata.topics().iter().filter(|topic| topic.error().is_none()).map(|topic| {
        let replicas = topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
        (topic.name().to_owned(), Found { partitions: topic.partitions().len(), replicas })
    });
    Ok(found.collect())
}

fn admin(kafka: &Kafka) -> Result<(AdminClient<Events>, AdminOptions), Error> {
    let admin =
        kafka.config()?.create_with_context(Events::new("admin")).map_err(|error| unusable("admin client", &error))?;
    Ok((admin, AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(ASK))))
}

/// `may_create`: what is missing is created, where the settings allow it.
pub(crate) async fn prepare(
    kafka: &Arc<Kafka>,
    specs: &[TopicSpec],
    may_create: bool,
) -> Result<Vec<TopicProblem>, Error> {
    let settings = &kafka.settings;
    let (admin, options) = admin(kafka)?;
    let asking = kafka.clone();
    let mut found = blocking(move || find(&asking, ASK)).await?;
    let mut problems = Vec::new();

    let absent: Vec<_> = specs.iter().filter(|spec| !found.contains_key(&settings.full_name(&spec.name))).collect();
    let until = Instant::now() + ASK;
    if may_create && settings.create_topics && !absent.is_empty() {
        problems = create(kafka, &admin, &options, &absent).await?;
        let created =
            |spec: &&&TopicSpec| !problems.iter().any(|problem| problem.topic == settings.full_name(&spec.name));
        let created: Vec<_> = absent.iter().filter(created).map(|spec| settings.full_name(&spec.name)).collect();
        loop {
            let asking = kafka.clone();
            found = blocking(move || find(&asking, ASK)).await?;
            match created.iter().find(|name| !found.contains_key(*name)) {
                Some(name) => wait_for(kafka, name, until).await?,
                None => break,
            }
        }
    } else {
        problems.extend(absent.iter().map(|spec| missing(settings, spec)));
    }

    let names: Vec<_> =
        specs.iter().map(|spec| settings.full_name(&spec.name)).filter(|name| found.contains_key(name)).collect();
    let (configs, refused) = loop {
        let (configs, refused) = describe(kafka, &admin, &options, &names).await?;
        // A broker that has only just heard of the topic says nothing of it, and every topic has this.
        let is_silent = |config: &&ConfigResource| {
            let policy = config.get("cleanup.policy").and_then(|entry| entry.value.as_deref());
            policy.is_none_or(str::is_empty)
        };
        match configs.iter().find(|(_, config)| is_silent(config)) {
            Some((name, _)) => wait_for(kafka, name, until).await?,
            None => break (configs, refused),
        }
    };
    for spec in specs {
        let name = settings.full_name(&spec.name);
        if let Some(found) = found.get(&name) {
            let config = configs.get(&name);
            let value = |key: &str| config?.get(key)?.value.clone();
            problems.extend(check(settings, spec, *found, config.is_some(), value));
            if let (None, Some(refused)) = (config, &refused) {
                problems.push(hidden(settings, spec, refused));
            }
        }
    }
    Ok(problems)
}

/// For how long, and how much, topics that are there keep; with prefix.
pub(crate) async fn kept(kafka: &Kafka, names: &[String]) -> Result<HashMap<String, Kept>, Error> {
    let (admin, options) = admin(kafka)?;
    let (configs, _) = describe(kafka, &admin, &options, names).await?;
    let kept = configs
        .into_iter()
        .map(|(name, config)| (name, Kept::read(|key| config.get(key).and_then(|entry| entry.value.clone()))));
    Ok(kept.collect())
}

/// A topic was created, and the broker that was asked has not heard of it yet.
async fn wait_for(kafka: &Kafka, topic: &str, until: Instant) -> Result<(), Error> {
    if Instant::now() >= until {
        return Err(kafka.away(&format!("topic {topic} is new, and not known to all brokers yet")));
    }
    tokio::time::sleep(AGAIN).await;
    Ok(())
}

/// The configuration of each topic that says it, and why others may not be read.
async fn describe(
    kafka: &Kafka,
    admin: &AdminClient<Events>,
    options: &AdminOptions,
    names: &[String],
) -> Result<(HashMap<String, ConfigResource>, Option<String>), Error> {
    let (mut configs, mut refused) = (HashMap::new(), None);
    if names.is_empty() {
        return Ok((configs, refused));
    }
    let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let away = |error: KafkaError| kafka.away(&format!("cannot describe topics: {error}"));
    for described in admin.describe_configs(&resources, options).await.map_err(away)? {
        match described {
            Ok(config) => {
                if let OwnedResourceSpecifier::Topic(name) = &config.specifier {
                    configs.insert(name.clone(), config);
                }
            }
            Err(code) => {
                tracing::warn!(%code, "a topic's configuration cannot be read, it is not checked");
                // Another error is that of a topic which is new, or of a broker that is busy.
                if matches!(code, RDKafkaErrorCode::TopicAuthorizationFailed) {
                    refused = Some(code.to_string());
                }
            }
        }
    }
    Ok((configs, refused))
}

async fn create(
    kafka: &Kafka,
    admin: &AdminClient<Events>,
    options: &AdminOptions,
    absent: &[&TopicSpec],
) -> Result<Vec<TopicProblem>, Error> {
    let shapes: Vec<_> =
        absent.iter().map(|spec| (kafka.settings.full_name(&spec.name), shape(&kafka.settings, spec))).collect();
    let topics: Vec<_> = shapes
        .iter()
        .map(|(name, (partitions, config))| {
            let replication = TopicReplication::Fixed(kafka.settings.replication_factor);
            config
                .iter()
                .fold(NewTopic::new(name, *partitions, replication), |topic, (key, value)| topic.set(key, value))
        })
        .collect();
    let created = admin
        .create_topics(&topics, options)
        .await
        .map_err(|error| kafka.away(&format!("cannot create topics: {error}")))?;
    let mut problems = Vec::new();
    for result in created {
        match result {
            Ok(topic) => tracing::info!(topic, "topic created"),
            // Another instance was first.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => problems.push(TopicProblem {
                topic,
                problem: format!(
                    "missing, and this service cannot create topics ({code}): run `weir topics --create` as one who may, or \
                     apply what `weir topics --commands` prints"
                ),
                blocks: true,
                missing: true,
                expires: false,
            }),
        }
    }
    Ok(problems)
}
