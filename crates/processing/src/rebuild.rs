//! Rebuilding the claims from what came out, where their store is empty and the topics are not.
//!
//! An empty store would let every redelivery pass as new. Each typed event names in its headers the raw record that it
//! came from, and that is all a claim says.

use std::time::Duration;

use bus::{Bus, Claims, Coordinates, Error, Producer, Start};
use common::identity::Id;

use crate::pipeline::STAGE;

const AT_ONCE: usize = 1000;
/// Topics that are read at once, of those on which there is anything. Each may have a client of its own that reads ahead by tens of megabytes.
const TOPICS_AT_ONCE: usize = 4;

/// Enters a claim for every typed event that is on these topics; how many there were. What this process has sent is
/// waited for first, up to the limit: its claims are lost too, and it is not yet to be read.
pub(crate) async fn rebuild(
    bus: &Bus,
    producer: &Producer,
    limit: Duration,
    claims: &Claims,
    topics: &[String],
) -> Result<u64, Error> {
    producer.flush(limit).await?;
    let topics = bus.topics_with_records(topics).await?;
    let mut entered = 0;
    for topics in topics.chunks(TOPICS_AT_ONCE) {
        entered += restore(bus, claims, topics).await?;
    }
    claims.restored().await?;
    Ok(entered)
}

async fn restore(bus: &Bus, claims: &Claims, topics: &[String]) -> Result<u64, Error> {
    let mut reader = bus.reader(topics, Start::Beginning).await?;
    let mut found: Vec<(String, Id, Coordinates)> = Vec::with_capacity(AT_ONCE);
    let mut entered = 0;
    loop {
        let stored = reader.next_until_end().await?;
        let at_end = stored.is_none();
        if let Some(stored) = stored
            && let (Some(id), Some(from)) = (id(&stored.headers.id), stored.headers.from)
        {
            found.push((stored.headers.r#type, id, from));
        }
        if found.len() >= AT_ONCE || at_end {
            let events: Vec<_> = found.iter().map(|(ce_type, id, from)| (ce_type.as_str(), *id, from)).collect();
            claims.restore(STAGE, &events).await?;
            entered += found.len() as u64;
            found.clear();
        }
        if at_end {
            return Ok(entered);
        }
    }
}

/// An event's id as it is written. Others may write to a topic: what is no id is left out.
fn id(text: &str) -> Option<Id> {
    if text.len() != 32 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(|number| Id(number.to_be_bytes()))
}

#[cfg(test)]
#[path = "rebuild_tests.rs"]
mod tests;
