//! A request to an HTTP server of others, over a connection of its own, and what it goes through.

use std::convert::Infallible;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;

use crate::tls::Dial;

impl Dial {
    /// What a server answers to GET. Redirects are not followed. There is no time limit: whoever asks has one for more
    /// than this.
    ///
    /// # Errors
    /// Nobody answers, not by HTTP/1, or with a body of more than `most` bytes.
    pub async fn get(&self, url: &Uri, most: usize) -> anyhow::Result<Response<Bytes>> {
        let host = url.host().ok_or_else(|| anyhow!("{url} has no host"))?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, &host)
            .header(USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())?;
        // TLS where the URL says so.
        let stream = self.connect_http1(url).await.with_context(|| format!("cannot connect to {host}"))?;
        let (mut sender, connection) = http1::handshake(stream).await?;
        let asking = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            // Body limit.
            let body = Limited::new(body, most).collect().await;
            let body = body.map_err(|error| anyhow!("the body of the answer: {error}"))?;
            anyhow::Ok(Response::from_parts(head, body.to_bytes()))
        };
        let driving = async {
            // Why it ended is told to the request.
            let _ = connection.await;
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            answer = asking => answer,
            never = driving => match never {},
        }
    }
}

#[cfg(test)]
#[path = "http_client_tests.rs"]
mod tests;
