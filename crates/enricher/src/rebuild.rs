//! Rebuilding the claims from what came out, where their store is empty and the topic is not.
//!
//! Each enriched activity names in its headers the record that it came from, and that is all a claim says.

use std::time::Duration;

use bus::{Bus, Claims, Coordinates, Error, Producer, Start};
use common::identity::Id;
use common::topics::ACTIVITIES_ENRICHED;

use crate::work::claimed;
use crate::{ACTIVITY, STAGE};

const AT_ONCE: usize = 1000;

/// Enters a claim for every enriched activity that is on the topic; how many there were. What this process has sent is
/// waited for first, up to the limit: its claims are lost too, and it is not yet to be read.
pub(crate) async fn rebuild(bus: &Bus, producer: &Producer, limit: Duration, claims: &Claims) -> Result<u64, Error> {
    producer.flush(limit).await?;
    let mut reader = bus.reader(&[ACTIVITIES_ENRICHED.name().to_owned()], Start::Beginning).await?;
    let mut found: Vec<(Id, Coordinates)> = Vec::with_capacity(AT_ONCE);
    let mut entered = 0;
    loop {
        let stored = reader.next_until_end().await?;
        let at_end = stored.is_none();
        if let Some(stored) = stored
            && let Some(from) = stored.headers.from
            && !stored.headers.id.is_empty()
        {
            found.push((claimed(&stored.headers.id), from));
        }
        if found.len() >= AT_ONCE || at_end {
            let events: Vec<_> = found.iter().map(|(id, from)| (ACTIVITY, *id, from)).collect();
            claims.restore(STAGE, &events).await?;
            entered += found.len() as u64;
            found.clear();
        }
        if at_end {
            break;
        }
    }
    claims.restored().await?;
    Ok(entered)
}
