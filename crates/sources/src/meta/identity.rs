//! Which occurrence an event is. Meta sends no delivery id, and redelivers for 36 hours, in other batches.

use common::identity::Id;
use common::json::{Object, Value, by_value, canonical_by_value};

/// What enters an event's identity beside the platform, the endpoint's tenant and the account.
#[derive(Debug)]
pub(super) struct Occurrence<'a> {
    /// The field that changed; `messaging` or `standby` for an item of those.
    pub(super) field: &'a str,
    /// What happened.
    pub(super) what: What<'a>,
    /// Whether the value has a time of its own.
    pub(super) own_time: bool,
}

/// What happened.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// A change of a field and nothing else, or an item of a conversation.
    Value(&'a Value),
    /// A change that says more than its value, for example a verb, or has none: all of it but the field.
    Change(&'a Object),
}

impl Occurrence<'_> {
    /// The id. `sent` is the JSON text of the entry's time, which enters only where the value has no time of
    /// its own: else a redelivery would be another event.
    pub(super) fn id(&self, platform: &str, tenant: &str, account: &str, sent: Option<&str>) -> Id {
        let text = match self.what {
            What::Value(value) => canonical_by_value(value),
            What::Change(change) => change.iter().fold(String::from("change"), |text, (key, value)| {
                // Both are JSON texts, so that no two changes make one text.
                text + "\n" + &Value::from(key.as_str()).to_string() + &canonical_by_value(value)
            }),
        };
        let sent = sent.filter(|_| !self.own_time).map(by_value);
        let mut parts = vec![account.as_bytes(), self.field.as_bytes(), text.as_bytes()];
        parts.extend(sent.as_deref().map(str::as_bytes));
        Id::of(platform, tenant, &parts)
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
