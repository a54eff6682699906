//! Where partitions end on the log. A version of a table cannot lie beyond that, or it is of another log than this one: one
//! that was put back from a copy, or lost its end. Then nothing is taken for loaded because of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use common::topics::ACTIVITIES;
use lake::{Lake, columns};

use crate::request::Origin;
use crate::table::{Error, Table};

/// A topic with prefix, and its id.
type Topic = (Arc<str>, Arc<str>);

/// The ends of partitions, as the log told them.
#[derive(Debug)]
pub(crate) struct Ends {
    bus: Bus,
    /// None: it is not on this log, or another one by now.
    known: HashMap<Topic, Option<Vec<i64>>>,
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
        let key = (Arc::clone(&origin.topic), Arc::clone(&origin.topic_id));
        let end = |ends: &Option<Vec<i64>>| {
            ends.as_ref().and_then(|ends| ends.get(usize::try_from(origin.partition).ok()?).copied())
        };
        match self.known.get(&key) {
            Some(None) => return Ok(None),
            Some(ends) if end(ends) >= Some(offset) => return Ok(end(ends)),
            _ => {}
        }
        let ends = ask(&self.bus, origin).await?;
        let answer = end(&ends);
        self.known.insert(key, ends);
        Ok(answer)
    }
}

async fn ask(bus: &Bus, origin: &Origin) -> Result<Option<Vec<i64>>, bus::Error> {
    let Some(name) = origin.topic.strip_prefix(bus.settings().topic_prefix.as_str()) else { return Ok(None) };
    let extents = match bus.extents(name).await {
        Ok(extents) => extents,
        Err(bus::Error::NoTopic { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    // Offsets of a topic that was made again under its name are others.
    if bus.topic_identity(name).await? != origin.topic_id {
        return Ok(None);
    }
    Ok(Some(extents.into_iter().map(|extent| extent.end).collect()))
}

/// Applications of a table whose versions lie beyond the ends of their partitions, and those versions.
pub(crate) type Beyond = BTreeMap<Arc<str>, i64>;

/// Compares all versions of the table of activities with the log, before anything is loaded, and marks those that cannot
/// be. Later the log may have come to the same offsets again, with other records.
///
/// # Errors
/// When the log or the lake cannot be asked: ask again.
pub(crate) async fn look(bus: &Bus, lake: &Lake, limit: Duration) -> Result<Beyond, Error> {
    let log = bus.identity().await;
    let topic = ACTIVITIES;
    let name = topic.name();
    let mut table = Table::new(lake, columns::ACTIVITIES)?;
    table.refresh().await?;
    let told = |error| Error::Log { table: columns::ACTIVITIES.to_owned(), error };
    let partitions = match bus.extents(name).await {
        Ok(extents) => extents.len(),
        Err(bus::Error::NoTopic { .. }) => return Ok(Beyond::new()),
        Err(error) => return Err(told(error)),
    };
    let topic: Arc<str> = format!("{}{name}", bus.settings().topic_prefix).into();
    let topic_id = bus.topic_identity(name).await.map_err(told)?;
    let (mut versions, mut beyond) = (BTreeMap::new(), Beyond::new());
    for partition in (0..i32::MAX).take(partitions) {
        let origin = Origin { topic: Arc::clone(&topic), topic_id: Arc::clone(&topic_id), partition };
        let application = origin.application(&log);
        if let Some(version) = table.application(&application).await? {
            versions.insert(partition, (application, version));
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
        tracing::error!(%application, version, "a version of the table lies beyond the end of its partition: the log was put back, the lake was not");
    }
    bus.looked_at_opening();
    Ok(beyond)
}

#[cfg(test)]
#[path = "ends_tests.rs"]
mod tests;
