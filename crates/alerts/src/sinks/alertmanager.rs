//! Alertmanager, API v2: it is told again and again of all that lasts, and groups and repeats by itself.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Uri};
use serde_json::{Value, json};

use super::http::{Http, url};
use super::{NotTaken, Sink};
use crate::alert::Alert;
use crate::message::Message;
use crate::settings::{AlertmanagerSettings, MISSED};

pub(crate) struct Alertmanager {
    url: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    lasts_ms: i64,
    http: Http,
}

impl Alertmanager {
    pub(crate) fn new(settings: &AlertmanagerSettings, resend_ms: u64, http: Http) -> Result<Self, String> {
        let url = url(&format!("{}/api/v2/alerts", settings.url.trim_end_matches('/')))?;
        let mut headers = Vec::new();
        if let Some(password) = &settings.password {
            let both = STANDARD.encode(format!("{}:{}", settings.user, password.expose()));
            let mut value = HeaderValue::from_str(&format!("Basic {both}")).map_err(|_| "the password is not valid")?;
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        let lasts_ms = i64::try_from(resend_ms.saturating_mul(MISSED)).unwrap_or(i64::MAX);
        Ok(Self { url, headers, lasts_ms, http })
    }

    fn body(&self, message: &Message) -> Value {
        let alert = |alert: &Alert, ends_ms: i64| {
            let mut one = json!({
                "labels": {
                    "alertname": format!("Weir/{}", alert.check),
                    "check": alert.check,
                    "stage": alert.stage,
                    "cause": alert.cause(),
                    "severity": alert.class.name(),
                },
                "annotations": {
                    "summary": alert.text,
                    "description": alert.advice,
                    "runbook_url": alert.runbook,
                    "instances": alert.instances.join(", "),
                },
                // An end before the beginning is refused.
                "startsAt": time(alert.since_ms.min(ends_ms)),
                "endsAt": time(ends_ms),
            });
            if !message.installation.is_empty() {
                one["labels"]["installation"] = Value::from(message.installation.as_str());
            }
            one
        };
        // It takes for over what it is not told again.
        let lasting = message.firing.iter().chain(&message.muted);
        let lasting = lasting.map(|one| alert(one, message.at_ms.saturating_add(self.lasts_ms)));
        let over = message.resolved.iter().map(|one| alert(one, message.at_ms));
        lasting.chain(over).collect()
    }
}

fn time(at_ms: i64) -> String {
    common::time::from_millis(at_ms).to_string()
}

#[async_trait]
impl Sink for Alertmanager {
    async fn send(&self, message: &Message) -> Result<(), NotTaken> {
        self.http.post(&self.url, &self.headers, self.body(message).to_string().into_bytes()).await
    }
}
