//! Several topics, read without a group.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::reader::{Event, Follower};
use super::{Kafka, blocking};
use crate::intake::TopicPartition;
use crate::{Error, Start, Stored};

/// How many topics are opened at once: most of it is waiting for brokers.
const OPEN_AT_ONCE: usize = 4;
/// How many records are read ahead.
const READ_AHEAD: usize = 256;

/// Follows several topics, each with a thread and a client of its own.
#[derive(Debug)]
pub(crate) struct Followers {
    followers: Vec<Follower>,
    events: mpsc::Receiver<Event>,
    /// The ends that were asked for and are not yet reached; none: not asked.
    until: Option<Until>,
}

#[derive(Debug)]
struct Until {
    /// Topics that have not yet said where they end.
    unknown: usize,
    open: HashMap<TopicPartition, i64>,
}

impl Followers {
    pub(crate) async fn open(kafka: Arc<Kafka>, topics: &[String], start: Start) -> Result<Self, Error> {
        let (sender, events) = mpsc::channel(READ_AHEAD);
        let mut followers = Vec::new();
        for topics in topics.chunks(OPEN_AT_ONCE) {
            let open = |topic: &String| {
                let (kafka, topic, start, sender) = (kafka.clone(), topic.clone(), start.clone(), sender.clone());
                blocking(move || Follower::start(&kafka, &topic, &start, sender))
            };
            for begun in topics.iter().map(open).collect::<Vec<_>>() {
                followers.push(begun.await?);
            }
        }
        Ok(Self { followers, events, until: None })
    }

    pub(crate) async fn next(&mut self) -> Result<Stored, Error> {
        loop {
            match self.events.recv().await {
                Some(Event::Record(record)) => {
                    self.reached(&record);
                    return Ok(*record);
                }
                Some(Event::AtEnd(place)) => self.close(&place),
                Some(Event::Ends(ends)) => self.ends(ends)?,
                Some(Event::Failed(error)) => return Err(error),
                None => return Err(Error::Closed),
            }
        }
    }

    pub(crate) async fn next_until_end(&mut self) -> Result<Option<Stored>, Error> {
        if self.until.is_none() {
            for follower in &self.followers {
                follower.ask_ends()?;
            }
            self.until = Some(Until { unknown: self.followers.len(), open: HashMap::new() });
        }
        loop {
            if self.until.as_ref().is_none_or(|until| until.unknown == 0 && until.open.is_empty()) {
                self.until = None;
                return Ok(None);
            }
            match self.events.recv().await {
                Some(Event::Record(record)) => {
                    self.reached(&record);
                    return Ok(Some(*record));
                }
                Some(Event::AtEnd(place)) => self.close(&place),
                Some(Event::Ends(ends)) => self.ends(ends)?,
                Some(Event::Failed(error)) => return Err(error),
                None => return Err(Error::Closed),
            }
        }
    }

    fn ends(&mut self, ends: Result<HashMap<TopicPartition, i64>, Error>) -> Result<(), Error> {
        let Some(until) = &mut self.until else { return Ok(()) };
        until.unknown = until.unknown.saturating_sub(1);
        match ends {
            Ok(ends) => until.open.extend(ends),
            Err(error) => {
                // Answers of the other topics that are still on their way are ignored then.
                self.until = None;
                return Err(error);
            }
        }
        Ok(())
    }

    fn reached(&mut self, record: &Stored) {
        let place = (record.coordinates.topic.clone(), record.coordinates.partition);
        if let Some(until) = &mut self.until
            && until.open.get(&place).is_some_and(|end| record.coordinates.offset + 1 >= *end)
        {
            until.open.remove(&place);
        }
    }

    fn close(&mut self, place: &TopicPartition) {
        if let Some(until) = &mut self.until {
            until.open.remove(place);
        }
    }
}
