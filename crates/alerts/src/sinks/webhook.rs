//! A plain webhook: the message as JSON, signed.

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, Uri};
use serde_json::json;

use super::http::{Http, url};
use super::{NotTaken, Sink};
use crate::alert::Alert;
use crate::message::Message;
use crate::settings::WebhookSettings;
use crate::signature;

pub(crate) struct Webhook {
    url: Uri,
    key: Option<Vec<u8>>,
    http: Http,
}

impl Webhook {
    pub(crate) fn new(settings: &WebhookSettings, http: Http) -> Result<Self, String> {
        let key = match &settings.secret {
            Some(secret) => Some(signature::key(secret.expose()).ok_or("the secret is not one of Standard Webhooks")?),
            None => None,
        };
        Ok(Self { url: url(settings.url.expose())?, key, http })
    }
}

/// An alert, as JSON.
fn alert(alert: &Alert) -> serde_json::Value {
    json!({
        "fingerprint": alert.fingerprint().to_string(),
        "stage": alert.stage,
        "check": alert.check,
        "class": alert.class.name(),
        "instances": alert.instances,
        "text": alert.text,
        "advice": alert.advice,
        "runbook": alert.runbook,
        "since": common::time::from_millis(alert.since_ms).to_string(),
    })
}

/// The body that is signed.
fn body(message: &Message) -> Vec<u8> {
    let list = |alerts: &[Alert]| alerts.iter().map(alert).collect::<Vec<_>>();
    let event = if message.is_over() { "alerts.resolved" } else { "alerts.firing" };
    let body = json!({
        "type": event,
        "timestamp": common::time::from_millis(message.at_ms).to_string(),
        "data": {
            "installation": message.installation,
            "group": message.group,
            "cause": message.cause,
            "class": message.class().name(),
            "title": message.title(),
            "firing": list(&message.firing),
            "resolved": list(&message.resolved),
            "muted": list(&message.muted),
            "acknowledged_by": message.acknowledged_by,
        },
    });
    body.to_string().into_bytes()
}

#[async_trait]
impl Sink for Webhook {
    async fn send(&self, message: &Message) -> Result<(), NotTaken> {
        let body = body(message);
        let id = format!("msg_{}", message.id);
        let seconds = message.at_ms.div_euclid(1000);
        let mut headers = vec![("webhook-id", id.clone()), ("webhook-timestamp", seconds.to_string())];
        if let Some(key) = &self.key {
            let signed = signature::sign(key, &id, seconds, &body).ok_or_else(|| "it cannot be signed".to_owned())?;
            headers.push(("webhook-signature", signed));
        }
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?)));
        self.http.post(&self.url, &headers.collect::<Vec<_>>(), body).await
    }
}
