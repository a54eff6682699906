//! Parts of a topic, each from one offset to another.

use prost_types::Timestamp;

use crate::backend::Backend;
use crate::kafka::spans::Seeker;
use crate::threads::blocking;
use crate::{Error, OffsetRange, Span};

/// Reads a topic in any order, from its end too, without a group. Fastest where one part follows the other.
#[derive(Debug)]
pub struct Spans {
    backend: Backend,
    topic: String,
    /// A client of Kafka, kept from one part to the next.
    seeker: Option<Seeker>,
}

impl Spans {
    pub(crate) fn new(backend: Backend, topic: &str) -> Self {
        Self { backend, topic: topic.to_owned(), seeker: None }
    }

    /// The partitions, and which offsets they have now. [`Error::NoTopic`] where there is no such topic.
    pub async fn ranges(&mut self) -> Result<Vec<OffsetRange>, Error> {
        let topic = self.topic.clone();
        match &self.backend {
            Backend::Embedded(embedded) => embedded.ranges(&topic),
            Backend::Kafka(_) => self.seek(move |seeker| seeker.ranges(&topic)).await,
        }
    }

    /// For each of these partitions, the offset of the first record that was produced at this time or later; its end, where
    /// none was.
    pub async fn first_at(&mut self, ranges: &[OffsetRange], time: &Timestamp) -> Result<Vec<OffsetRange>, Error> {
        let (topic, ranges, millis) = (self.topic.clone(), ranges.to_vec(), common::time::to_millis(time));
        match &self.backend {
            Backend::Embedded(embedded) => {
                let embedded = embedded.clone();
                blocking(move || embedded.ranges_at(&topic, ranges, millis)).await
            }
            Backend::Kafka(_) => self.seek(move |seeker| seeker.ranges_at(&topic, ranges, millis)).await,
        }
    }

    /// Records from one offset up to, and without, another that is at most the end: a bounded number of them and of their
    /// bytes. What is not there any more is passed over.
    pub async fn read(&mut self, partition: i32, from: i64, until: i64) -> Result<Span, Error> {
        let topic = self.topic.clone();
        match &self.backend {
            Backend::Embedded(embedded) => {
                let embedded = embedded.clone();
                blocking(move || embedded.span(&topic, partition, from, until)).await
            }
            Backend::Kafka(_) => self.seek(move |seeker| seeker.span(&topic, partition, from, until)).await,
        }
    }

    /// Asks Kafka. Where this future is dropped in its middle the client is lost, and the next call makes another.
    async fn seek<T: Send + 'static>(
        &mut self,
        ask: impl FnOnce(&mut Seeker) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Backend::Kafka(kafka) = &self.backend else { return Err(Error::Closed) };
        let (kafka, seeker) = (kafka.clone(), self.seeker.take());
        let (seeker, answer) = blocking(move || {
            let mut seeker = seeker.map_or_else(|| Seeker::new(kafka), Ok)?;
            let answer = ask(&mut seeker)?;
            Ok((seeker, answer))
        })
        .await?;
        self.seeker = Some(seeker);
        Ok(answer)
    }
}
