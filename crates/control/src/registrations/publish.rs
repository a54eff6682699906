//! Registrations on their topic, and how topic and database are brought together again.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::{Bus, Headers, Producer, Receipt, Record, Start};
use common::few::few;
use common::registration::v1::Registration;
use common::topics::REGISTRATIONS;
use prost::{Message as _, Name as _};

use super::store::{Change, StoreError};

/// How long to wait before asking again for room in the producer.
const FULL_PAUSE: Duration = Duration::from_millis(5);
/// So many removals are what a few failed changes leave behind; more are only believed of a small part of the topic.
const FEW_REMOVALS: usize = 3;

/// Why a record may not be on the topic.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log refused it or did not answer; it may still have been written.
    #[error("the registrations topic did not acknowledge {id:?}: {source}")]
    NotPublished {
        /// The registration.
        id: String,
        /// The bus's error.
        source: bus::Error,
    },
    /// The log took too long; it may still write it.
    #[error("the registrations topic did not acknowledge {id:?} within {limit:?} (registrations.publish_timeout_ms)")]
    TimedOut {
        /// The registration.
        id: String,
        /// The time it had.
        limit: Duration,
        /// Tells whether it was written after all; none where it never left.
        pending: Option<Receipt>,
    },
}

/// Why topic and database could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Writing to the topic.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Reading the topic.
    #[error("the registrations topic cannot be read: {0}")]
    Read(#[from] bus::Error),
    /// The database lacks so much that it is more likely the wrong one.
    #[error(
        "the registrations database lacks {missing} of the {topic} registrations on the topic ({some}): nothing was \
         removed and nothing written. Correct registrations.database, or restore the database; an empty database \
         takes over the registrations on the topic. To remove the missing ones from the topic, set \
         registrations.allow_removals and restart"
    )]
    TooManyRemovals {
        /// How many the database lacks.
        missing: usize,
        /// How many the topic holds.
        topic: usize,
        /// The first of them.
        some: String,
    },
    /// The database is empty, and the topic holds what cannot be taken over whole.
    #[error(
        "the registrations database is empty, and this version cannot take over {id:?} from the topic: nothing was \
         changed. Restore the database, or run the version that wrote this registration"
    )]
    NotAdopted {
        /// The key.
        id: String,
    },
}

/// Writes to the registrations topic.
#[derive(Debug, Clone)]
pub struct Publisher {
    producer: Producer,
    limit: Duration,
}

impl Publisher {
    /// Waits at most `limit` for each record to be durable.
    pub fn new(producer: Producer, limit: Duration) -> Self {
        Self { producer, limit }
    }

    /// Answers when the registration is durable on the topic.
    pub async fn publish(&self, registration: &Registration) -> Result<(), PublishError> {
        self.send(&registration.id, Some(registration.encode_to_vec())).await
    }

    /// Answers when the removal is durable on the topic.
    pub async fn remove(&self, id: &str) -> Result<(), PublishError> {
        self.send(id, None).await
    }

    async fn send(&self, id: &str, value: Option<Vec<u8>>) -> Result<(), PublishError> {
        let record = match value {
            Some(value) => Record::encoded(
                REGISTRATIONS.name(),
                id,
                value,
                Headers {
                    id: id.to_owned(),
                    source: "weir/processing/registrations".to_owned(),
                    r#type: Registration::full_name(),
                    traceparent: service::trace::current_traceparent(),
                    ..Headers::default()
                },
            ),
            None => Record::tombstone(&REGISTRATIONS, id),
        };
        let failed = |source| PublishError::NotPublished { id: id.to_owned(), source };
        let until = tokio::time::Instant::now() + self.limit;
        let timed_out = |pending| PublishError::TimedOut { id: id.to_owned(), limit: self.limit, pending };
        let sent = async {
            loop {
                match self.producer.try_send(record.clone()) {
                    Err(bus::Error::Full) => tokio::time::sleep(FULL_PAUSE).await,
                    other => break other,
                }
            }
        };
        let Ok(sent) = tokio::time::timeout_at(until, sent).await else { return Err(timed_out(None)) };
        let mut receipt = sent.map_err(failed)?;
        match tokio::time::timeout_at(until, &mut receipt).await {
            Ok(outcome) => outcome.map(drop).map_err(failed),
            Err(_) => Err(timed_out(Some(receipt))),
        }
    }
}

