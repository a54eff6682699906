//! PagerDuty, Events API v2: an incident for each group.

use async_trait::async_trait;
use http::Uri;
use serde_json::{Value, json};
use service::Secret;

use super::http::{Http, url};
use super::{NotTaken, Sink};
use crate::alert::{Alert, Class};
use crate::message::Message;
use crate::settings::PagerDutySettings;

const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Longer ones are refused.
const LONGEST_SUMMARY: usize = 1024;
const LONGEST_KEY: usize = 255;

pub(crate) struct PagerDuty {
    url: Uri,
    routing_key: Secret,
    http: Http,
}

impl PagerDuty {
    pub(crate) fn new(settings: &PagerDutySettings, http: Http) -> Result<Self, String> {
        let url = url(settings.url.as_deref().unwrap_or(URL))?;
        Ok(Self { url, routing_key: settings.routing_key.clone(), http })
    }
}

/// What becomes of the incident. One that does not know it yet takes no other event before `trigger`.
fn actions(message: &Message) -> &'static [&'static str] {
    match message {
        _ if message.is_over() => &["resolve"],
        // A part of it is over: it stays open.
        _ if message.firing.is_empty() => &[],
        _ if message.acknowledged_by.is_some() => &["trigger", "acknowledge"],
        _ => &["trigger"],
    }
}

fn body(message: &Message, action: &str, routing_key: &str) -> Value {
    // The incident is the group's, from the first message to the last.
    let key: String = format!("weir/{}", message.group).chars().take(LONGEST_KEY).collect();
    let mut body = json!({ "routing_key": routing_key, "event_action": action, "dedup_key": key });
    if action == "trigger" {
        let severity = match message.class() {
            Class::Page => "critical",
            Class::Ticket => "warning",
            Class::Log => "info",
        };
        let found = message.firing.first().map_or("", |alert| alert.text.as_str());
        let summary: String = format!("{}: {found}", message.title()).chars().take(LONGEST_SUMMARY).collect();
        let details = |alert: &Alert| json!({ "check": alert.check, "stage": alert.stage, "found": alert.text, "advice": alert.advice });
        let first = message.firing.first();
        body["payload"] = json!({
            "summary": summary,
            "source": first.and_then(|alert| alert.instances.first()).map_or("weir", String::as_str),
            "severity": severity,
            "component": first.map(|alert| alert.stage.as_str()),
            "group": message.cause,
            "class": message.class().name(),
            "custom_details": { "alerts": message.firing.iter().map(details).collect::<Vec<_>>() },
        });
        let with_runbook = message.firing.iter().filter(|alert| !alert.runbook.is_empty());
        let links: Vec<_> = with_runbook.map(|alert| json!({ "href": alert.runbook, "text": alert.check })).collect();
        body["links"] = Value::from(links);
    }
    body
}

#[async_trait]
impl Sink for PagerDuty {
    async fn send(&self, message: &Message) -> Result<(), NotTaken> {
        for (n, action) in actions(message).iter().enumerate() {
            let body = body(message, action, self.routing_key.expose()).to_string().into_bytes();
            let sent = self.http.post(&self.url, &[], body).await;
            // The incident is open if an event before went well.
            sent.map_err(|failed| NotTaken { perhaps: failed.perhaps || n > 0, ..failed })?;
        }
        Ok(())
    }
}
