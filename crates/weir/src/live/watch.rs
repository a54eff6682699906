//! Reads what comes out: counts it, and shows three events of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bus::{Bus, Start, Stored};
use common::event::v1::Context;
use common::load::v1::LoadRequest;
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS, LOADS};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use crate::decode::Decoder;

/// Before a log that failed is read again.
const AGAIN: Duration = Duration::from_secs(1);
/// So long an Instagram event is waited for before an activity is shown in its place.
const PATIENCE: Duration = Duration::from_secs(15);

/// What all typed events have in the same place.
#[derive(Clone, PartialEq, prost::Message)]
struct Typed {
    #[prost(message, optional, tag = "1")]
    context: Option<Context>,
}

/// Counts what comes out since a moment, until `stop` is cancelled. Three decoded events go to `samples`.
pub async fn watch(
    bus: Bus,
    since: SystemTime,
    counts: Arc<Counts>,
    samples: mpsc::Sender<String>,
    stop: CancellationToken,
) {
    let mut samples = Samples::new(samples);
    let _ = stop.run_until_cancelled(follow(&bus, since, &counts, &mut samples)).await;
}

async fn follow(bus: &Bus, mut since: SystemTime, counts: &Counts, samples: &mut Samples) {
    let prefix = bus.settings().topic_prefix.clone();
    loop {
        // By time, because opening takes a while for so many topics: what comes meanwhile is read all the same.
        if let Some(mut reader) = open(bus, Start::AtTime(since.into())).await {
            loop {
                match reader.next().await {
                    Ok(record) => {
                        take(&record, &prefix, counts, samples);
                        since = since.max(SystemTime::UNIX_EPOCH + millis(record.produced_at_ms + 1));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "reading the produced records failed, retrying");
                        break;
                    }
                }
            }
        }
        sleep(AGAIN).await;
    }
}

async fn open(bus: &Bus, start: Start) -> Option<bus::Reader> {
    let mut topics = bus.topics().await.ok()?;
    let (activities, enriched, loads, dead_letters) = (ACTIVITIES, ACTIVITIES_ENRICHED, LOADS, DEAD_LETTERS);
    let others = [activities.name(), enriched.name(), loads.name(), dead_letters.name()];
    topics.retain(|topic| topic.starts_with("events.") || others.contains(&topic.as_str()));
    if topics.is_empty() {
        return None;
    }
    bus.reader(&topics, start).await.ok()
}

fn take(record: &Stored, prefix: &str, counts: &Counts, samples: &mut Samples) {
    let topic = record.coordinates.topic.strip_prefix(prefix).unwrap_or(&record.coordinates.topic);
    if record.canary().is_some() {
        return;
    }
    let payload = record.payload.as_deref().unwrap_or_default();
    if topic == LOADS.name() {
        counts.files_written(LoadRequest::decode(payload).map_or(0, |request| request.files.len()));
        return;
    }
    let received_at = if topic.starts_with("events.") {
        Typed::decode(payload).ok().and_then(|typed| typed.context?.received_at)
    } else {
        None
    };
    let took = received_at.and_then(|at| service::clock::now().duration_since(SystemTime::try_from(at).ok()?).ok());
    counts.came_out(topic, took);
    samples.offer(topic, record);
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The three events that are shown, so that one sees what one gets.
struct Samples {
    out: mpsc::Sender<String>,
    decoder: Option<Decoder>,
    since: Instant,
    facebook: bool,
    github: bool,
    third: bool,
}

impl Samples {
    fn new(out: mpsc::Sender<String>) -> Self {
        Self { out, decoder: Decoder::new().ok(), since: Instant::now(), facebook: false, github: false, third: false }
    }

    fn offer(&mut self, topic: &str, record: &Stored) {
        let Some(decoder) = &self.decoder else { return };
        let seen = match topic {
            "events.facebook.comment" => &mut self.facebook,
            topic if topic.starts_with("events.github.") => &mut self.github,
            topic if topic.starts_with("events.instagram.") => &mut self.third,
            "activities" if self.since.elapsed() > PATIENCE => &mut self.third,
            _ => return,
        };
        if !*seen && self.out.try_send(decoder.pretty(record)).is_ok() {
            *seen = true;
        }
        if self.facebook && self.github && self.third {
            self.decoder = None;
        }
    }
}
