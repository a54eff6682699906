//! Whether what waits is done before its topic removes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::{Bus, ConsumerState, Error, Kept, Lag, Lookup, Stored};
use service::{Action, CheckHandle, CheckSpec, Health, clock};

/// How often it looks: what it tells changes over hours.
const LOOK: Duration = Duration::from_secs(60);
/// From which part of what a topic keeps on it is told, and from which on it fails.
const WARNING: f64 = 0.5;
const FAILING: f64 = 0.8;

/// Compares the oldest record of each partition that is not done with the time that its topic keeps it, and what waits
/// with the bytes that it keeps. Beyond either, records are removed unread.
#[derive(Debug, Clone)]
pub struct Retention {
    check: CheckHandle,
    stage: &'static str,
}

/// Where each partition ended at the last look; the topic with its prefix.
type Ends = HashMap<(Arc<str>, i32), i64>;

impl Retention {
    /// A check of this name, unknown at first.
    #[must_use]
    pub fn new(health: &Health, name: &'static str, stage: &'static str) -> Self {
        let spec =
            CheckSpec { name, action: Action::Page, gates_readiness: false, unit: "ratio", threshold: Some(FAILING) };
        Self { check: health.check(spec), stage }
    }

    /// Looks at what these consumers have not done, for ever.
    pub async fn watch(&self, bus: &Bus, consumers: &[ConsumerState]) {
        let (mut ends, mut lookup) = (Ends::new(), bus.lookup());
        loop {
            let lags: Vec<Lag> = consumers.iter().flat_map(ConsumerState::lag).collect();
            self.look(bus, &mut lookup, &lags, &mut ends, clock::now()).await;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&self, bus: &Bus, lookup: &mut Lookup, lags: &[Lag], ends: &mut Ends, now: SystemTime) {
        let used = fullest(bus, lookup, lags, ends, now).await;
        *ends = lags.iter().map(|lag| ((lag.topic.clone(), lag.partition), lag.position + lag.records)).collect();
        match used {
            Err(error) => self.check.unknown(error.to_string()),
            Ok(used) => self.tell(used),
        }
    }

    fn tell(&self, used: Option<Used>) {
        let Used { share, text } = used.unwrap_or_else(|| Used { share: 0.0, text: String::new() });
        metrics::gauge!("weir_retention_used_ratio", "stage" => self.stage).set(share);
        self.check.value(share);
        let todo = "let the stage catch up, or raise the retention of the topic, before unread records are removed";
        if share >= FAILING {
            self.check.fail(format!("{text}: {todo}"));
        } else if share >= WARNING {
            self.check.warn(format!("{text}: {todo}"));
        } else {
            self.check.ok("the backlog is well within the retention of its topics");
        }
    }
}

/// How much of what a topic keeps the records that wait have used up.
#[derive(Debug, PartialEq)]
struct Used {
    share: f64,
    text: String,
}

/// Of the partition that is nearest to losing records. None: nothing waits that waited at the last look.
async fn fullest(
    bus: &Bus,
    lookup: &mut Lookup,
    lags: &[Lag],
    ends: &Ends,
    now: SystemTime,
) -> Result<Option<Used>, Error> {
    // Where all that waited at the last look is done, what waits now has come since: nobody has to be asked.
    let waits = |lag: &&Lag| {
        let end = ends.get(&(lag.topic.clone(), lag.partition));
        lag.records > 0 && end.is_none_or(|end| lag.position < *end)
    };
    let waiting: Vec<&Lag> = lags.iter().filter(waits).collect();
    let mut topics: Vec<String> = waiting.iter().map(|lag| lag.topic.to_string()).collect();
    topics.sort();
    topics.dedup();
    if topics.is_empty() {
        return Ok(None);
    }
    let kept = bus.kept(&topics).await?;
    let mut fullest: Option<Used> = None;
    for lag in waiting {
        let Some(kept) = kept.get(&*lag.topic) else { continue };
        let topic = lag.topic.strip_prefix(&*bus.settings().topic_prefix).unwrap_or(&lag.topic);
        // One that is not there any more has stopped its partition, which is told there.
        let Some(oldest) = lookup.at(topic, lag.partition, lag.position).await? else { continue };
        let mut sizes = vec![size(&oldest)];
        if kept.bytes.is_some() {
            for offset in [lag.position + lag.records / 2, lag.position + lag.records - 1] {
                sizes.extend(lookup.at(topic, lag.partition, offset).await?.as_ref().map(size));
            }
        }
        for used in [by_time(kept, lag, &oldest, now), by_bytes(kept, lag, &sizes)].into_iter().flatten() {
            if fullest.as_ref().is_none_or(|most| most.share < used.share) {
                fullest = Some(used);
            }
        }
    }
    Ok(fullest)
}

/// Key and value, as they were before they were compressed: what waits is rather taken for more than for less.
fn size(record: &Stored) -> f64 {
    (record.key.as_ref().map_or(0, |key| key.len()) + record.payload.as_ref().map_or(0, |payload| payload.len())) as f64
}

fn by_time(kept: &Kept, lag: &Lag, oldest: &Stored, now: SystemTime) -> Option<Used> {
    let kept = kept.time?;
    let produced = UNIX_EPOCH + Duration::from_millis(u64::try_from(oldest.produced_at_ms).unwrap_or_default());
    let age = now.duration_since(produced).unwrap_or_default();
    let hours = |time: Duration| time.as_secs_f64() / 3600.0;
    let Lag { topic, partition, records, .. } = lag;
    let text = format!(
        "{records} records of {topic}/{partition} wait, the oldest for {:.1} h, and the topic keeps them for {:.1} h",
        hours(age),
        hours(kept)
    );
    Some(Used { share: age.as_secs_f64() / kept.as_secs_f64().max(1.0), text })
}

/// By the mean of some of those that wait.
fn by_bytes(kept: &Kept, lag: &Lag, sizes: &[f64]) -> Option<Used> {
    let kept = kept.bytes? as f64;
    let bytes = lag.records as f64 * sizes.iter().sum::<f64>() / sizes.len() as f64;
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    let Lag { topic, partition, records, .. } = lag;
    let text = format!(
        "{records} records of {topic}/{partition} wait, about {:.1} MiB, and the topic keeps {:.1} MiB of a partition",
        mebibytes(bytes),
        mebibytes(kept)
    );
    Some(Used { share: bytes / kept.max(1.0), text })
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
