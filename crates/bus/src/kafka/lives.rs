//! Which topic a group's position belongs to.
//!
//! A topic that is deleted and made again has the name of the one before, and other records at the same offsets: a position
//! in the one says nothing of the other, and would skip what stands before it. So each commit names the id of its topic, and
//! a member that runs looks whether its topics are still those that it began with.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fetching::ask_ends;
use super::{Kafka, lock, thread, topic_id};
use crate::Error;
use crate::culprit::{Mark, NAME};
use crate::intake::Intake;

/// How often a member looks.
const LOOK: Duration = Duration::from_secs(5);
/// How long a broker may take to tell an id.
const ASK: Duration = Duration::from_secs(5);
const TOPIC: &str = "topic=";

/// The ids of the topics that a member consumes. Topics are named in full.
pub(crate) struct Lives {
    kafka: Arc<Kafka>,
    known: Arc<Known>,
    /// Dropped with this, it ends the thread.
    _watched: mpsc::Sender<()>,
}

#[derive(Default)]
struct Known {
    begun: Mutex<HashMap<Arc<str>, Arc<str>>>,
    replaced: Mutex<HashSet<Arc<str>>>,
}

impl Known {
    /// A partition of a topic with this id begins. What began before commits with the id that it began with.
    fn begin(&self, topic: &Arc<str>, id: &Arc<str>) -> Result<(), String> {
        self.saw(topic, id);
        if lock(&self.replaced).contains(topic) {
            return Err(format!("topic {topic} was deleted and recreated"));
        }
        lock(&self.begun).insert(Arc::clone(topic), Arc::clone(id));
        Ok(())
    }

    fn given_up(&self, topics: &HashSet<Arc<str>>) {
        lock(&self.begun).retain(|topic, _| !topics.contains(topic));
        lock(&self.replaced).retain(|topic| !topics.contains(topic));
    }

    /// A topic has this id now.
    fn saw(&self, topic: &Arc<str>, id: &Arc<str>) {
        if lock(&self.begun).get(topic).is_some_and(|begun| begun != id) {
            lock(&self.replaced).insert(Arc::clone(topic));
        }
    }
}

impl Lives {
    /// Begins to look, for as long as it is held: who the topics are, and where the partitions end.
    pub(crate) fn watch(kafka: &Arc<Kafka>, intake: &Arc<Intake>) -> Result<Self, Error> {
        let (watched, ended) = mpsc::channel();
        let known = Arc::new(Known::default());
        let lives = Self { kafka: Arc::clone(kafka), known: Arc::clone(&known), _watched: watched };
        let (kafka, intake) = (Arc::clone(kafka), Arc::clone(intake));
        thread(&format!("weir-topics-{}", intake.group), move || {
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = ask_ends(&kafka, &intake) {
                    tracing::debug!(group = %intake.group, %error, "the log did not report where partitions end, retrying");
                }
                let begun: Vec<_> = lock(&known.begun).keys().cloned().collect();
                for topic in begun {
                    // Away, or deleted and not there again: who consumes it sees that.
                    if let Ok(id) = topic_id::ask_full(&kafka, &topic, ASK) {
                        known.saw(&topic, &id);
                    }
                }
            }
        })?;
        Ok(lives)
    }

    /// Partitions of these topics are to begin: asks who the topics are.
    ///
    /// # Errors
    /// The first that is not known, or is another one than that of partitions which began before. Nothing may begin then: its
    /// position could be that of another topic.
    pub(crate) fn begin(&self, topics: HashSet<Arc<str>>) -> Result<HashMap<Arc<str>, Arc<str>>, String> {
        let mut ids = HashMap::new();
        for topic in topics {
            let id = topic_id::ask_full(&self.kafka, &topic, ASK).map_err(|error| error.to_string())?;
            self.known.begin(&topic, &id)?;
            ids.insert(topic, id);
        }
        Ok(ids)
    }

    /// The topics that are other ones since their partitions began, until these are given up.
    pub(crate) fn replaced(&self) -> HashSet<Arc<str>> {
        lock(&self.known.replaced).clone()
    }

    /// No partition of these is begun any more.
    pub(crate) fn given_up(&self, topics: &HashSet<Arc<str>>) {
        self.known.given_up(topics);
    }

    /// What is committed with a position: whose it is, and the mark of the run.
    pub(crate) fn metadata(&self, topic: &str, mark: Option<Mark>) -> Option<String> {
        metadata(lock(&self.known.begun).get(topic).map(AsRef::as_ref), mark)
    }
}

fn metadata(id: Option<&str>, mark: Option<Mark>) -> Option<String> {
    let mark = mark.map(|mark| mark.to_string());
    let Some(id) = id else { return mark };
    let rest = mark.as_deref().and_then(|mark| mark.strip_prefix(NAME));
    Some(rest.map_or_else(|| format!("{NAME}{TOPIC}{id}"), |rest| format!("{NAME}{TOPIC}{id},{rest}")))
}

/// The topic's id in what was committed with a position. None: it was not said, as by a version before this, or by an
/// operator who has set it.
pub(crate) fn id_of(metadata: &str) -> Option<Arc<str>> {
    metadata.strip_prefix(NAME)?.split(',').find_map(|pair| pair.strip_prefix(TOPIC)).map(Into::into)
}

#[cfg(test)]
#[path = "lives_tests.rs"]
mod tests;
