//! From where to where partitions go.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::Kafka;
use crate::{Error, Extent};

/// Of a topic by its name without the prefix. Blocks at most `limit` for each question: one, and one for each partition.
pub(crate) fn ask(kafka: &Kafka, topic: &str, limit: Duration) -> Result<Vec<Extent>, Error> {
    let full = kafka.settings.full_name(topic);
    let away = |error: KafkaError| kafka.away(&error.to_string());
    let metadata = kafka.asking.fetch_metadata(Some(&full), limit);
    kafka.serve_asking();
    let metadata = metadata.map_err(away)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == full) else {
        return Err(Error::NoTopic { topic: full.into() });
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            return Err(Error::NoTopic { topic: full.into() });
        }
        Some(code) => return Err(kafka.away(&format!("topic {full}: {code}"))),
    }
    let mut extents = Vec::with_capacity(found.partitions().len());
    for partition in 0..i32::try_from(found.partitions().len()).unwrap_or(i32::MAX) {
        let (first, end) = kafka.asking.fetch_watermarks(&full, partition, limit).map_err(away)?;
        extents.push(Extent { first, end });
    }
    Ok(extents)
}
