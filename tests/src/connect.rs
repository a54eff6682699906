//! What tests connect with: settings of the bus for a broker of the harness, and channels.

use anyhow::Context;

use crate::kafka::Kafka;

/// The settings of the bus as they are by default, for this broker, with a topic prefix and with topics made where they
/// are missing. What the bus keeps on disk is in `data`.
///
/// # Errors
/// The bus's defaults are not what its settings expect.
pub fn settings(kafka: &Kafka, prefix: &str, data: &std::path::Path) -> anyhow::Result<bus::Settings> {
    let mut defaults: toml::Table = bus::DEFAULTS.parse().context("the defaults of the bus")?;
    let section = defaults.remove("bus").context("the defaults of the bus have no section [bus]")?;
    let mut settings: bus::Settings = section.try_into().context("the defaults of the bus")?;
    settings.kafka.brokers = vec![kafka.bootstrap().to_owned()];
    prefix.clone_into(&mut settings.topic_prefix);
    settings.create_topics = true;
    settings.data_dir = data.to_owned();
    Ok(settings)
}

/// A channel to a service's gRPC, as "http://127.0.0.1:9090".
///
/// # Errors
/// Not an address, or nobody answers there.
pub async fn grpc(url: &str) -> anyhow::Result<tonic::transport::Channel> {
    let endpoint = tonic::transport::Endpoint::from_shared(url.to_owned())?;
    endpoint.connect().await.with_context(|| format!("no gRPC at {url}"))
}
