//! The pages of the admin server: probes, digest, metrics, and one for people. Its stack is in `layers/admin.rs`.

use std::fmt::Write as _;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::digest_json::{DigestJson, action_name, state_name};
use crate::health::{Digest, Health};
use crate::metrics_page;

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
/// The text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `pages` are beside the pages of every process; one at `/` stands there instead of the checks of the process, which
/// are at `/checks` too.
pub(crate) fn router(health: Health, pages: Option<Router>) -> Router {
    let router = Router::new()
        .route("/checks", get(index))
        // Answering at all is what it proves: that the process is there and its loops run. It asks nothing else, so
        // that a broker that is away never gets a process killed.
        .route("/livez", get(async || page(StatusCode::OK, TEXT, "alive\n".to_owned())))
        .route("/readyz", get(ready))
        .route("/health", get(async |Shared(health): Shared<Health>| Json(DigestJson::from(health.digest()))))
        .route(
            "/metrics",
            get(async |Shared(health): Shared<Health>| page(StatusCode::OK, METRICS, metrics_page::render(&health))),
        )
        .fallback(async || page(StatusCode::NOT_FOUND, TEXT, "not found; / lists the pages\n".to_owned()));
    match pages {
        Some(pages) => router.with_state(health).merge(pages),
        None => router.route("/", get(index)).with_state(health),
    }
}

async fn ready(Shared(health): Shared<Health>) -> Response {
    let reasons = health.not_ready_because();
    if reasons.is_empty() {
        return page(StatusCode::OK, TEXT, "ready\n".to_owned());
    }
    page(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons.join("\n") + "\n")
}

async fn index(Shared(health): Shared<Health>) -> Response {
    page(StatusCode::OK, HTML, html(&health.digest()))
}

fn page(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;\
vertical-align:top}.ok{color:#060}.warning,.unknown{color:#850}.failing{color:#a00;font-weight:bold}";

fn html(digest: &Digest) -> String {
    let service = escape(&digest.service);
    let ready = if digest.ready { "<b class=ok>ready</b>" } else { "<b class=failing>not ready</b>" };
    let mut rows = String::new();
    for check in &digest.checks {
        let state = state_name(check.state());
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value} {}", check.unit));
        // Writing to a String does not fail.
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td class={state}>{state}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&check.name),
            escape(&check.message),
            escape(&number(check.value)),
            escape(&number(check.threshold)),
            check.since.unwrap_or_default(),
            action_name(check.action()),
        );
    }
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\n\
         <title>{service}</title><style>{STYLE}</style>\n\
         <h1>{service}</h1>\n<p>{ready} · version {} · {} · started {} · now {}</p>\n\
         <table><tr><th>check</th><th>state</th><th>found</th><th>value</th><th>threshold</th><th>since</th>\
         <th>if it fails</th></tr>\n{rows}</table>\n\
         <ul>\n<li><a href=/health>/health</a> this page as JSON</li>\n\
         <li><a href=/readyz>/readyz</a> 200 when the service is ready, else 503 and the reasons</li>\n\
         <li><a href=/livez>/livez</a> 200 while the process runs</li>\n\
         <li><a href=/metrics>/metrics</a> for Prometheus</li>\n</ul>\n</html>\n",
        escape(&digest.version),
        escape(&digest.instance),
        digest.started_at.unwrap_or_default(),
        digest.at.unwrap_or_default(),
    )
}

/// Messages may quote what came from outside.
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

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
