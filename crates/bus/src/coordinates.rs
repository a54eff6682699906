//! Where a record stands.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Where a record stands: `log/topic/partition/offset`, the value of the `weir-from` header.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Coordinates {
    /// The log's identity.
    pub log: Arc<str>,
    /// Topic, with its prefix.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// A text is not the coordinates of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} are not coordinates: write log/topic/partition/offset")]
pub struct NotCoordinates(String);

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.log, self.topic, self.partition, self.offset)
    }
}

impl FromStr for Coordinates {
    type Err = NotCoordinates;

    fn from_str(text: &str) -> Result<Self, NotCoordinates> {
        let parse = || {
            // Topics hold no slash and neither do numbers: what stands before them is the log's, whatever it holds.
            let mut parts = text.rsplitn(4, '/');
            let offset = parts.next()?.parse().ok()?;
            let partition = parts.next()?.parse().ok()?;
            let topic = parts.next().filter(|topic| !topic.is_empty())?;
            let log = parts.next()?;
            Some(Self { log: log.into(), topic: topic.into(), partition, offset })
        };
        parse().ok_or_else(|| NotCoordinates(text.to_owned()))
    }
}

#[cfg(test)]
#[path = "coordinates_tests.rs"]
mod tests;
