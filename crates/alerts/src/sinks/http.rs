//! What those have in common that are told by HTTP.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Request, StatusCode, Uri};
use service::outbound::Reach;
use service::tls::Dial;

use super::NotTaken;

/// Answers are a line or two.
const LARGEST_ANSWER: usize = 64 * 1024;

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
    pub(crate) async fn get(&self, url: &Uri) -> Result<(), NotTaken> {
        let request = Request::get(url).body(bytes::Bytes::new()).map_err(|_| "the URL is not valid".to_owned())?;
        self.ask(request).await
    }

    /// Sends JSON. Whatever is not 2xx is an error; redirects are not followed.
    pub(crate) async fn post(
        &self,
        url: &Uri,
        headers: &[(HeaderName, HeaderValue)],
        body: Vec<u8>,
    ) -> Result<(), NotTaken> {
        let mut request = Request::post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(bytes::Bytes::from(body)).map_err(|_| "the URL is not valid".to_owned())?;
        self.ask(request).await
    }

    async fn ask(&self, request: Request<bytes::Bytes>) -> Result<(), NotTaken> {
        let answer = self.dial.ask(request, LARGEST_ANSWER, &self.reach).await;
        // The chain of causes names the host, and no more of the URL. Whoever was not connected with has nothing.
        let answer = answer.map_err(|error| NotTaken {
            problem: format!("{error:#}"),
            perhaps: error.downcast_ref::<std::io::Error>().is_none(),
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        // What it says beside that may repeat the URL, which is a secret. A gateway may have passed the request on.
        let perhaps = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
        Err(NotTaken { problem: format!("it answered {status}"), perhaps })
    }
}

/// A URL of the settings, which may be a secret.
pub(crate) fn url(text: &str) -> Result<Uri, String> {
    text.parse().map_err(|_| "the URL is not valid".to_owned())
}
