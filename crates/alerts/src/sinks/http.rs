//! What those have in common that are told by HTTP.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Request, Uri};
use service::outbound::Reach;
use service::tls::Dial;

/// Answers are a line or two.
const LARGEST_ANSWER: usize = 64 * 1024;
/// So much of an answer is shown.
const SHOWN: usize = 200;

/// Sends to where it may. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    dial: Dial,
    reach: Reach,
}

impl Http {
    pub(crate) fn new(dial: Dial, reach: Reach) -> Self {
        Self { dial, reach }
    }

    /// Calls a URL, and wants nothing but that it is taken.
    pub(crate) async fn get(&self, url: &Uri) -> Result<(), String> {
        let request = Request::get(url).body(bytes::Bytes::new()).map_err(|_| "the URL is not valid".to_owned())?;
        self.ask(request).await
    }

    /// Sends JSON. Whatever is not 2xx is an error; redirects are not followed.
    pub(crate) async fn post(
        &self,
        url: &Uri,
        headers: &[(HeaderName, HeaderValue)],
        body: Vec<u8>,
    ) -> Result<(), String> {
        let mut request = Request::post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(bytes::Bytes::from(body)).map_err(|_| "the URL is not valid".to_owned())?;
        self.ask(request).await
    }

    async fn ask(&self, request: Request<bytes::Bytes>) -> Result<(), String> {
        let answer = self.dial.ask(request, LARGEST_ANSWER, &self.reach).await;
        // The chain of causes names the host, and no more of the URL.
        let answer = answer.map_err(|error| format!("{error:#}"))?;
        if answer.status().is_success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(answer.body()).chars().take(SHOWN).collect();
        let said = service::escape::word(said.trim());
        Err(format!("it answered {}{}{said}", answer.status(), if said.is_empty() { "" } else { ": " }))
    }
}

/// A URL of the settings, which may be a secret.
pub(crate) fn url(text: &str) -> Result<Uri, String> {
    text.parse().map_err(|_| "the URL is not valid".to_owned())
}
