//! Creating and checking topics. All of it blocks.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::keys::{self, TopicRow};
use super::store::Topic;
use super::writer::Change;
use super::{Embedded, Log, marks, partitions};
use crate::threads::lock;
use crate::topics::{Found, check, missing, shape};
use crate::{Error, Kept, TopicProblem, TopicSpec};

impl Embedded {
    /// All topics of this installation, without the prefix.
    pub(crate) fn list(&self) -> Vec<String> {
        let topics = self.log.topics.read().unwrap_or_else(PoisonError::into_inner);
        let names = topics.keys().filter_map(|name| name.strip_prefix(&self.settings.topic_prefix));
        let mut names: Vec<_> = names.map(ToOwned::to_owned).collect();
        names.sort();
        names
    }

    /// Those that have records.
    pub(crate) fn with_records(&self, topics: Vec<String>) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for name in topics {
            let topic = self.topic(&name)?;
            let mut partitions = 0..i32::try_from(topic.parts.len()).unwrap_or(i32::MAX);
            if partitions.any(|partition| topic.range(partition).is_some_and(|(low, end)| low < end)) {
                found.push(name);
            }
        }
        Ok(found)
    }

    pub(crate) fn prepare(&self, specs: &[TopicSpec], may_create: bool) -> Result<Vec<TopicProblem>, Error> {
        let settings = &self.settings;
        let mut problems = Vec::new();
        let absent: Vec<_> =
            specs.iter().filter(|spec| self.log.topic(&settings.full_name(&spec.name)).is_none()).collect();
        if may_create && settings.create_topics {
            let wanted = absent.iter().map(|spec| (settings.full_name(&spec.name), shape(settings, spec)));
            self.log.create(wanted.collect())?;
        } else {
            problems.extend(absent.iter().map(|spec| missing(settings, spec)));
        }
        for spec in specs {
            let Some(topic) = self.log.topic(&settings.full_name(&spec.name)) else { continue };
            // There is one copy, whatever was asked for.
            let found = Found { partitions: topic.parts.len(), replicas: 1 };
            let value = |key: &str| match key {
                "min.insync.replicas" => Some("1".to_owned()),
                _ => topic.row.config.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()),
            };
            problems.extend(check(settings, spec, found, true, value));
        }
        Ok(problems)
    }
}

impl Embedded {
    /// For how long, and how much, topics that are there keep; with prefix.
    pub(crate) fn kept(&self, names: &[String]) -> HashMap<String, Kept> {
        let topics = names.iter().filter_map(|name| self.log.topic(name));
        let kept = topics.map(|topic| {
            let config = &topic.row.config;
            let value = |key: &str| config.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
            // The embedded log knows no limit to the size.
            (topic.name.to_string(), Kept { bytes: None, ..Kept::read(value) })
        });
        kept.collect()
    }
}

/// Name, partitions and configuration of a topic that is to be.
type Wanted = (String, (i32, Vec<(&'static str, String)>));

impl Log {
    /// Creates topics, all at once. Those that came into being meanwhile stay as they are.
    fn create(&self, wanted: Vec<Wanted>) -> Result<(), Error> {
        let mut next = lock(&self.next_topic);
        let mut number = *next;
        let (mut puts, mut created) = (Vec::new(), Vec::new());
        for (name, (count, config)) in wanted {
            if self.topic(&name).is_some() {
                continue;
            }
            let config = config.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let row = TopicRow { number, partitions: u32::try_from(count).unwrap_or(1), config };
            number += 1;
            puts.push((keys::topic_key(&name), row.write()));
            puts.extend(marks::first(row.number, row.partitions, self.time.now().latest));
            let ranges = vec![(0, 0); row.partitions as usize];
            created.push(Arc::new(Topic::new(name.into(), row, ranges)));
        }
        if created.is_empty() {
            return Ok(());
        }
        puts.push((keys::NEXT_TOPIC.to_vec(), number.to_be_bytes().to_vec()));
        self.queue.change(Change { puts, ..Change::default() })?;
        *next = number;
        let new = created.iter().map(|topic| (topic.name.clone(), topic.clone()));
        self.topics.write().unwrap_or_else(PoisonError::into_inner).extend(new);
        created.iter().for_each(|topic| tracing::info!(topic = %topic.name, "topic created"));
        self.groups.topics(created.iter().map(|topic| partitions(topic)));
        Ok(())
    }
}
