//! What one receiver is told at once.

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Class, digest};

/// Alerts of one cause, for one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same for each attempt to deliver it.
    pub id: String,
    /// For whom it is.
    pub receiver: String,
    /// Which group of alerts it is about: the same from the first message to the last.
    pub group: String,
    /// What they have in common.
    pub cause: String,
    /// Those that last, the most urgent first; empty: all is over.
    pub firing: Vec<Alert>,
    /// Those that are over. Each was told to this receiver before.
    pub resolved: Vec<Alert>,
    /// Who is at those that last; none: nobody is at some of them.
    pub acknowledged_by: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Message {
    /// The id of a message to this receiver, after the one at that time.
    pub(crate) fn id(
        group: &str,
        receiver: &str,
        before_ms: Option<i64>,
        firing: &[Alert],
        resolved: &[Alert],
    ) -> String {
        let mut parts = vec![group.to_owned(), receiver.to_owned(), format!("{before_ms:?}")];
        for (of, alerts) in [("firing", firing), ("resolved", resolved)] {
            parts.push(of.to_owned());
            parts.extend(alerts.iter().map(|alert| format!("{} {}", alert.fingerprint(), alert.class.name())));
        }
        digest(&parts.iter().map(String::as_str).collect::<Vec<_>>(), 16)
    }

    /// The most urgent of what it is about.
    #[must_use]
    pub fn class(&self) -> Class {
        let all = if self.firing.is_empty() { &self.resolved } else { &self.firing };
        all.iter().map(|alert| alert.class).max().unwrap_or(Class::Log)
    }

    /// Whether nothing of it lasts.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.firing.is_empty()
    }

    /// In one line, for a subject or a list.
    #[must_use]
    pub fn title(&self) -> String {
        let shown = if self.is_over() { &self.resolved } else { &self.firing };
        let stages: Vec<_> = shown.iter().map(|alert| alert.stage.as_str()).collect();
        let mut once: Vec<&str> = Vec::new();
        for stage in stages {
            if !once.contains(&stage) {
                once.push(stage);
            }
        }
        if let Some(by) = &self.acknowledged_by {
            return format!("Weir acknowledged by {by}: {} at {}", self.cause, once.join(", "));
        }
        let word = if self.is_over() { "resolved" } else { self.class().name() };
        format!("Weir {word}: {} at {}", self.cause, once.join(", "))
    }

    /// For people: a paragraph for each alert.
    #[must_use]
    pub fn text(&self) -> String {
        let paragraph = |alert: &Alert| {
            let mut text = format!("{}: {}: {} ({}", alert.class.name(), alert.stage, alert.text, alert.check);
            if !alert.instances.is_empty() {
                text.push_str(&format!(" on {}", common::few::few(&alert.instances, ", ")));
            }
            let since = common::time::from_millis(alert.since_ms);
            text.push_str(&format!(", since {since}). {}", alert.advice));
            if !alert.runbook.is_empty() {
                text.push_str(&format!(" {}", alert.runbook));
            }
            text
        };
        let mut paragraphs: Vec<_> = self.firing.iter().map(paragraph).collect();
        let over = |alert: &Alert| format!("resolved: {}: {}", alert.stage, alert.check);
        paragraphs.extend(self.resolved.iter().map(over));
        paragraphs.join("\n\n")
    }
}
