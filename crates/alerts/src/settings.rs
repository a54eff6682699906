//! The settings of alerts; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

mod policy;

use std::path::PathBuf;
use std::time::Duration;

use common::units::{DAY, Millis};
use serde::{Deserialize, Serialize};
use service::Secret;
use service::outbound::{Network, Reach};

use crate::alert::Class;
use crate::calendar::Weekday;
use crate::matcher::Matcher;

/// The settings of alerts, as TOML with comments.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// `[alerts]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsSettings {
    pub receivers: Vec<ReceiverSettings>,
    pub routes: Vec<RouteSettings>,
    pub rotations: Vec<RotationSettings>,
    pub maintenance: Vec<MaintenanceSettings>,
    #[serde(serialize_with = "common::kinds::made_file")]
    pub silences_file: PathBuf,
    #[serde(serialize_with = "common::kinds::made_file")]
    pub state_file: PathBuf,
    pub must_last: bool,
    #[serde(with = "Millis::<0, DAY>")]
    pub group_wait_ms: u64,
    #[serde(with = "Millis::<0, DAY>")]
    pub group_interval_ms: u64,
    #[serde(with = "Millis::<1000, WEEKS>")]
    pub repeat_interval_ms: u64,
    #[serde(with = "Millis::<0, DAY>")]
    pub resolve_after_ms: u64,
    #[serde(with = "Millis::<100, 600_000>")]
    pub timeout_ms: u64,
    #[serde(with = "Millis::<100, DAY>")]
    pub retry_ms: u64,
    #[serde(with = "Millis::<1000, DAY>")]
    pub resend_ms: u64,
    #[serde(deserialize_with = "common::kinds::list")]
    pub allow_networks: Vec<String>,
    #[serde(serialize_with = "common::kinds::url")]
    pub runbooks_url: String,
    pub heartbeat: HeartbeatSettings,
}

/// So many times may be missed before Alertmanager takes an alert for over.
pub(crate) const MISSED: u64 = 4;

const WEEKS: u64 = 28 * DAY;
const YEAR: u64 = 366 * DAY;

/// `[alerts.heartbeat]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    #[serde(with = "Millis::<100, DAY>")]
    pub interval_ms: u64,
}

/// `[[alerts.receivers]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSettings {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<SlackSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagerduty: Option<PagerDutySettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alertmanager: Option<AlertmanagerSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailSettings>,
}

/// `webhook`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub url: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// `slack`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackSettings {
    pub url: Secret,
}

/// `pagerduty`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutySettings {
    pub routing_key: Secret,
    #[serde(serialize_with = "common::kinds::url", default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// `alertmanager`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerSettings {
    #[serde(serialize_with = "common::kinds::url")]
    pub url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// `mail`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    #[serde(serialize_with = "common::kinds::broker")]
    pub server: String,
    pub from: String,
    pub to: Vec<String>,
    #[serde(default)]
    pub tls: MailTls,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// When a mail's connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// After a greeting in the clear; without it nothing is sent.
    #[default]
    StartTls,
    /// From the first byte.
    Always,
    /// Not at all.
    Never,
}

/// `[[alerts.routes]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    pub receivers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<EscalationSettings>,
    #[serde(with = "Millis::<0, DAY>", default, skip_serializing_if = "Option::is_none")]
    pub group_wait_ms: Option<u64>,
    #[serde(with = "Millis::<0, DAY>", default, skip_serializing_if = "Option::is_none")]
    pub group_interval_ms: Option<u64>,
    #[serde(with = "Millis::<1000, WEEKS>", default, skip_serializing_if = "Option::is_none")]
    pub repeat_interval_ms: Option<u64>,
}

/// One of `escalation`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationSettings {
    #[serde(with = "Millis::<1000, WEEKS>")]
    pub after_ms: u64,
    pub receivers: Vec<String>,
}

/// `[[alerts.rotations]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationSettings {
    pub name: String,
    pub people: Vec<String>,
    pub start: String,
    #[serde(with = "Millis::<60_000, YEAR>")]
    pub shift_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideSettings>,
}

/// One of `overrides`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideSettings {
    pub from: String,
    pub to: String,
    pub who: String,
}

/// `[[alerts.maintenance]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceSettings {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<String>,
    pub from: String,
    pub to: String,
    pub utc_offset: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}

impl RouteSettings {
    pub(crate) fn about(&self) -> Matcher {
        Matcher { stages: self.stages.clone(), checks: self.checks.clone(), classes: self.classes.clone() }
    }
}

impl AlertsSettings {
    /// Whether anybody is told, or called.
    #[must_use]
    pub fn are_on(&self) -> bool {
        !self.receivers.is_empty() || self.heartbeat.url.is_some()
    }

    /// For one message.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Where receivers may be.
    #[must_use]
    pub fn reach(&self) -> Reach {
        // That they are networks was found when the settings were loaded.
        Reach::Public(self.allow_networks.iter().filter_map(|text| text.parse::<Network>().ok()).collect())
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
pub(crate) mod tests;
