//! The topics that Weir wants, as they are to be created.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalogue;
use crate::settings::Settings;

/// A topic, as it is to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// With the prefix.
    pub name: String,
    /// How many.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication_factor: i32,
    /// Named as Kafka names it.
    #[serde(serialize_with = "as_map")]
    pub config: Vec<(&'static str, String)>,
}

fn as_map<S: serde::Serializer>(config: &[(&'static str, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(config.iter().map(|(key, value)| (key, value)))
}

/// What all services need of their topics, each once, in the order of the names.
pub fn needed() -> Vec<bus::TopicSpec> {
    let specs = catalogue::descriptions().flat_map(|description| description.needed());
    let specs: BTreeMap<_, _> = specs.map(|spec| (spec.name.clone(), spec)).collect();
    specs.into_values().collect()
}

/// The topics of all services.
pub fn all(settings: &Settings) -> Vec<Topic> {
    let topic = |spec: bus::TopicSpec| {
        let (partitions, config) = bus::shape(&settings.bus, &spec);
        let name = format!("{}{}", settings.bus.topic_prefix, spec.name);
        Topic { name, partitions, replication_factor: settings.bus.replication_factor, config }
    };
    needed().into_iter().map(topic).collect()
}
