//! Reading without a group.

use crate::backend::Backend;
use crate::kafka::followers::Followers;
use crate::{Error, Start, Stored, embedded};

/// Reads topics from a point on, in order for each partition, without leaving a trace on the log.
#[derive(Debug)]
pub struct Reader(Inner);

#[derive(Debug)]
enum Inner {
    Kafka(Followers),
    Embedded(embedded::reader::Reader),
}

impl Reader {
    pub(crate) async fn open(backend: &Backend, topics: &[String], start: Start) -> Result<Self, Error> {
        let inner = match backend {
            Backend::Kafka(kafka) => Inner::Kafka(Followers::open(kafka.clone(), topics, start).await?),
            Backend::Embedded(embedded) => {
                Inner::Embedded(embedded::reader::Reader::open(embedded.clone(), topics, start).await?)
            }
        };
        Ok(Self(inner))
    }

    /// The next record; waits for it, through outages of the log too. Cancelling the future loses nothing.
    ///
    /// [`Error::OutOfRange`]: what was to be read next is no longer there, and that partition stands still.
    pub async fn next(&mut self) -> Result<Stored, Error> {
        match &mut self.0 {
            Inner::Kafka(followers) => followers.next().await,
            Inner::Embedded(reader) => reader.next().await,
        }
    }

    /// The records up to the end as it was when first asked, then `None`; asked again after that, it looks anew.
    /// Cancelling the future loses nothing.
    ///
    /// Where there is nothing more before the end (compaction and transactions leave gaps), it does not wait.
    pub async fn next_until_end(&mut self) -> Result<Option<Stored>, Error> {
        match &mut self.0 {
            Inner::Kafka(followers) => followers.next_until_end().await,
            Inner::Embedded(reader) => reader.next_until_end().await,
        }
    }
}
