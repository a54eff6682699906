//! An alert that is not over. Pure.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// As it was last found; its class is that in which it is told.
    pub alert: Alert,
    /// When it was first found.
    pub opened_ms: i64,
    /// When it got its class: who was at it before knew of something less urgent.
    pub raised_ms: i64,
    /// Since when it is not found any more.
    pub gone_since_ms: Option<i64>,
    /// Since when it is less urgent than that.
    lower_since_ms: Option<i64>,
}

impl Open {
    pub(crate) fn new(alert: Alert, now_ms: i64) -> Self {
        Self { alert, opened_ms: now_ms, raised_ms: now_ms, gone_since_ms: None, lower_since_ms: None }
    }

    /// It was found again.
    pub(crate) fn again(&mut self, alert: Alert, resolve_after_ms: i64, now_ms: i64) {
        let class = if alert.class >= self.alert.class {
            if alert.class > self.alert.class {
                self.raised_ms = now_ms;
            }
            self.lower_since_ms = None;
            alert.class
        } else {
            // What is urgent now and then is urgent.
            let since = self.lower_since_ms.map_or(now_ms, |since| since.min(now_ms));
            let is_lower = now_ms - since >= resolve_after_ms;
            self.lower_since_ms = (!is_lower).then_some(since);
            if is_lower { alert.class } else { self.alert.class }
        };
        self.gone_since_ms = None;
        self.alert = Alert { class, since_ms: alert.since_ms.min(self.alert.since_ms), ..alert };
    }

    /// It was not found. `is_hidden`: nothing is known of it.
    pub(crate) fn gone(&mut self, is_hidden: bool, now_ms: i64) {
        // A clock that was set back begins anew.
        let since = self.gone_since_ms.map_or(now_ms, |since| since.min(now_ms));
        self.gone_since_ms = (!is_hidden).then_some(since);
        self.lower_since_ms = None;
    }
}
