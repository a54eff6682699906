//! Which raw deliveries are meant. Pure.

use std::time::Duration;

use common::deadletter::v1::RawSelection;
use common::raw::v1::Delivery;
use common::time::{from_millis, to_millis};
use prost_types::Timestamp;

use crate::dead_letters::select::InvalidField;

const DAY_SECONDS: u64 = 24 * 3600;

/// Against what a selection is held.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// In milliseconds since 1970.
    pub now: i64,
    /// How long claims last.
    pub claims: Duration,
    /// The sources that are processed.
    pub sources: &'a [&'a str],
}

/// A selection that can be.
#[derive(Debug, Clone)]
pub struct RawFilter {
    from: i64,
    until: i64,
    endpoints: Vec<String>,
    source: String,
}

impl RawFilter {
    /// Checks a selection.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn new(
        selection: &RawSelection,
        known: Known<'_>,
        is_registered: impl Fn(&str) -> bool,
    ) -> Result<Self, InvalidField> {
        let Some(from) = selection.from.as_ref().map(to_millis) else {
            return Err(InvalidField::new("selection.from", "is missing: give the start time"));
        };
        if from >= known.now {
            return Err(InvalidField::new("selection.from", "is in the future: nothing could be selected"));
        }
        // What comes from now on is not meant, a replay's own records least of all.
        let until = selection.until.as_ref().map_or(known.now, to_millis).min(known.now);
        if from >= until {
            return Err(InvalidField::new("selection.until", "is not after selection.from: nothing could be selected"));
        }
        let lasts = i64::try_from(known.claims.as_millis()).unwrap_or(i64::MAX);
        if until <= known.now.saturating_sub(lasts) {
            let days = known.claims.as_secs() / DAY_SECONDS;
            let problem = format!(
                "is more than {days} days ago, and claims last {days} (bus.claims.ttl_days): a replay could produce \
                 duplicates"
            );
            return Err(InvalidField::new("selection.until", problem));
        }
        let source = selection.source.clone();
        if !source.is_empty() && !known.sources.contains(&source.as_str()) {
            let problem =
                format!("is {source:?}, which is not processed here: use one of {}", known.sources.join(", "));
            return Err(InvalidField::new("selection.source", problem));
        }
        if let Some(unknown) = selection.endpoints.iter().find(|endpoint| !is_registered(endpoint)) {
            let problem = format!(
                "has {unknown:?}, which is not registered: weir register list shows the registered ones; to select \
                 the deliveries of a removed endpoint, name no endpoint"
            );
            return Err(InvalidField::new("selection.endpoints", problem));
        }
        Ok(Self { from, until, endpoints: selection.endpoints.clone(), source })
    }

    /// Whether it means the deliveries of this source.
    pub fn means(&self, source: &str) -> bool {
        self.source.is_empty() || self.source == source
    }

    /// Whether it means this one; `produced_at`, in milliseconds, tells the time where the delivery does not.
    pub fn fits(&self, delivery: &Delivery, produced_at: i64) -> bool {
        let at = delivery.received_at.as_ref().map_or(produced_at, to_millis);
        (self.from..self.until).contains(&at)
            && (self.endpoints.is_empty() || self.endpoints.contains(&delivery.endpoint))
    }

    /// Before this nothing needs to be read, where no clock is further behind another than `clocks`.
    pub fn from(&self, clocks: Duration) -> Timestamp {
        from_millis(self.from.saturating_sub(i64::try_from(clocks.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
