//! One call of a platform's API, as somebody with a token. What is said of it never has the token in it.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use httpdate::parse_http_date;
use serde::de::DeserializeOwned;
use service::Secret;
use service::outbound::Reach;
use service::tls::{ClientTlsSettings, Dial};
use tokio::time::timeout;
use url::Url;

use crate::answer::CallFailure;
use crate::settings::PlatformsSettings;

/// A hundred deliveries are some 60 KiB.
const LARGEST_ANSWER: usize = 1024 * 1024;
/// So much of what a platform says is told.
const SHOWN: usize = 200;
/// What is shorter is a word, and no part of a token.
const SHORTEST_PART: usize = 8;
const HIDDEN: &str = "<hidden>";

/// Where a platform's API is.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    dial: Dial,
    reach: Reach,
    url: String,
    limit: Duration,
    /// What every call has.
    headers: &'static [(&'static str, &'static str)],
    /// What kind of failure an answer is that is no success, and what it says.
    judge: fn(&Response<Bytes>) -> Judged,
}

/// What a platform says against a call, by its own codes.
pub(crate) struct Judged {
    pub(crate) kind: JudgedKind,
    pub(crate) said: String,
}

/// What kind of failure that is.
#[derive(Clone, Copy)]
pub(crate) enum JudgedKind {
    /// What its status says.
    ByStatus,
    Token,
    RateLimit,
    NotFound,
}

impl Api {
    pub(crate) fn new(
        settings: &PlatformsSettings,
        url: &str,
        headers: &'static [(&'static str, &'static str)],
        judge: fn(&Response<Bytes>) -> Judged,
    ) -> Self {
        let dial = Dial::new("platforms", &ClientTlsSettings::default());
        let (reach, limit) = (settings.reach(), settings.timeout());
        Self { dial, reach, url: url.to_owned(), limit, headers, judge }
    }

    /// What it answers to GET.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Response<Bytes>, CallFailure> {
        self.call(Method::GET, path, query, token).await
    }

    /// What it answers to POST.
    pub(crate) async fn post(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Response<Bytes>, CallFailure> {
        self.call(Method::POST, path, query, token).await
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Response<Bytes>, CallFailure> {
        let request = self.request(method, path, query, token);
        let request = request.map_err(|problem| CallFailure::Unreachable { problem: problem.to_owned() })?;
        let asking = self.dial.ask(request, LARGEST_ANSWER, &self.reach);
        let late = |_| CallFailure::Late { limit_ms: u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX) };
        let answer = timeout(self.limit, asking).await.map_err(late)?;
        // The chain of causes names the host, and no more of the URL.
        let answer =
            answer.map_err(|error| CallFailure::Unreachable { problem: told(&format!("{error:#}"), token) })?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.failure(&answer, token)) }
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        token: &Secret,
    ) -> Result<Request<Bytes>, &'static str> {
        let mut url = Url::parse(&self.url).map_err(|_| "the URL is not valid")?;
        url.path_segments_mut().map_err(|()| "the URL has no path")?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        // In a URL it would stand in the logs of whatever is in between.
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()))
            .map_err(|_| "the token cannot stand in a header")?;
        bearer.set_sensitive(true);
        let mut request = Request::builder().method(method.clone()).uri(url.as_str()).header(AUTHORIZATION, bearer);
        if method == Method::POST {
            // Nothing is sent of an empty body, and some servers refuse that.
            request = request.header(CONTENT_LENGTH, 0);
        }
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        request.body(Bytes::new()).map_err(|_| "the URL is not valid")
    }

    fn failure(&self, answer: &Response<Bytes>, token: &Secret) -> CallFailure {
        let status = answer.status();
        let Judged { kind, said } = (self.judge)(answer);
        let (code, said) = (status.as_u16(), told(&said, token));
        match kind {
            JudgedKind::RateLimit => CallFailure::RateLimited { again_after_s: again_after_s(answer.headers()) },
            JudgedKind::Token => CallFailure::TokenRefused { status: code, said },
            JudgedKind::NotFound => CallFailure::NotFound { said },
            JudgedKind::ByStatus => match status {
                StatusCode::TOO_MANY_REQUESTS => {
                    CallFailure::RateLimited { again_after_s: again_after_s(answer.headers()) }
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CallFailure::TokenRefused { status: code, said },
                StatusCode::NOT_FOUND => CallFailure::NotFound { said },
                _ if status.is_redirection() => CallFailure::Moved { status: code },
                _ => CallFailure::Refused { status: code, said },
            },
        }
    }
}

/// The answer as what the platform documents.
pub(crate) fn read<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, CallFailure> {
    // Which part of it is not so is said without the value.
    let unreadable = |error: serde_json::Error| {
        let problem = format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column());
        CallFailure::Unreadable { problem }
    };
    serde_json::from_slice(answer.body()).map_err(unreadable)
}

/// How many more calls the token has; none: the platform does not say.
pub(crate) fn remaining(headers: &HeaderMap) -> Option<u64> {
    number(headers, "x-ratelimit-remaining")
}

/// When another try is worth it, by the clock of the platform. In seconds.
pub(crate) fn again_after_s(headers: &HeaderMap) -> Option<u64> {
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(seconds);
    }
    let date = |name: &str| parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let now = date("date")?;
    let reset = || UNIX_EPOCH.checked_add(Duration::from_secs(number(headers, "x-ratelimit-reset")?));
    let again = date("retry-after").or_else(reset)?;
    Some(again.duration_since(now).unwrap_or_default().as_secs())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// A text of others in a line, without the token or a part of it, which some errors repeat.
pub(crate) fn told(text: &str, token: &Secret) -> String {
    let token = token.expose().trim();
    // The token of a Meta app is its id and its secret, with a bar between.
    let parts = token.split('|').filter(|part| part.len() >= SHORTEST_PART);
    let mut text = text.to_owned();
    for part in [token].into_iter().filter(|token| !token.is_empty()).chain(parts) {
        text = text.replace(part, HIDDEN);
    }
    let text: String = text.trim().chars().take(SHOWN).collect();
    service::escape::word(&text).into_owned()
}

/// A URL for people: where it leads, and nothing of what may be a secret in it.
pub(crate) fn shown(url: &str, token: &Secret) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let rest = plain.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit_once('@').map_or(rest, |(_, at)| at)));
    let plain = rest.map_or_else(|| plain.to_owned(), |(scheme, rest)| format!("{scheme}://{rest}"));
    told(&plain, token)
}

/// Whether that is another URL than the one that was configured.
pub(crate) fn leads_elsewhere(configured: Option<&String>, url: &str) -> bool {
    configured.is_some_and(|configured| configured.trim_end_matches('/') != url.trim_end_matches('/'))
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
