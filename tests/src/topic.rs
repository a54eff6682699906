//! What is put on a topic, and what stands there.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bus::{Bus, Coordinates, Record, Start, Stored};

/// For how long a topic may be without a leader, or without the records that are waited for.
const LIMIT: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(50);
/// Until there may be room again in a producer that is full.
const ROOM: Duration = Duration::from_millis(5);

/// Sends records in their order, and waits until all are durable; where each is.
///
/// # Errors
/// One is refused, or was not delivered.
pub async fn send(bus: &Bus, records: impl IntoIterator<Item = Record>) -> anyhow::Result<Vec<Coordinates>> {
    let producer = bus.producer()?;
    let mut sent = Vec::new();
    for record in records {
        loop {
            match producer.try_send(record.clone()) {
                Ok(receipt) => break sent.push(receipt),
                Err(bus::Error::Full) => tokio::time::sleep(ROOM).await,
                Err(error) => return Err(error).context("send a record"),
            }
        }
    }
    let mut at = Vec::new();
    for receipt in sent {
        at.push(receipt.await?);
    }
    Ok(at)
}

/// All records that are on a topic now; none where there is no such topic.
///
/// # Errors
/// The log does not answer within a minute.
pub async fn read(bus: &Bus, topic: &str) -> anyhow::Result<Vec<Stored>> {
    let began = Instant::now();
    loop {
        match try_read(bus, topic).await {
            Err(bus::Error::NoTopic { .. }) => return Ok(Vec::new()),
            // A topic that was made just now has no leader yet.
            Err(_) if began.elapsed() < LIMIT => tokio::time::sleep(AGAIN).await,
            read => return read.with_context(|| format!("read {topic}")),
        }
    }
}

async fn try_read(bus: &Bus, topic: &str) -> Result<Vec<Stored>, bus::Error> {
    let mut reader = bus.reader(&[topic.to_owned()], Start::Beginning).await?;
    let mut found = Vec::new();
    while let Some(stored) = reader.next_until_end().await? {
        found.push(stored);
    }
    Ok(found)
}

/// The records of a topic, once there are so many.
///
/// # Errors
/// There are more, or fewer after a minute, or the log does not answer.
pub async fn read_exactly(bus: &Bus, topic: &str, count: usize) -> anyhow::Result<Vec<Stored>> {
    let began = Instant::now();
    loop {
        let found = read(bus, topic).await?;
        ensure!(found.len() <= count, "{} records on {topic}, expected {count}", found.len());
        if found.len() == count {
            return Ok(found);
        }
        if began.elapsed() > LIMIT {
            bail!("{} records on {topic} after {LIMIT:?}, expected {count}", found.len());
        }
        tokio::time::sleep(AGAIN).await;
    }
}
