//! From raw deliveries to the files of a table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Claim, Start, Stored, Verdict as Seen};
use common::activity::v1::{Activity, EnrichedActivity};
use common::identity::Id;
use common::raw::v1::Delivery;
use common::registration::v1::Registration;
use common::registrations::Registrations;
use common::time::{from_millis, to_millis};
use common::topics::{ACTIVITIES, REGISTRATIONS, raw, raw_bulk};
use enricher::files::rows::{Row, received_at};
use enricher::files::{DayFile, day};
use enricher::steps::{Processing, Steps, Verdict};
use indicatif::ProgressBar;
use loader::Fresh;
use processing::parse::{self, Input, Item};
use processing::weight::{self, Limit};
use prost::Message as _;
use service::Health;
use service::tls::Dial;
use tokio_util::sync::CancellationToken;

use crate::cmd::scratch::Scratch;
use crate::records::Records;
use crate::settings::Settings;

/// So many deliveries, or bytes, are worked on at once.
const AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// What files may take in memory before the largest is written.
const BUFFERED: usize = 64 * 1024 * 1024;
/// What a door's clock may be before or behind that of the log, in milliseconds.
const CLOCKS: i64 = 60_000;
/// A required step that fails is asked again so often.
const ATTEMPTS: u32 = 10;
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be made.
pub(super) struct Make<'a> {
    pub(super) settings: &'a Settings,
    pub(super) records: &'a Records,
    /// Milliseconds since 1970.
    pub(super) from: Option<i64>,
    pub(super) until: i64,
    /// Where processing answers look-ups.
    pub(super) processing: String,
}

/// What was made.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) deliveries: u64,
    pub(super) rows: u64,
    /// Activities that came more than once.
    pub(super) repeated: u64,
    /// Items that cannot be read.
    pub(super) refused: u64,
    /// Rows for which a step had no result.
    pub(super) partial: u64,
    pub(super) files: u64,
    /// When the first delivery was accepted, milliseconds since 1970.
    pub(super) first: Option<i64>,
}

/// What one needs on the way.
struct Tools {
    registrations: Arc<Registrations>,
    steps: Arc<Steps>,
    /// Which activities there are already.
    seen: Scratch,
    /// What a delivery may take in memory.
    memory: Limit,
}

impl Make<'_> {
    pub(super) async fn run(&self, fresh: &mut Fresh, bar: &ProgressBar) -> anyhow::Result<Made> {
        let tools = self.tools().await?;
        let there = self.records.topics().await?;
        let topics = sources::all().iter().flat_map(|source| [raw(source.name()), raw_bulk(source.name())]);
        let topics: Vec<_> = topics.map(|topic| topic.name().to_owned()).filter(|name| there.contains(name)).collect();
        let mut made = Made::default();
        let mut files: BTreeMap<String, DayFile> = BTreeMap::new();
        for topic in topics {
            let start = self.from.map_or(Start::Beginning, |from| Start::AtTime(from_millis(from - CLOCKS)));
            let mut reading = self.records.read(std::slice::from_ref(&topic), start, false).await?;
            loop {
                let (mut records, mut bytes, mut at_end) = (Vec::new(), 0, false);
                while records.len() < AT_ONCE && bytes < BYTES_AT_ONCE && !at_end {
                    match reading.next_until_end().await? {
                        Some(stored) if self.means(&stored, &mut made) => {
                            bytes += stored.payload.as_ref().map_or(0, bytes::Bytes::len);
                            records.push(stored);
                        }
                        Some(_) => {}
                        None => at_end = true,
                    }
                }
                bar.inc(records.len() as u64);
                let rows = tools.rows(records, &mut made).await?;
                files = write(files, rows).await?;
                while files.values().map(DayFile::memory).sum::<usize>() > BUFFERED {
                    let largest = files.iter().max_by_key(|(_, file)| file.memory()).map(|(day, _)| day.clone());
                    let Some((day, file)) = largest.and_then(|day| files.remove_entry(&day)) else { break };
                    put(fresh, &day, file, &mut made).await?;
                }
                if at_end {
                    break;
                }
            }
        }
        for (day, file) in files {
            put(fresh, &day, file, &mut made).await?;
        }
        Ok(made)
    }

    async fn tools(&self) -> anyhow::Result<Tools> {
        let mut registrations = Registrations::default();
        let mut reading = self.records.read(&[REGISTRATIONS.name().to_owned()], Start::Beginning, false).await?;
        while let Some(stored) = reading.next_until_end().await? {
            let Some(id) = stored.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else { continue };
            let registration = stored.payload.clone().map(Registration::decode).transpose();
            registrations.apply(id, registration.with_context(|| format!("cannot read the registration of {id}"))?);
        }
        let settings = &self.settings.enricher;
        let dial = Dial::new("grpc.client", &self.settings.grpc.client);
        let health = Health::new("rebuild", CancellationToken::new());
        let processing = Processing::At(self.processing.clone());
        let steps = Steps::open(settings, &processing, &dial, &health)?;
        steps.prepare().await;
        let seen = Scratch::open(&self.settings.bus).await?;
        let memory = self.settings.processing.limit();
        Ok(Tools { registrations: Arc::new(registrations), steps: Arc::new(steps), seen, memory })
    }

    /// Whether a record is meant. What a replay sent is none: what it is made of is there as well. Canaries are none.
    fn means(&self, stored: &Stored, made: &mut Made) -> bool {
        let delivery = stored.payload.clone().and_then(|payload| Delivery::decode(payload).ok()).unwrap_or_default();
        let at = delivery.received_at.as_ref().map_or(stored.produced_at_ms, to_millis);
        let is_one = stored.headers.attempts == 0 && stored.canary().is_none();
        let is_meant = is_one && self.from.is_none_or(|from| at >= from) && at < self.until;
        if is_meant {
            made.deliveries += 1;
            made.first = Some(made.first.map_or(at, |first| first.min(at)));
        }
        is_meant
    }
}

