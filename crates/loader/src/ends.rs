//! Where partitions end on the log. A version of a table cannot lie beyond that, or it is of another log than this one: one
//! that was put back from a copy, or lost its end. Then nothing is taken for loaded because of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Epoch};
use common::topics::ACTIVITIES;
use lake::{Lake, columns};

use crate::request::Origin;
use crate::table::{Error, Table};

/// A topic with prefix, its id, and who the log is.
type Topic = (Arc<str>, Arc<str>, Arc<str>);

/// The ends of partitions, as the log told them.
#[derive(Debug)]
pub(crate) struct Ends {
    bus: Bus,
    /// By partition. None: it is not on this log, or another one by now, or of a life that is gone: that has versions of its
    /// own, which nothing can be taken for.
    known: HashMap<Topic, Vec<Option<i64>>>,
}

impl Ends {
    pub(crate) fn of(bus: &Bus) -> Self {
        Self { bus: bus.clone(), known: HashMap::new() }
    }

    /// Everything is asked for anew: the log may have been put back meanwhile.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    /// Where a partition ends; none: this log does not know it. What is known is enough if it comes to `offset`, else the
    /// log is asked: so an offset beyond the answer was so when the answer was given.
    pub(crate) async fn end(&mut self, origin: &Origin, offset: i64) -> Result<Option<i64>, bus::Error> {
        let key = (Arc::clone(&origin.topic), Arc::clone(&origin.topic_id), Arc::clone(&origin.log));
        let end = |ends: &Vec<Option<i64>>| ends.get(usize::try_from(origin.partition).ok()?).copied().flatten();
        if let Some(ends) = self.known.get(&key) {
            match end(ends) {
                Some(end) if end < offset => {}
                enough => return Ok(enough),
            }
        }
        let ends = ask(&self.bus, origin).await?;
        let answer = end(&ends);
        self.known.insert(key, ends);
        Ok(answer)
    }
}

async fn ask(bus: &Bus, origin: &Origin) -> Result<Vec<Option<i64>>, bus::Error> {
    let Some(name) = origin.topic.strip_prefix(bus.settings().topic_prefix.as_str()) else { return Ok(Vec::new()) };
    let extents = match bus.extents(name).await {
        Ok(extents) => extents,
        Err(bus::Error::NoTopic { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // Offsets of a topic that was made again under its name are others.
    if bus.topic_identity(name).await? != origin.topic_id {
        return Ok(Vec::new());
    }
    let goes_on = |epochs: &Vec<Epoch>| epochs.last().is_some_and(|epoch| epoch.log == origin.log);
    let epochs = bus.epochs(name).await?;
    Ok(extents.into_iter().zip(&epochs).map(|(extent, epochs)| goes_on(epochs).then_some(extent.end)).collect())
}

/// Applications of a table whose versions lie beyond the ends of their partitions, and those versions.
pub(crate) type Beyond = BTreeMap<Arc<str>, i64>;

/// A life of the log that is gone, and that had come further than where the log was put back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Up to which offset its rows are in the table.
    pub(crate) version: i64,
    /// Where it ends on the log.
    pub(crate) end: i64,
    /// The log's identity from there on.
    pub(crate) next: Arc<str>,
}

impl Gone {
    /// The id of the epoch that goes on.
    pub(crate) fn epoch(&self) -> Option<&str> {
        self.next.rsplit_once('.').map(|(_, id)| id)
    }
}

/// What the comparison of the table with the log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// What was not told as a copy when it was opened. Nothing of it is loaded.
    pub(crate) beyond: Beyond,
    /// By application. What came since has one of its own.
    pub(crate) gone: BTreeMap<Arc<str>, Gone>,
}

/// Compares all versions of the table of activities with the log, before anything is loaded, and marks those that cannot
/// be. Later the log may have come to the same offsets again, with other records.
///
/// # Errors
/// When the log or the lake cannot be asked: ask again.
pub(crate) async fn look(bus: &Bus, lake: &Lake, limit: Duration) -> Result<Found, Error> {
    let topic = ACTIVITIES;
    let name = topic.name();
    let mut table = Table::new(lake, columns::ACTIVITIES)?;
    table.refresh().await?;
    let told = |error| Error::Log { table: columns::ACTIVITIES.to_owned(), error };
    let partitions = match bus.epochs(name).await {
        Ok(epochs) => epochs,
        Err(bus::Error::NoTopic { .. }) => return Ok(Found::default()),
        Err(error) => return Err(told(error)),
    };
    let topic: Arc<str> = format!("{}{name}", bus.settings().topic_prefix).into();
    let topic_id = bus.topic_identity(name).await.map_err(told)?;
    let (mut versions, mut beyond, mut gone) = (BTreeMap::new(), Beyond::new(), BTreeMap::new());
    for (partition, epochs) in (0..).zip(&partitions) {
        for (n, epoch) in epochs.iter().enumerate() {
            let (log, topic, topic_id) = (Arc::clone(&epoch.log), Arc::clone(&topic), Arc::clone(&topic_id));
            let application = Origin { log, topic, topic_id, partition }.application();
            let Some(version) = table.application(&application).await? else { continue };
            match epochs.get(n + 1) {
                None => drop(versions.insert(partition, (application, version))),
                Some(next) if version > next.first => {
                    gone.insert(application, Gone { version, end: next.first, next: Arc::clone(&next.log) });
                }
                Some(_) => {}
            }
        }
    }
    // After the versions: they cannot have passed it.
    let ends = bus.ends_at_opening(name).await.map_err(told)?;
    let mut unmarked = Beyond::new();
    for (partition, (application, version)) in versions {
        if version < 0 {
            beyond.insert(application, -version);
        } else if usize::try_from(partition).ok().and_then(|n| ends.get(n)).is_some_and(|end| version > *end) {
            beyond.insert(Arc::clone(&application), version);
            unmarked.insert(application, version);
        }
    }
    while !unmarked.is_empty() {
        if table.mark(&unmarked, limit).await? {
            break;
        }
        // Somebody else committed first. Only what still stands there is marked.
        for (application, version) in std::mem::take(&mut unmarked) {
            if table.application(&application).await? == Some(version) {
                unmarked.insert(application, version);
            }
        }
    }
    for (application, version) in &beyond {
        tracing::error!(
            %application, version,
            "the table has loaded offsets beyond the end of the partition: the log was restored or truncated, the lake \
             was not"
        );
    }
    for (application, Gone { version, end, next }) in &gone {
        tracing::error!(
            %application, version, end, %next,
            "the table has rows of records that the log no longer has: the log was restored from a copy"
        );
    }
    bus.looked_at_opening();
    Ok(Found { beyond, gone })
}

#[cfg(test)]
#[path = "ends_tests.rs"]
mod tests;
