//! What is wrong, as somebody is told of it.

use std::fmt;

use common::few::few;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::inhibition;

/// What somebody has to do. Later ones are more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Nothing: for the record.
    Log,
    /// Something, in working hours. Weir tells of it at any hour.
    Ticket,
    /// Something, now.
    Page,
}

impl Class {
    /// As it stands in settings and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
            Self::Log => "log",
        }
    }
}

/// One check of one stage that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The stage it is about.
    pub stage: String,
    /// The name of the check.
    pub check: String,
    /// What it asks for.
    pub class: Class,
    /// Which instances say so; empty where health-check itself does.
    pub instances: Vec<String>,
    /// Which of several things it is about: endpoints, or instances that are missing. One more of them is news.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// What was found.
    pub text: String,
    /// What to do.
    pub advice: String,
    /// The URL of its runbook; empty: it has none.
    pub runbook: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
}

/// Which alert it is, whatever was found: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Alert {
    /// Of its stage and its check, and of nothing that changes while it lasts.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(digest(&[&self.stage, &self.check], 8))
    }

    /// What it comes of: the same for the checks of several stages that have one cause.
    #[must_use]
    pub fn cause(&self) -> &str {
        if inhibition::is_log(&self.stage, &self.check) {
            return "log";
        }
        let own = self.check.strip_prefix(self.stage.as_str()).and_then(|rest| rest.strip_prefix('_'));
        own.filter(|rest| !rest.is_empty()).unwrap_or(&self.check)
    }

    /// Whether it is worse than what somebody was told of it.
    pub(crate) fn is_worse_than(&self, told: &Alert) -> bool {
        self.class > told.class || self.subjects.iter().any(|one| !told.subjects.contains(one))
    }

    /// Puts what another instance says of the same thing beside it.
    fn join(&mut self, other: Alert) {
        if other.class > self.class {
            (self.class, self.advice, self.runbook) = (other.class, other.advice, other.runbook);
        }
        for (list, more) in [(&mut self.instances, other.instances), (&mut self.subjects, other.subjects)] {
            for one in more {
                if !list.contains(&one) {
                    list.push(one);
                }
            }
        }
        self.since_ms = self.since_ms.min(other.since_ms);
    }
}

/// One alert for each check of each stage. Of what many instances say it has the first few.
#[must_use]
pub fn joined(alerts: Vec<Alert>) -> Vec<Alert> {
    let mut once: Vec<(Alert, Vec<String>)> = Vec::new();
    for alert in alerts {
        match once.iter_mut().find(|(one, _)| one.stage == alert.stage && one.check == alert.check) {
            Some((one, texts)) => {
                if !texts.contains(&alert.text) {
                    texts.push(alert.text.clone());
                }
                one.join(alert);
            }
            None => {
                let texts = vec![alert.text.clone()];
                once.push((alert, texts));
            }
        }
    }
    once.into_iter().map(|(alert, texts)| Alert { text: few(texts, "; "), ..alert }).collect()
}

/// Of texts with their lengths, so that no two lists are one; this many bytes of it.
pub(crate) fn digest(parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(&hash.finalize()[..bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(stage: &str, check: &str) -> Alert {
        Alert {
            stage: stage.to_owned(),
            check: check.to_owned(),
            class: Class::Ticket,
            instances: vec!["a".to_owned()],
            subjects: Vec::new(),
            text: "late".to_owned(),
            advice: "wait".to_owned(),
            runbook: String::new(),
            since_ms: 5,
        }
    }

    #[test]
    fn checks_of_several_stages_have_one_cause() {
        for (stage, check, cause) in [
            ("streaming", "streaming_kafka", "log"),
            ("processing", "processing_log", "log"),
            ("loader", "loader_progress", "progress"),
            ("loader", "lag", "lag"),
            ("processing", "registrations_database", "registrations_database"),
            ("probes", "probes_", "probes_"),
            // The names of probes are whatever their settings say.
            ("probes", "shop_log", "shop_log"),
        ] {
            assert_eq!(alert(stage, check).cause(), cause, "{check}");
        }
    }

    #[test]
    fn what_changes_while_it_lasts_makes_no_other_alert() {
        let one = alert("loader", "lag");
        let other = Alert { class: Class::Page, text: "later".to_owned(), since_ms: 9, ..one.clone() };
        assert_eq!(one.fingerprint(), other.fingerprint());
        assert_ne!(alert("ab", "c").fingerprint(), alert("a", "bc").fingerprint());
    }

    #[test]
    fn what_several_instances_say_is_one_alert_as_urgent_as_the_worst() {
        let other = Alert {
            class: Class::Page,
            instances: vec!["b".to_owned(), "a".to_owned()],
            text: "stands".to_owned(),
            advice: "start it".to_owned(),
            since_ms: 3,
            ..alert("loader", "lag")
        };
        let found = joined(vec![alert("loader", "lag"), alert("loader", "age"), other]);
        assert_eq!(found.len(), 2);
        let lag = &found[0];
        assert_eq!((lag.class, lag.text.as_str(), lag.since_ms), (Class::Page, "late; stands", 3));
        assert_eq!((lag.advice.as_str(), lag.instances.join(",")), ("start it", "a,b".to_owned()));
    }

    #[test]
    fn what_many_instances_say_is_no_longer_than_what_few_say() {
        let says = |n: usize| Alert { text: format!("{n} {}", "x".repeat(1000)), ..alert("loader", "lag") };
        let found = joined((0..500).map(says).collect());
        assert!(found[0].text.len() < 3100 && found[0].text.ends_with("and 497 more"), "{}", found[0].text);
    }
}
