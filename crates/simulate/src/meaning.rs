//! What a delivery means: what should come out of Weir when it goes in.

use std::sync::Arc;

use common::activity::v1::Verb;
use serde::Serialize;

/// What should become of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Every event in it, in its order. Events of a redelivery appear again, with the same keys.
    pub events: Vec<Arc<Expected>>,
    /// What is wrong with it, if anything.
    pub fate: Fate,
}

/// What should happen to a delivery as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Accepted; all that is in it becomes events.
    Events,
    /// Accepted and brought before: nothing comes out that the first one did not bring.
    Redelivery,
    /// Refused at the door with this status.
    Refused(u16),
    /// Accepted; so many dead letters come out of it, next to its events.
    DeadLetters(u32),
}

/// One event that should come out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The platform: prefix of the topic.
    pub platform: &'static str,
    /// The topic, without the prefix of the installation.
    pub topic: &'static str,
    /// The tenant of the account.
    #[serde(serialize_with = "shared_text")]
    pub tenant: Arc<str>,
    /// The platform's id of the account.
    #[serde(serialize_with = "shared_text")]
    pub account: Arc<str>,
    /// Names this event and no other, made of what the platform sent and not of Weir's id:
    /// see [`natural_key`](crate::key::natural_key) for the same from a typed event.
    pub key: String,
    /// When it happened, or else was sent, milliseconds since 1970; absent where the platform says neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at_ms: Option<i64>,
    /// The activities, in their order. Empty where the event is nobody's doing.
    pub activities: Vec<ExpectedActivity>,
}

/// One activity that should come out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpectedActivity {
    /// What was done.
    #[serde(serialize_with = "verb_name")]
    pub verb: Verb,
    /// The platform's id of who did it; empty where the platform does not say.
    pub actor: String,
    /// The platform's id of what it was done to.
    pub object: String,
    /// The words of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

fn shared_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn verb_name<S: serde::Serializer>(verb: &Verb, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verb.as_str_name())
}
