//! A chat that takes Slack's incoming webhooks.

use async_trait::async_trait;
use http::Uri;
use serde_json::json;

use super::http::{Http, url};
use super::{NotTaken, Sink};
use crate::alert::Class;
use crate::message::Message;
use crate::settings::SlackSettings;

/// Slack cuts off longer texts.
const LONGEST: usize = 3000;

pub(crate) struct Slack {
    url: Uri,
    http: Http,
}

impl Slack {
    pub(crate) fn new(settings: &SlackSettings, http: Http) -> Result<Self, String> {
        Ok(Self { url: url(settings.url.expose())?, http })
    }
}

/// Nothing in it is a link, a mention or a format, whatever a check says.
fn plain(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

fn body(message: &Message) -> Vec<u8> {
    let color = match message.class() {
        _ if message.is_over() => "good",
        Class::Page => "danger",
        Class::Ticket => "warning",
        Class::Log => "#888888",
    };
    let title = plain(&message.title());
    let attachment = json!({ "color": color, "fallback": title, "text": plain(&message.text()), "mrkdwn_in": [] });
    json!({ "text": title, "mrkdwn": false, "attachments": [attachment] }).to_string().into_bytes()
}

#[async_trait]
impl Sink for Slack {
    async fn send(&self, message: &Message) -> Result<(), NotTaken> {
        self.http.post(&self.url, &[], body(message)).await
    }
}
