//! Whether a dead letter may be replayed, and the record that is sent. Pure: the log's records come in as read.
//!
//! A replay makes what the stage reads once more, in the place of what it refused:
//!
//! * an *item* that a source could not read: a delivery with the headers, the time and the id of the original, and the
//!   item in its envelope as its body. What the item was cut out of has come out already, and does not come again;
//! * an *event* that the log refused (too large, no topic): the original as it was, with the positions of these items.
//!   What else is in it is dropped as a duplicate by its claims;
//! * anything else: the original record as it was.
//!
//! Event ids are made of what was sent and never of where it stood, so they are those that had been without the fault.

use std::time::Duration;

use bus::{Headers, Record, Stored};
use common::deadletter::v1::DeadLetter;
use common::raw::v1::Delivery;
use common::reasons::{TOO_LARGE, UNKNOWN_TOPIC};
use common::topics::takes_replays;
use prost::Message as _;

use super::select::millis;

/// More positions than this are not named: then all items of the record go, and claims drop what came out before.
const MOST_ITEMS: usize = 1000;

/// Of a record that is replayed over and over so many places are known.
const MOST_PLACES: usize = 8;

/// Against what a letter is held.
#[derive(Debug, Clone)]
pub struct ReplayLimits {
    /// Who the log is.
    pub log: bus::Logs,
    /// What stands before the names of its topics.
    pub prefix: String,
    /// In milliseconds since 1970.
    pub now: i64,
    /// How long claims last.
    pub claims: Duration,
}

/// Why a letter is not replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayRefusal {
    /// It does not say where its record stood.
    #[error("the dead letter does not name the coordinates of its record")]
    NoCoordinates,
    /// Its record stood on another log.
    #[error("its record was on another log, {0}: it can only be replayed on that log")]
    OtherLog(String),
    /// No stage reads the topic of its record.
    #[error("no stage reads the topic {0}")]
    NotAnInput(String),
    /// A repetition of it could pass for new.
    #[error("it is {days} days old and claims last {lasts} (bus.claims.ttl_days): a replay could produce duplicates")]
    TooOld {
        /// How old it is.
        days: u64,
        /// How long claims last.
        lasts: u64,
    },
    /// To read it again may end the process again.
    #[error("the process crashed on it: find the cause first, then run weir dead-letters replay --reason crash")]
    Crashed,
    /// The log does not have its record any more.
    #[error("its record is no longer on the log: the topic keeps records for a shorter time than dead letters")]
    OriginalGone,
    /// There is nothing to be sent.
    #[error("its record has no value: there is nothing to send")]
    NoValue,
    /// The record at its place is not what it says.
    #[error("the record at its coordinates cannot be decoded as a delivery: {0}")]
    NotADelivery(String),
    /// The log would refuse it.
    #[error("it cannot be sent: {0}")]
    TooLarge(String),
    /// The log did not say that it has it.
    #[error("the log did not acknowledge it, replay it again: {0}")]
    NotAcknowledged(String),
}

impl ReplayRefusal {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCoordinates => "no_coordinates",
            Self::OtherLog(_) => "other_log",
            Self::NotAnInput(_) => "not_an_input",
            Self::TooOld { .. } => "too_old",
            Self::Crashed => "crashed",
            Self::OriginalGone => "original_gone",
            Self::NoValue => "no_value",
            Self::NotADelivery(_) => "not_a_delivery",
            Self::TooLarge(_) => "too_large",
            Self::NotAcknowledged(_) => "not_acknowledged",
        }
    }
}

/// What of the original is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The item in its envelope.
    Item,
    /// All of it, for the item at this position.
    ItemWithin(u32),
    /// All of it.
    Whole,
}

/// Where the original stands, and what of it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// Without the prefix; the record goes there again.
    pub topic: String,
    /// Of the original.
    pub partition: i32,
    /// Of the original.
    pub offset: i64,
    /// What is sent.
    pub way: Way,
}

