//! What came of it: everything on the topics, in the files and in the lake.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, bail};
use arrow::array::{Array as _, AsArray as _};
use bus::{Bus, Reader, Start, Stored};
use bytes::Bytes;
use common::activity::v1::Activity;
use common::deadletter::v1::DeadLetter;
use common::load::v1::LoadRequest;
use common::raw::v1::Delivery;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::Message as _;
use simulate::key::natural_key;

use crate::ledger::{What, what};
use crate::store::Table;
use crate::system::System;

/// Topic, partition, offset: where a record stands.
pub(crate) type Place = (String, i32, i64);

/// How often each of many was seen.
pub(crate) type Times<K> = HashMap<K, u64>;

/// All that was found.
#[derive(Debug, Default, Clone)]
pub(crate) struct Facts {
    /// What each raw record carries; none: it is no delivery.
    pub(crate) raw: BTreeMap<Place, Option<What>>,
    /// By topic and by what the platform calls it: the ids.
    pub(crate) typed: HashMap<(String, String), BTreeMap<String, u64>>,
    /// Activities by their id, and by the event they were made of.
    pub(crate) activities: Times<String>,
    pub(crate) activities_of: HashMap<String, BTreeSet<u32>>,
    pub(crate) enriched: Times<String>,
    /// What was refused at which place, and why; and how often it was written down.
    pub(crate) letters: BTreeMap<Place, BTreeMap<(String, String, u32), u64>>,
    pub(crate) requests: Vec<LoadRequest>,
    /// Rows of the files that the requests name.
    pub(crate) in_files: Times<String>,
    /// Rows of the table, as an engine reads them that is not Weir's.
    pub(crate) in_lake: Times<String>,
    read_files: BTreeSet<String>,
}

/// Reads the topics as they grow.
#[derive(Debug)]
pub(crate) struct Observer {
    bus: Bus,
    topics: Vec<String>,
    reader: Option<Reader>,
    prefix: String,
    /// What stood on topics that are there no more.
    gone: Facts,
    pub(crate) facts: Facts,
}

impl Observer {
    pub(crate) fn new(system: &System, gone: Facts) -> anyhow::Result<Self> {
        let (bus, prefix) = (system.bus()?, system.prefix.clone());
        Ok(Self { bus, topics: Vec::new(), reader: None, prefix, gone, facts: Facts::default() })
    }

    /// Reads what has come since. Says how many records that were.
    pub(crate) async fn read(&mut self) -> anyhow::Result<u64> {
        let mut topics = self.bus.topics().await?;
        // What the services tell each other is no event.
        topics.retain(|topic| !["registrations", "storms"].contains(&topic.as_str()));
        topics.sort();
        if topics != self.topics {
            // A topic more: all of it anew.
            self.reader = Some(self.bus.reader(&topics, Start::Beginning).await?);
            (self.topics, self.facts) = (topics, self.gone.clone());
        }
        let Some(reader) = &mut self.reader else { return Ok(0) };
        let mut count = 0;
        while let Some(stored) = reader.next_until_end().await? {
            let topic = stored.coordinates.topic.strip_prefix(&*self.prefix).unwrap_or(&stored.coordinates.topic);
            self.facts.take(topic, &stored).with_context(|| stored.coordinates.to_string())?;
            count += 1;
        }
        Ok(count)
    }

    /// Reads the files that were not read before, and the table.
    pub(crate) async fn read_lake(&mut self, table: &Table) -> anyhow::Result<()> {
        let Some(files) = table.files().await? else { return Ok(()) };
        for file in files {
            if self.facts.read_files.contains(&file) {
                continue;
            }
            for id in ids(table.read(&file).await?).with_context(|| file.clone())? {
                *self.facts.in_files.entry(id).or_default() += 1;
            }
            self.facts.read_files.insert(file);
        }
        let rows: Vec<BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(&table.query("select id, count(*) as n from t group by id").await?)?;
        self.facts.in_lake.clear();
        for row in rows {
            let (id, count) = (row["id"].as_str().context("a row has no id")?, row["n"].as_u64().context("a count")?);
            self.facts.in_lake.insert(id.to_owned(), count);
        }
        Ok(())
    }
}

impl Facts {
    /// What stood on the topic of activities alone.
    pub(crate) fn of_activities(self) -> Self {
        let Self { activities, activities_of, .. } = self;
        Self { activities, activities_of, ..Self::default() }
    }

    fn take(&mut self, topic: &str, stored: &Stored) -> anyhow::Result<()> {
        let payload = stored.payload.as_deref().unwrap_or_default();
        let place = (topic.to_owned(), stored.coordinates.partition, stored.coordinates.offset);
        let once_more = |times: &mut Times<String>, id: &str| *times.entry(id.to_owned()).or_default() += 1;
        match topic {
            "activities" => {
                let activity = Activity::decode(payload)?;
                let event = activity.context.context("an activity has no context")?.event_id;
                self.activities_of.entry(event).or_default().insert(activity.ordinal);
                once_more(&mut self.activities, &activity.id);
            }
            "activities.enriched" => once_more(&mut self.enriched, &stored.headers.id),
            "dead-letters" => {
                let letter = DeadLetter::decode(payload)?;
                let at = letter.coordinates.context("a dead letter does not name its record")?;
                let bare = at.topic.strip_suffix(topic).map_or(at.topic.clone(), str::to_owned);
                let prefix = stored.coordinates.topic.strip_suffix(topic).unwrap_or_default();
                let bare = bare.strip_prefix(prefix).unwrap_or(&bare).to_owned();
                let letters = self.letters.entry((bare, at.partition, at.offset)).or_default();
                *letters.entry((letter.stage, letter.reason, at.index)).or_default() += 1;
            }
            "loads" => self.requests.push(LoadRequest::decode(payload)?),
            _ if topic.starts_with("raw.") => {
                let delivery = Delivery::decode(payload).ok().filter(|delivery| !delivery.delivery_id.is_empty());
                self.raw.insert(place, delivery.map(|delivery| what(&delivery.endpoint, &delivery.body)));
            }
            _ if topic.starts_with("events.") => {
                let key = natural_key(topic, payload)?;
                let ids = self.typed.entry((topic.to_owned(), key)).or_default();
                *ids.entry(stored.headers.id.clone()).or_default() += 1;
            }
            _ => bail!("unexpected topic {topic}"),
        }
        Ok(())
    }
}

/// The ids in a Parquet file.
fn ids(file: Bytes) -> anyhow::Result<Vec<String>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let columns = ProjectionMask::columns(reader.parquet_schema(), ["id"]);
    let mut ids = Vec::new();
    for batch in reader.with_projection(columns).build()? {
        let batch = batch?;
        let column = batch.column(0).as_string_opt::<i32>().context("the ids are not text")?;
        ids.extend((0..column.len()).map(|row| column.value(row).to_owned()));
    }
    Ok(ids)
}
