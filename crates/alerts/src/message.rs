//! What one receiver is told at once.

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Class, digest};

/// Alerts of one cause, for one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same for each attempt to deliver it, and another for each other message.
    pub id: String,
    /// Which installation of Weir says so; empty: it has no name.
    pub installation: String,
    /// For whom it is.
    pub receiver: String,
    /// Which group of alerts it is about: the same from the first message to the last.
    pub group: String,
    /// What they have in common.
    pub cause: String,
    /// Those that last, the most urgent first.
    pub firing: Vec<Alert>,
    /// Those that are over. Each was told to this receiver before, perhaps or surely.
    pub resolved: Vec<Alert>,
    /// Those that it was told of, that are not over, and of which nobody is to be told now.
    pub muted: Vec<Alert>,
    /// Who is at those that last; none: nobody is at some of them.
    pub acknowledged_by: Option<String>,
    /// When this receiver was told of the group before, in milliseconds since 1970; none: never.
    pub after_ms: Option<i64>,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Message {
    /// With the id that it has in the story that began at this time.
    pub(crate) fn identified(mut self, created_ms: i64) -> Self {
        let times = format!("{created_ms} {:?}", self.after_ms);
        let mut parts = vec![self.group.clone(), self.receiver.clone(), times, format!("{:?}", self.acknowledged_by)];
        for (of, alerts) in [("firing", &self.firing), ("resolved", &self.resolved)] {
            parts.push(of.to_owned());
            let one = |alert: &Alert| format!("{} {} {:?}", alert.fingerprint(), alert.class.name(), alert.subjects);
            parts.extend(alerts.iter().map(one));
        }
        self.id = digest(&parts.iter().map(String::as_str).collect::<Vec<_>>(), 16);
        self
    }

    /// The most urgent of what it is about.
    #[must_use]
    pub fn class(&self) -> Class {
        let all = if self.firing.is_empty() { &self.resolved } else { &self.firing };
        all.iter().map(|alert| alert.class).max().unwrap_or(Class::Log)
    }

    /// What it asks for. That something is over wakes nobody.
    #[must_use]
    pub fn urgency(&self) -> Class {
        if self.firing.is_empty() { Class::Log } else { self.class() }
    }

    /// Whether nothing of it is open.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.firing.is_empty() && self.muted.is_empty()
    }

    /// In one line, for a subject or a list.
    #[must_use]
    pub fn title(&self) -> String {
        let shown = if self.firing.is_empty() { &self.resolved } else { &self.firing };
        let stages: Vec<_> = shown.iter().map(|alert| alert.stage.as_str()).collect();
        let mut once: Vec<&str> = Vec::new();
        for stage in stages {
            if !once.contains(&stage) {
                once.push(stage);
            }
        }
        let what = match &self.acknowledged_by {
            Some(by) => format!("acknowledged by {by}"),
            None if self.is_over() => "resolved".to_owned(),
            None if self.firing.is_empty() => "partly resolved".to_owned(),
            None => self.class().name().to_owned(),
        };
        let who = if self.installation.is_empty() { String::new() } else { format!(" {}", self.installation) };
        format!("Weir{who} {what}: {} at {}", self.cause, once.join(", "))
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
        let muted = |alert: &Alert| format!("still open, not told of for now: {}: {}", alert.stage, alert.check);
        paragraphs.extend(self.muted.iter().map(muted));
        paragraphs.join("\n\n")
    }
}
