//! Whether what waits is done before its topic removes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bus::{Bus, ConsumerState, Error, Kept, Lag, Lookup, Stored};
use service::{Action, CheckHandle, CheckSpec, Health, clock};

/// How often it looks: what it tells changes over hours.
const LOOK: Duration = Duration::from_secs(60);
/// And while something of it is not known, or there is nothing to look at: that passes soon.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// For how long what was found does for one that is known no more: as long as a check may miss its looks.
const LASTS: Duration = Duration::from_secs(240);
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

/// What is known of earlier looks.
#[derive(Debug, Default)]
struct Before {
    /// Where each partition ended at the last; the topic with its prefix.
    ends: Ends,
    /// When it was last known of all that waits how long it does.
    known: Option<SystemTime>,
}

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
        let (mut before, mut lookup) = (Before::default(), bus.lookup());
        self.check.every(LOOK);
        loop {
            let at = Instant::now();
            let waits = consumers.iter().find_map(|consumer| consumer.standing(at).waits_for());
            let unknown = waits.map(|what| format!("the consumer waits for {what}"));
            let lags: Vec<Lag> = consumers.iter().flat_map(ConsumerState::lag).collect();
            let again = self.look(bus, &mut lookup, unknown, &lags, &mut before, clock::now()).await;
            tokio::time::sleep(again).await;
        }
    }

    /// `unknown`: why it is not known what waits. Answers when to look again.
    async fn look(
        &self,
        bus: &Bus,
        lookup: &mut Lookup,
        unknown: Option<String>,
        lags: &[Lag],
        before: &mut Before,
        now: SystemTime,
    ) -> Duration {
        let waiting: Vec<Waiting> = lags.iter().filter_map(Waiting::of).collect();
        let unknown = unknown.or_else(|| {
            let lag = lags.iter().find(|lag| lag.records.is_none())?;
            Some(format!("the log has not said where partition {} of {} ends", lag.partition, lag.topic))
        });
        let used = fullest(bus, lookup, &waiting, &before.ends, now).await;
        if used.is_ok() {
            // Else whether the oldest of them still waits is asked anew.
            before.ends = waiting.iter().map(|waiting| (waiting.place(), waiting.end())).collect();
        }
        match self.judge(used, unknown, before, now) {
            true if !lags.is_empty() => LOOK,
            _ => LOOK_AGAIN,
        }
    }

    /// True: it is known of all that waits.
    fn judge(
        &self,
        used: Result<Option<Used>, Error>,
        unknown: Option<String>,
        before: &mut Before,
        now: SystemTime,
    ) -> bool {
        let (used, unknown) = match used {
            Ok(used) => (used, unknown),
            Err(error) => (None, Some(error.to_string())),
        };
        let Some(unknown) = unknown else {
            before.known = Some(now);
            self.tell(used.unwrap_or_default());
            return true;
        };
        match used.filter(|used| used.share >= WARNING) {
            // What is known to be in danger is told, whatever else is not known.
            Some(used) => self.tell(used),
            None => self.not_known(&unknown, before, now),
        }
        false
    }

    /// A rebalance passes, and what was found before it changes over hours: it is left as it is for a while.
    fn not_known(&self, why: &str, before: &mut Before, now: SystemTime) {
        let is_fresh = |known: SystemTime| now.duration_since(known).unwrap_or_default() < LASTS;
        if !before.known.is_some_and(is_fresh) {
            before.known = None;
            metrics::gauge!("weir_retention_used_ratio", "stage" => self.stage).set(f64::NAN);
            self.check.unknown(format!("how long the oldest record waits is not known: {why}"));
        }
    }

    fn tell(&self, Used { share, text }: Used) {
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

/// Records of a partition that wait.
#[derive(Debug)]
struct Waiting<'a> {
    lag: &'a Lag,
    records: i64,
}

impl<'a> Waiting<'a> {
    /// None: it is not known whether there are some.
    fn of(lag: &'a Lag) -> Option<Self> {
        Some(Self { lag, records: lag.records? })
    }

    fn place(&self) -> (Arc<str>, i32) {
        (Arc::clone(&self.lag.topic), self.lag.partition)
    }

    fn end(&self) -> i64 {
        self.lag.position + self.records
    }
}

/// How much of what a topic keeps the records that wait have used up.
#[derive(Debug, Default, PartialEq)]
struct Used {
    share: f64,
    text: String,
}

/// Of the partition that is nearest to losing records. None: nothing waits that waited at the last look.
async fn fullest(
    bus: &Bus,
    lookup: &mut Lookup,
    waiting: &[Waiting<'_>],
    ends: &Ends,
    now: SystemTime,
) -> Result<Option<Used>, Error> {
    // Where all that waited at the last look is done, what waits now has come since: nobody has to be asked.
    let waits = |one: &&Waiting| one.records > 0 && ends.get(&one.place()).is_none_or(|end| one.lag.position < *end);
    let waiting: Vec<&Waiting> = waiting.iter().filter(waits).collect();
    let mut topics: Vec<String> = waiting.iter().map(|one| one.lag.topic.to_string()).collect();
    topics.sort();
    topics.dedup();
    if topics.is_empty() {
        return Ok(None);
    }
    let kept = bus.kept(&topics).await?;
    let mut fullest: Option<Used> = None;
    for one in waiting {
        let Waiting { lag, records } = one;
        let Some(kept) = kept.get(&*lag.topic) else { continue };
        let topic = lag.topic.strip_prefix(&*bus.settings().topic_prefix).unwrap_or(&lag.topic);
        // One that is not there any more has stopped its partition, which is told there.
        let Some(oldest) = lookup.at(topic, lag.partition, lag.position).await? else { continue };
        let mut sizes = vec![size(&oldest)];
        if kept.bytes.is_some() {
            for offset in [lag.position + records / 2, lag.position + records - 1] {
                sizes.extend(lookup.at(topic, lag.partition, offset).await?.as_ref().map(size));
            }
        }
        for used in [by_time(kept, one, &oldest, now), by_bytes(kept, one, &sizes)].into_iter().flatten() {
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

fn by_time(kept: &Kept, Waiting { lag, records }: &Waiting<'_>, oldest: &Stored, now: SystemTime) -> Option<Used> {
    let kept = kept.time?;
    let produced = UNIX_EPOCH + Duration::from_millis(u64::try_from(oldest.produced_at_ms).unwrap_or_default());
    let age = now.duration_since(produced).unwrap_or_default();
    let hours = |time: Duration| time.as_secs_f64() / 3600.0;
    let Lag { topic, partition, .. } = lag;
    let text = format!(
        "{records} records of {topic}/{partition} wait, the oldest for {:.1} h, and the topic keeps them for {:.1} h",
        hours(age),
        hours(kept)
    );
    Some(Used { share: age.as_secs_f64() / kept.as_secs_f64().max(1.0), text })
}

/// By the mean of some of those that wait.
fn by_bytes(kept: &Kept, Waiting { lag, records }: &Waiting<'_>, sizes: &[f64]) -> Option<Used> {
    let kept = kept.bytes? as f64;
    let bytes = *records as f64 * sizes.iter().sum::<f64>() / sizes.len() as f64;
    let mebibytes = |bytes: f64| bytes / 1024.0 / 1024.0;
    let Lag { topic, partition, .. } = lag;
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
