//! How a receiver is told: one adapter for each kind, behind one trait.
//!
//! * `http`: what those have in common that speak HTTP
//! * `webhook`, `slack`, `pagerduty`, `alertmanager`, `mail`

mod alertmanager;
mod http;
mod mail;
mod pagerduty;
mod slack;
mod webhook;

use std::fmt;

use async_trait::async_trait;
use service::outbound::Reach;
use service::tls::Dial;

use crate::message::Message;
use crate::settings::{AlertsSettings, ReceiverSettings};
pub use http::Http;

/// What tells one receiver.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Delivers a message, or says why not. Has no time limit of its own. The same message may come again, with its id.
    ///
    /// # Errors
    /// The receiver was not reached, or did not take it; in words that show no secret.
    async fn send(&self, message: &Message) -> Result<(), NotTaken>;
}

/// Nobody heard that a receiver took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// Why.
    pub problem: String,
    /// Whether it may have it nevertheless.
    pub perhaps: bool,
}

impl NotTaken {
    /// It may have it.
    pub(crate) fn perhaps(problem: String) -> Self {
        Self { problem, perhaps: true }
    }
}

impl From<String> for NotTaken {
    fn from(problem: String) -> Self {
        Self { problem, perhaps: false }
    }
}

/// A message did not get to its receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotDelivered {
    /// The name of the receiver.
    pub receiver: String,
    /// Where the receiver stands in the settings.
    pub setting: String,
    /// Why.
    pub problem: String,
}

impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "receiver {:?} ({}): {}", self.receiver, self.setting, self.problem)
    }
}

impl std::error::Error for NotDelivered {}

/// The way to a receiver, and the key of its table.
///
/// # Errors
/// Its settings cannot work.
pub(crate) fn open(
    receiver: &ReceiverSettings,
    all: &AlertsSettings,
    http: &Http,
) -> Result<(Box<dyn Sink>, &'static str), String> {
    let http = http.clone();
    let ReceiverSettings { name: _, webhook, slack, pagerduty, alertmanager, mail } = receiver;
    if let Some(settings) = webhook {
        return Ok((Box::new(webhook::Webhook::new(settings, http)?), "webhook"));
    }
    if let Some(settings) = slack {
        return Ok((Box::new(slack::Slack::new(settings, http)?), "slack"));
    }
    if let Some(settings) = pagerduty {
        return Ok((Box::new(pagerduty::PagerDuty::new(settings, http)?), "pagerduty"));
    }
    if let Some(settings) = alertmanager {
        return Ok((Box::new(alertmanager::Alertmanager::new(settings, all.resend_ms, http)?), "alertmanager"));
    }
    match mail {
        Some(settings) => Ok((Box::new(mail::Mail::new(settings, all)?), "mail")),
        None => Err("it says in no way how it is told".to_owned()),
    }
}

/// For all of those that speak HTTP.
pub(crate) fn client(all: &AlertsSettings) -> Http {
    Http::new(Dial::new("alerts", &service::tls::ClientTlsSettings::default()), all.reach())
}

/// Where mails go may be limited as well.
pub(crate) fn reach(all: &AlertsSettings) -> Reach {
    all.reach()
}

#[cfg(test)]
#[path = "sinks_tests.rs"]
pub(crate) mod tests;
