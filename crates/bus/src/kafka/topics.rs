//! Creating and checking topics.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::client::{Events, unusable};
use super::{Kafka, blocking};
use crate::{Error, TopicKind, TopicProblem, TopicSpec};

const ASK: Duration = Duration::from_secs(10);

/// A topic as it is.
struct Found {
    partitions: usize,
    /// The fewest of any partition.
    replicas: usize,
}

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

pub(crate) async fn prepare(kafka: &Arc<Kafka>, specs: &[TopicSpec]) -> Result<Vec<TopicProblem>, Error> {
    let settings = &kafka.settings;
    let admin: AdminClient<Events> =
        kafka.config()?.create_with_context(Events::new("admin")).map_err(|error| unusable("admin client", &error))?;
    let options = AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(ASK));
    let asking = kafka.clone();
    let mut found = blocking(move || find(&asking, ASK)).await?;
    let mut problems = Vec::new();

    let missing: Vec<_> = specs.iter().filter(|spec| !found.contains_key(&settings.full_name(&spec.name))).collect();
    if settings.create_topics && !missing.is_empty() {
        problems = create(kafka, &admin, &options, &missing).await?;
        let asking = kafka.clone();
        found = blocking(move || find(&asking, ASK)).await?;
    } else {
        problems.extend(missing.iter().map(|spec| TopicProblem {
            topic: settings.full_name(&spec.name),
            problem: format!("does not exist: create it with {}, or set bus.create_topics", wanted(kafka, spec)),
            blocks: true,
        }));
    }

    let names: Vec<_> =
        specs.iter().map(|spec| settings.full_name(&spec.name)).filter(|name| found.contains_key(name)).collect();
    let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let away = |error: KafkaError| kafka.away(&format!("cannot describe topics: {error}"));
    let mut configs = HashMap::new();
    if !resources.is_empty() {
        for described in admin.describe_configs(&resources, &options).await.map_err(away)? {
            match described {
                Ok(config) => {
                    if let OwnedResourceSpecifier::Topic(name) = &config.specifier {
                        configs.insert(name.clone(), config);
                    }
                }
                Err(code) => tracing::warn!(%code, "a topic's configuration cannot be read, it is not checked"),
            }
        }
    }
    for spec in specs {
        let name = settings.full_name(&spec.name);
        if let Some(found) = found.get(&name) {
            check(kafka, spec, found, configs.get(&name), &mut |problem, blocks| {
                problems.push(TopicProblem { topic: name.clone(), problem, blocks });
            });
        }
    }
    Ok(problems)
}

/// What a topic is created with: partitions and configuration.
fn shape(kafka: &Kafka, spec: &TopicSpec) -> (i32, Vec<(&'static str, String)>) {
    let settings = &kafka.settings;
    let mut config = vec![("max.message.bytes", settings.producer.max_record_bytes.to_string())];
    if settings.replication_factor > 1 {
        config.push(("min.insync.replicas", "2".to_owned()));
    }
    match spec.kind {
        TopicKind::Log { retention } => {
            config.push(("cleanup.policy", "delete".to_owned()));
            config.push(("retention.ms", retention.as_millis().to_string()));
            (settings.partitions, config)
        }
        TopicKind::Compacted => {
            config.push(("cleanup.policy", "compact".to_owned()));
            (1, config)
        }
    }
}

fn wanted(kafka: &Kafka, spec: &TopicSpec) -> String {
    let (partitions, config) = shape(kafka, spec);
    let config: Vec<_> = config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!(
        "{partitions} partitions, replication factor {} and {}",
        kafka.settings.replication_factor,
        config.join(", ")
    )
}

async fn create(
    kafka: &Kafka,
    admin: &AdminClient<Events>,
    options: &AdminOptions,
    missing: &[&TopicSpec],
) -> Result<Vec<TopicProblem>, Error> {
    let shapes: Vec<_> =
        missing.iter().map(|spec| (kafka.settings.full_name(&spec.name), shape(kafka, spec))).collect();
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
                problem: format!("does not exist and cannot be created: {code}; create it, or allow it to be created"),
                blocks: true,
            }),
        }
    }
    Ok(problems)
}

fn check(
    kafka: &Kafka,
    spec: &TopicSpec,
    found: &Found,
    config: Option<&ConfigResource>,
    problem: &mut impl FnMut(String, bool),
) {
    let settings = &kafka.settings;
    let value = |key: &str| config.and_then(|config| config.get(key)).and_then(|entry| entry.value.as_deref());
    let number = |key: &str| value(key).and_then(|value| value.parse::<i64>().ok());

    if settings.replication_factor > 1 {
        if found.replicas < usize::try_from(settings.replication_factor).unwrap_or(0) {
            let (has, wants) = (found.replicas, settings.replication_factor);
            problem(
                format!(
                    "has {has} replicas of a partition, and bus.replication_factor asks for {wants}: reassign its replicas"
                ),
                true,
            );
        }
        if let Some(min) = number("min.insync.replicas").filter(|min| *min < 2) {
            problem(
                format!("has min.insync.replicas={min}: what is acknowledged may be lost with one broker; set it to 2"),
                true,
            );
        }
    }
    let largest = i64::try_from(settings.producer.max_record_bytes).unwrap_or(i64::MAX);
    if let Some(max) = number("max.message.bytes").filter(|max| *max < largest) {
        problem(
            format!(
                "has max.message.bytes={max}, and records may have {largest}: raise it, or lower bus.producer.max_record_bytes"
            ),
            true,
        );
    }
    let policy = value("cleanup.policy").unwrap_or_default();
    match spec.kind {
        TopicKind::Compacted => {
            if config.is_some() && policy != "compact" {
                problem(format!("has cleanup.policy={policy}: registrations would be lost; set it to compact"), true);
            }
            if found.partitions != 1 {
                problem(
                    format!(
                        "has {} partitions: it must have one, to be read in order; create it anew",
                        found.partitions
                    ),
                    true,
                );
            }
        }
        TopicKind::Log { retention } => {
            if policy.contains("compact") {
                problem(format!("has cleanup.policy={policy}: records would be lost; set it to delete"), true);
            }
            let wanted = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
            if let Some(has) = number("retention.ms").filter(|has| *has >= 0 && *has < wanted) {
                problem(format!("keeps its records for {has} ms: raise retention.ms to {wanted}"), false);
            }
        }
    }
}
