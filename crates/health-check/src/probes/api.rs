//! Requests to the HTTP API of a cluster, and of what keeps logs, as whoever the settings say.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use http::{HeaderValue, Method, Request, Response};
use serde::Deserialize;
use service::Secret;
use service::outbound::Reach;
use service::tls::{ClientTlsSettings, Dial};
use url::Url;

/// Where every cluster has its API, and a pod what it needs to ask it.
const HERE: &str = "https://kubernetes.default.svc";
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What is changed, and what is not named stays as it is.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// So much of what an API says against a request is shown.
const SHOWN: usize = 300;

/// Where it is, and who asks.
#[derive(Debug)]
pub(crate) struct Api {
    dial: Dial,
    url: String,
    token_file: Option<PathBuf>,
    password: Option<(String, Secret)>,
    tenant: Option<String>,
}

impl Api {
    /// `section` is where its settings stand.
    pub(crate) fn new(section: &'static str, url: String, ca_file: Option<PathBuf>) -> Self {
        let ca_file = ca_file.unwrap_or_default();
        let dial = Dial::new(section, &ClientTlsSettings { ca_file, ..ClientTlsSettings::default() });
        Self { dial, url, token_file: None, password: None, tenant: None }
    }

    /// That of a cluster; without a URL that in which this process runs, with what its service account has.
    pub(crate) fn of_cluster(
        section: &'static str,
        url: Option<&str>,
        token_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Self {
        let account = |file: Option<&Path>, name: &str| {
            file.map(Path::to_path_buf).or_else(|| url.is_none().then(|| of_account(name)))
        };
        let (token_file, ca_file) = (account(token_file, "token"), account(ca_file, "ca.crt"));
        Self::new(section, url.unwrap_or(HERE).to_owned(), ca_file).with_token(token_file)
    }

    pub(crate) fn with_token(self, token_file: Option<PathBuf>) -> Self {
        Self { token_file, ..self }
    }

    pub(crate) fn with_password(self, user: Option<String>, password: Option<Secret>) -> Self {
        Self { password: user.zip(password), ..self }
    }

    pub(crate) fn with_tenant(self, tenant: Option<String>) -> Self {
        Self { tenant, ..self }
    }

    /// What it answers, whatever that is, of at most so many bytes.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<Response<Bytes>, String> {
        self.ask(Request::builder().method(Method::GET), path, query, Bytes::new(), most).await
    }

    /// What it answers to a change: a JSON merge patch.
    pub(crate) async fn patch(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        change: &serde_json::Value,
        most: usize,
    ) -> Result<Response<Bytes>, String> {
        let request = Request::builder().method(Method::PATCH).header(CONTENT_TYPE, MERGE_PATCH);
        self.ask(request, path, query, Bytes::from(change.to_string()), most).await
    }

    async fn ask(
        &self,
        request: Builder,
        path: &[&str],
        query: &[(&str, &str)],
        body: Bytes,
        most: usize,
    ) -> Result<Response<Bytes>, String> {
        let mut url = Url::parse(&self.url).map_err(|error| format!("the URL is not valid: {error}"))?;
        url.path_segments_mut().map_err(|()| "the URL has no path".to_owned())?.pop_if_empty().extend(path);
        url.query_pairs_mut().extend_pairs(query);
        let mut request = request.uri(url.as_str());
        if let Some(file) = &self.token_file {
            request = request.header(AUTHORIZATION, token(file).await?);
        } else if let Some((user, password)) = &self.password {
            let both = STANDARD.encode(format!("{user}:{}", password.expose()));
            request = request.header(AUTHORIZATION, secret(&format!("Basic {both}"))?);
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("x-scope-orgid", tenant);
        }
        let request = request.body(body).map_err(|error| format!("the request is not valid: {error}"))?;
        // The chain of causes names the host, and no more of the URL.
        self.dial.ask(request, most, &Reach::Everywhere).await.map_err(|error| format!("{error:#}"))
    }
}

/// A file that a pod has of its service account.
pub(crate) fn of_account(name: &str) -> PathBuf {
    Path::new(ACCOUNT).join(name)
}

/// Whoever gives tokens writes a new one into the file before the old one ends.
async fn token(file: &Path) -> Result<HeaderValue, String> {
    let wrong = |problem: String| format!("the token's file {} {problem}", file.display());
    let text = tokio::fs::read_to_string(file).await.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(wrong("is empty".to_owned()));
    }
    secret(&format!("Bearer {text}")).map_err(|_| wrong("holds no token".to_owned()))
}

fn secret(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "the password cannot stand in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// What Kubernetes answers where it does not do what it was asked for.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// What an answer says that is no success, in a line.
pub(crate) fn refusal(answer: &Response<Bytes>) -> String {
    let body = answer.body();
    let said =
        serde_json::from_slice(body).map_or_else(|_| shown(body), |Refusal { message }| shown(message.as_bytes()));
    format!("{}{}{said}", answer.status(), if said.is_empty() { "" } else { ": " })
}

/// The beginning of a text of others, in a line.
pub(crate) fn shown(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text).chars().take(SHOWN).collect();
    service::escape::word(text.trim()).into_owned()
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
