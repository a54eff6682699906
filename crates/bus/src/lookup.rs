//! Single records by their places.

use crate::backend::Backend;
use crate::kafka::lookup::Seeker;
use crate::threads::blocking;
use crate::{Error, Stored};

/// Finds single records by their places. Fastest where one is asked for after the other, in the order of their offsets.
#[derive(Debug)]
pub struct Lookup {
    backend: Backend,
    /// A client of Kafka, kept from one record to the next.
    seeker: Option<Seeker>,
}

impl Lookup {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, seeker: None }
    }

    /// The record at this place of the log that is there now; the topic is named without the prefix. `None`: it is not
    /// there any more, or never was. An error says that the log could not be asked.
    ///
    /// Whether the place is one of this log is for the caller to see: [`Bus::identity`](crate::Bus::identity).
    pub async fn at(&mut self, topic: &str, partition: i32, offset: i64) -> Result<Option<Stored>, Error> {
        let topic = topic.to_owned();
        match &self.backend {
            Backend::Embedded(embedded) => {
                let embedded = embedded.clone();
                blocking(move || embedded.at(&topic, partition, offset)).await
            }
            Backend::Kafka(kafka) => {
                // Where this future is dropped in its middle the client is lost, and the next call makes another.
                let (kafka, seeker) = (kafka.clone(), self.seeker.take());
                let (seeker, found) = blocking(move || {
                    let mut seeker = seeker.map_or_else(|| Seeker::new(&kafka), Ok)?;
                    let found = seeker.at(&kafka, &topic, partition, offset)?;
                    Ok((seeker, found))
                })
                .await?;
                self.seeker = Some(seeker);
                Ok(found)
            }
        }
    }
}