/// What had to be written so that the topic says what the database says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Registrations that the topic did not hold, or held otherwise.
    pub publish: Vec<(String, Vec<u8>)>,
    /// Keys that the database does not hold.
    pub remove: Vec<String>,
}

/// Compares; the database is right.
pub fn difference(database: Vec<(String, Vec<u8>)>, mut topic: BTreeMap<String, Vec<u8>>) -> Difference {
    let publish = database.into_iter().filter(|(id, record)| topic.remove(id).as_ref() != Some(record)).collect();
    Difference { publish, remove: topic.into_keys().collect() }
}

/// What has to be done so that both say the same.
#[derive(Debug, PartialEq)]
pub enum Plan {
    /// The database is empty: it takes over what the topic holds.
    Adopt(Vec<Registration>),
    /// The database is right.
    Write(Difference),
}

/// Decides. A database that is empty, or that lacks much of what the topic holds, is never taken at its word.
///
/// # Errors
/// When a person has to decide.
pub fn plan(
    database: Vec<(String, Vec<u8>)>,
    topic: BTreeMap<String, Vec<u8>>,
    allow_removals: bool,
) -> Result<Plan, ReconcileError> {
    if database.is_empty() && !topic.is_empty() {
        let adopted = topic.into_iter().map(|(id, record)| adoptable(id, &record));
        return Ok(Plan::Adopt(adopted.collect::<Result<_, _>>()?));
    }
    let held = topic.len();
    let difference = difference(database, topic);
    let missing = difference.remove.len();
    let many = missing > FEW_REMOVALS && missing * 10 > held;
    // Nothing in common is another installation's database, however small.
    if !allow_removals && missing > 0 && (many || missing == held) {
        let some = few(&difference.remove, ", ");
        return Err(ReconcileError::TooManyRemovals { missing, topic: held, some });
    }
    Ok(Plan::Write(difference))
}

/// Only what is written back byte for byte: a field that this version does not know would be lost.
fn adoptable(id: String, record: &[u8]) -> Result<Registration, ReconcileError> {
    match Registration::decode(record) {
        Ok(registration)
            if registration.id == id
                && common::registrations::validate(&registration).is_ok()
                && registration.encode_to_vec() == record =>
        {
            Ok(registration)
        }
        _ => Err(ReconcileError::NotAdopted { id }),
    }
}

/// Makes topic and database say the same, while nobody changes either: `change` has locked everything.
///
/// # Errors
/// When the log or the database failed, or a person has to decide; then nothing was removed.
pub async fn reconcile(
    mut change: Box<dyn Change>,
    bus: &Bus,
    publisher: &Publisher,
    allow_removals: bool,
) -> Result<Plan, ReconcileError> {
    let database = change.all().await?;
    let mut topic = BTreeMap::new();
    let mut reader = bus.reader(&[REGISTRATIONS.name().to_owned()], Start::Beginning).await?;
    while let Some(stored) = reader.next_until_end().await? {
        // Whoever wrote a key that is not text: it is no registration, and no reader takes it for one.
        let Some(id) = stored.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else { continue };
        match stored.payload {
            Some(payload) => topic.insert(id.to_owned(), payload.to_vec()),
            None => topic.remove(id),
        };
    }
    let plan = plan(database, topic, allow_removals)?;
    match &plan {
        Plan::Adopt(registrations) => {
            for registration in registrations {
                change.put(registration).await?;
            }
        }
        Plan::Write(difference) => {
            for (id, record) in &difference.publish {
                publisher.send(id, Some(record.clone())).await?;
            }
            for id in &difference.remove {
                publisher.remove(id).await?;
            }
        }
    }
    // Also where nothing was written: only a transaction that lived this long has held its lock this long.
    change.commit().await?;
    Ok(plan)
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