/// An activity, and the delivery's record.
struct Found {
    activity: EnrichedActivity,
    id: Id,
    record: usize,
    index: u32,
}

impl Tools {
    /// The rows of some deliveries, those that are not there yet, with their days.
    async fn rows(&self, records: Vec<Stored>, made: &mut Made) -> anyhow::Result<Vec<(String, Row)>> {
        let (registrations, steps) = (Arc::clone(&self.registrations), Arc::clone(&self.steps));
        let memory = self.memory;
        let reading = move || {
            let read = records.iter().enumerate().map(|(n, stored)| read(n, stored, &registrations, &steps, memory));
            let (found, refused): (Vec<_>, Vec<_>) = read.unzip();
            (found.into_iter().flatten().collect::<Vec<_>>(), refused.iter().sum::<u64>(), records)
        };
        let (mut found, refused, records) =
            tokio::task::spawn_blocking(reading).await.context("a delivery could not be read")?;
        made.refused += refused;
        let claims: Vec<_> = found
            .iter()
            .map(|one| Claim {
                ce_type: "activity",
                id: one.id,
                at: &records[one.record].coordinates,
                index: one.index,
            })
            .collect();
        let seen = self.seen.claims.claim("rebuild", &claims).await?;
        let all = found.len();
        let mut seen = seen.into_iter();
        found.retain(|_| seen.next() == Some(Seen::First));
        made.repeated += (all - found.len()) as u64;
        self.ask(&mut found).await?;
        let row = |one: Found| {
            let stored = &records[one.record];
            let received = one.activity.activity.as_ref().and_then(received_at);
            let day = day::of(received, stored.produced_at_ms);
            let traceparent = stored.headers.traceparent.clone();
            (day, Row { enriched: one.activity, at: stored.coordinates.clone(), traceparent })
        };
        made.rows += found.len() as u64;
        made.partial += found.iter().filter(|one| one.activity.partial).count() as u64;
        Ok(found.into_iter().map(row).collect())
    }

    /// Asks the look-ups; a required one until it answers.
    async fn ask(&self, found: &mut [Found]) -> anyhow::Result<()> {
        let now = service::clock::timestamp();
        let mut waiting: Vec<usize> = (0..found.len()).collect();
        for _ in 0..ATTEMPTS {
            let before: Vec<_> = waiting.iter().map(|n| found[*n].activity.clone()).collect();
            let mut asked: Vec<_> = before.clone();
            let verdicts = self.steps.ask(&mut asked.iter_mut().collect::<Vec<_>>()).await;
            let mut again = Vec::new();
            let mut failed = None;
            for ((n, mut activity), verdict) in waiting.into_iter().zip(asked).zip(verdicts) {
                match verdict {
                    Verdict::Goes => {
                        activity.enriched_at = Some(now);
                        found[n].activity = activity;
                    }
                    Verdict::Waits(step) => {
                        failed = Some(step);
                        again.push(n);
                    }
                }
            }
            let Some(step) = failed else { return Ok(()) };
            tracing::debug!(step, "a required step has no result, retrying");
            waiting = again;
            tokio::time::sleep(AGAIN).await;
        }
        anyhow::bail!("a required step of enricher.steps does not answer: no table was created")
    }
}

/// The activities of a delivery, and how many of its items are refused.
fn read(
    record: usize,
    stored: &Stored,
    registrations: &Registrations,
    steps: &Steps,
    memory: Limit,
) -> (Vec<Found>, u64) {
    let (at, payload, headers) = (&stored.coordinates, stored.payload.as_ref(), &stored.headers);
    let weight = weight::of(payload, memory);
    let outcome = parse::parse_within(
        Input { at, payload, headers, traceparent: None },
        registrations,
        weight.too_much.as_deref(),
    );
    let refused = outcome.refused() as u64;
    let records = outcome.items.into_iter().filter_map(|item| match item {
        Item::Event(event) => Some(event.records),
        Item::Refused(_) => None,
    });
    let activities = records.flatten().filter(|record| *record.topic == *ACTIVITIES.name());
    let activities =
        activities.filter_map(|record| Activity::decode(record.payload.as_deref().unwrap_or_default()).ok());
    let found = activities.zip(0..).map(|(activity, index)| Found {
        id: Id::of("activity", "", &[activity.id.as_bytes()]),
        activity: steps.begin(activity),
        record,
        index,
    });
    (found.collect(), refused)
}

async fn write(
    mut files: BTreeMap<String, DayFile>,
    rows: Vec<(String, Row)>,
) -> anyhow::Result<BTreeMap<String, DayFile>> {
    let writing = move || {
        let mut days: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for (day, row) in rows {
            days.entry(day).or_default().push(row);
        }
        for (day, rows) in days {
            let mut file = files.remove(&day).map_or_else(DayFile::new, Ok)?;
            file.append(&rows)?;
            files.insert(day, file);
        }
        anyhow::Ok(files)
    };
    tokio::task::spawn_blocking(writing).await.context("writing rows failed")?
}

async fn put(fresh: &mut Fresh, day: &str, file: DayFile, made: &mut Made) -> anyhow::Result<()> {
    let finished = tokio::task::spawn_blocking(|| file.finish()).await.context("writing a file failed")??;
    made.files += 1;
    fresh.put(day, finished.bytes).await
}
