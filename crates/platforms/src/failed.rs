//! Which deliveries GitHub is asked to send again. Pure.

use std::collections::BTreeMap;

use common::time::from_rfc3339;
use serde::Deserialize;

/// One attempt of a delivery, as GitHub lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct HookDelivery {
    pub(crate) id: u64,
    /// All attempts of one delivery have it.
    pub(crate) guid: String,
    pub(crate) delivered_at: String,
    /// None: it is under way.
    pub(crate) status_code: Option<u16>,
    #[serde(default)]
    pub(crate) event: String,
}

/// Seconds and nanoseconds since 1970.
pub(crate) type Moment = (i64, i32);

impl HookDelivery {
    /// None: its time cannot be read.
    pub(crate) fn at(&self) -> Option<Moment> {
        from_rfc3339(&self.delivered_at).map(|time| (time.seconds, time.nanos))
    }

    fn is_success(&self) -> bool {
        self.status_code.is_some_and(|code| (200..300).contains(&code))
    }
}

/// What is known of one delivery.
#[derive(Default)]
struct Attempts<'a> {
    /// One succeeded, or may: it is under way.
    is_done: bool,
    /// The one that failed last.
    last: Option<(Moment, &'a HookDelivery)>,
}

/// The last attempt of each delivery that failed since then, and of which no attempt succeeded or is under way; the oldest first.
pub(crate) fn failed_since(listed: &[HookDelivery], since: Moment) -> Vec<&HookDelivery> {
    let mut by_guid: BTreeMap<&str, Attempts<'_>> = BTreeMap::new();
    for one in listed {
        let known = by_guid.entry(&one.guid).or_default();
        known.is_done |= one.is_success() || one.status_code.is_none();
        if let Some(at) = one.at()
            && known.last.is_none_or(|(last, of)| (last, of.id) < (at, one.id))
        {
            known.last = Some((at, one));
        }
    }
    let open = by_guid.into_values().filter(|known| !known.is_done).filter_map(|known| known.last);
    let mut open: Vec<_> = open.filter(|(at, _)| *at >= since).collect();
    open.sort_by_key(|(at, one)| (*at, one.id));
    open.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
#[path = "failed_tests.rs"]
mod tests;