/// What can be told of a letter without its original.
///
/// # Errors
/// Why it is not replayed.
pub fn aim(letter: &DeadLetter, limits: &ReplayLimits) -> Result<Aim, ReplayRefusal> {
    let at = letter.coordinates.as_ref().ok_or(ReplayRefusal::NoCoordinates)?;
    if at.log != *limits.log.of(&at.topic, at.partition, at.offset) {
        return Err(ReplayRefusal::OtherLog(at.log.clone()));
    }
    let topic = at.topic.strip_prefix(&limits.prefix);
    let topic = topic.filter(|topic| takes_replays(topic));
    let topic = topic.ok_or_else(|| ReplayRefusal::NotAnInput(at.topic.clone()))?.to_owned();
    check_age(millis(letter), limits)?;
    let is_item = sources::Reason::ALL.iter().any(|reason| reason.as_str() == letter.reason);
    let is_event = [TOO_LARGE, UNKNOWN_TOPIC].contains(&letter.reason.as_str());
    let way = match () {
        () if !topic.starts_with("raw.") => Way::Whole,
        // Without its bytes, because they were too many for a dead letter, it is still an item of its delivery.
        () if is_event || is_item && letter.payload.is_empty() => Way::ItemWithin(at.index),
        () if is_item => Way::Item,
        () => Way::Whole,
    };
    Ok(Aim { topic, partition: at.partition, offset: at.offset, way })
}

/// What is to be done, for people.
pub fn shown(aim: &Aim) -> String {
    match aim.way {
        Way::Item => format!("would be sent to {} as a delivery with this item only", aim.topic),
        Way::ItemWithin(index) => {
            format!("its record would be re-sent to {}, and only item {index} of it can come out", aim.topic)
        }
        Way::Whole => format!("its record would be re-sent to {}", aim.topic),
    }
}

/// The record for an item in its envelope.
///
/// # Errors
/// Why it is not replayed.
pub fn item(
    letter: &DeadLetter,
    topic: &str,
    original: &Stored,
    limits: &ReplayLimits,
) -> Result<Record, ReplayRefusal> {
    let payload = original.payload.clone().ok_or(ReplayRefusal::NoValue)?;
    check_age(original.produced_at_ms, limits)?;
    let mut delivery = Delivery::decode(payload).map_err(|error| ReplayRefusal::NotADelivery(error.to_string()))?;
    check_received(&delivery, limits)?;
    delivery.body = letter.payload.clone();
    Ok(again(topic, original, delivery.encode_to_vec(), letter.attempts, Vec::new()))
}

/// The original as it was; `items` are the positions that it is sent for, none: all. `attempts` is how often these
/// were tried.
///
/// # Errors
/// Why it is not replayed.
pub fn whole(
    topic: &str,
    original: &Stored,
    attempts: u32,
    mut items: Vec<u32>,
    limits: &ReplayLimits,
) -> Result<Record, ReplayRefusal> {
    let payload = original.payload.clone().ok_or(ReplayRefusal::NoValue)?;
    check_age(original.produced_at_ms, limits)?;
    if topic.starts_with("raw.")
        && let Ok(delivery) = Delivery::decode(payload.clone())
    {
        check_received(&delivery, limits)?;
    }
    if items.len() > MOST_ITEMS {
        items.clear();
    }
    Ok(again(topic, original, payload.into(), attempts, items))
}

/// The record that [`whole`] made, in the place of all of the original: what an attempt claimed that never got as far as
/// its outputs would be taken for a duplicate otherwise.
pub fn instead(mut record: Record, original: &Stored) -> Record {
    let mut places = original.headers.instead_of.clone();
    places.push(original.coordinates.clone());
    record.headers.instead_of = places.split_off(places.len().saturating_sub(MOST_PLACES));
    record
}

fn again(topic: &str, original: &Stored, payload: Vec<u8>, attempts: u32, items: Vec<u32>) -> Record {
    let headers = original.headers.clone();
    let headers = Headers {
        // What came from outside has no record that it was made of: from now on it has.
        from: headers.from.or_else(|| Some(original.coordinates.clone())),
        attempts: attempts.max(1),
        items,
        ..headers
    };
    Record::encoded(topic, original.key.as_deref().unwrap_or_default(), payload, headers)
}

/// Claims are as old as the first thing that came of a delivery, and that may have been as soon as it was accepted: a
/// letter that was replayed and refused again is as old as its delivery.
fn check_received(delivery: &Delivery, limits: &ReplayLimits) -> Result<(), ReplayRefusal> {
    delivery.received_at.as_ref().map_or(Ok(()), |at| check_age(common::time::to_millis(at), limits))
}

/// Whether what is as old as this may be replayed.
pub(crate) fn check_age(since: i64, limits: &ReplayLimits) -> Result<(), ReplayRefusal> {
    let days = |age: Duration| age.as_secs() / (24 * 3600);
    let age = Duration::from_millis(u64::try_from(limits.now.saturating_sub(since)).unwrap_or(0));
    if age > limits.claims {
        return Err(ReplayRefusal::TooOld { days: days(age), lasts: days(limits.claims) });
    }
    Ok(())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
