//! The status page: for somebody who was woken and looks at a phone. Everything on it is in it: no other file, nothing
//! from elsewhere, and all that came from outside is escaped.

mod balance;
mod causes;
mod errors;
mod healing;
mod links;
mod parts;
mod put;
mod trends;

use std::time::SystemTime;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::health::v1::State;
use prost_types::Timestamp;
use service::digest_json::state_name;
use sha2::{Digest as _, Sha256};

use crate::check::titled;
use crate::healing::audit::Audit;
use crate::history::History;
use crate::pipeline::View;
use crate::urgency::Urgency;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/refresh.js");

/// The page, with its script.
#[derive(Debug, Clone)]
pub struct Page {
    script: String,
    policy: HeaderValue,
    refresh_ms: u64,
    audit: Audit,
}

impl Page {
    /// A page that asks for a newer one after so long.
    #[must_use]
    pub fn new(refresh_ms: u64) -> Self {
        let script = SCRIPT.replace("EVERY_MS", &refresh_ms.to_string());
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(STYLE),
            hash(&script)
        );
        // Made of ASCII; were it not, nothing would be allowed.
        let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Self { script, policy, refresh_ms, audit: Audit::default() }
    }

    /// With what was done without a person.
    #[must_use]
    pub(crate) fn with_audit(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    /// The `Content-Security-Policy` it needs: its own style and script, and nothing else.
    #[must_use]
    pub fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }

    /// The page.
    #[must_use]
    pub fn html(&self, view: &View, history: &History) -> String {
        let state = view.pipeline.state();
        let name = state_name(state);
        let now = view.pipeline.at.unwrap_or_default();
        let at = SystemTime::try_from(now).unwrap_or(SystemTime::UNIX_EPOCH);
        let headline = escape(&titled(&view.pipeline.name, &view.pipeline.headline));
        let title = match view.pipeline.name.as_str() {
            "" => "Weir".to_owned(),
            installation => format!("{} · Weir", escape(installation)),
        };
        let sentence = match view.pipeline.summary.as_str() {
            "" => String::new(),
            summary => format!("<p class=lead>{}</p>", escape(summary)),
        };
        let icon = match state {
            State::Ok => "%23197a3e",
            State::Warning => "%23b26a00",
            State::Failing => "%23c0262d",
            State::Unknown | State::Unspecified => "%23667085",
        };
        format!(
            "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n\
             <meta name=viewport content=\"width=device-width,initial-scale=1\">\n\
             <meta name=color-scheme content=\"light dark\">\n\
             <title>{name} · {title}</title>\n\
             <link rel=icon href=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'>\
             <circle cx='4.5' cy='4.5' r='4' fill='{icon}'/></svg>\">\n\
             <noscript><meta http-equiv=refresh content={}></noscript>\n\
             <style>{STYLE}</style></head>\n<body>\n<p id=stale role=alert hidden></p>\n\
             <p id=said role=status></p>\n<main id=live>\n\
             <header class={name}><p class=mark aria-hidden=true>{}</p><div><h1>{headline}</h1>{sentence}\
             {}{}</div></header>\n\
             {}{}{}{}{}{}{}{}</main>\n\
             <footer><p>At {} · <a href=/status.json>status.json</a> · <a href=/check>check</a> · \
             <a href=/health>health</a> · <a href=/metrics>metrics</a> · <a href=/checks>checks of this process</a> · {}\
             </p></footer>\n<script>{}</script>\n</body></html>\n",
            self.refresh_ms.div_ceil(1000).max(5),
            mark(state),
            Some(summary(view))
                .filter(|text| !text.is_empty())
                .map_or_else(String::new, |text| format!("<p>{text}</p>")),
            parts::strip(&view.pipeline.hops),
            causes::causes(view, now),
            healing::section(&self.audit.attempts(), now),
            parts::flow(view, history, at),
            errors::section(&view.pipeline, now),
            trends::day(history, view, at),
            balance::balance(view),
            balance::by_hour(view),
            parts::instances(&view.pipeline, now),
            clock(now, now),
            links::of_page("health.md", "what this page means"),
            self.script,
        )
    }
}

/// What stands below the headline: how much of what, and where the pipeline is well, how much comes in.
fn summary(view: &View) -> String {
    let hops = &view.pipeline.hops;
    let mut counts = Vec::new();
    if view.causes.len() == 1 && !view.pipeline.summary.is_empty() {
        // The headline and the sentence have said it.
        return String::new();
    }
    for (urgency, word) in [
        (Urgency::Page, "to do now"),
        (Urgency::NotKnown, "not known"),
        (Urgency::Ticket, "for working hours"),
        (Urgency::Look, "to look at"),
        (Urgency::Note, "for the record"),
    ] {
        let count = view.causes.iter().filter(|cause| cause.urgency() == urgency).count();
        if count > 0 {
            counts.push(format!("{count} {word}"));
        }
    }
    if counts.is_empty()
        && let Some(first) = hops.first()
    {
        let entering = if first.rates_unknown { "not known how much is".to_owned() } else { rate(first.in_per_second) };
        return format!("{} stages, {entering} incoming", hops.len());
    }
    counts.join(", ")
}

/// States are told by shape too, not by colour alone.
fn mark(state: State) -> &'static str {
    match state {
        State::Ok => "✓",
        State::Warning => "!",
        State::Failing => "✕",
        State::Unknown | State::Unspecified => "?",
    }
}

/// Everything that came from outside goes through here.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A count with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            // Narrow, and never the end of a line.
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A rate as people would say it.
fn rate(per_second: f64) -> String {
    match per_second {
        r if r <= 0.0 => "0/s".to_owned(),
        r if r < 1.0 => format!("{:.1}/min", r * 60.0),
        r if r < 10.0 => format!("{r:.1}/s"),
        r => format!("{}/s", grouped(r.round() as u64)),
    }
}

/// A time as people would say it.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// How long ago.
fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", seconds((now.seconds - at.seconds).max(0) as f64))
}

/// A time of day, with the date where that is another one. The script shows it in the zone of whoever reads.
fn clock(at: Timestamp, now: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let stamp = Timestamp { nanos: 0, ..at }.to_string();
    // 2026-03-01T12:34:56Z
    let part = |range| stamp.get(range).unwrap_or_default();
    let date = if at.seconds.div_euclid(86_400) == now.seconds.div_euclid(86_400) {
        String::new()
    } else {
        let month = part(5..7).parse().ok().and_then(|month: usize| MONTHS.get(month.checked_sub(1)?)).unwrap_or(&"");
        format!("{} {month} ", part(8..10).trim_start_matches('0'))
    };
    format!("<time datetime={stamp}>{date}{} UTC</time>", part(11..16))
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
