//! A request to an HTTP server of others, over a connection of its own, and what it goes through.

use std::convert::Infallible;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;

use crate::outbound::Reach;
use crate::tls::Dial;

impl Dial {
    /// What a server answers to GET. Redirects are not followed. There is no time limit: whoever asks has one for more
    /// than this.
    ///
    /// # Errors
    /// Nobody answers, not by HTTP/1, or with a body of more than `most` bytes.
    pub async fn get(&self, url: &Uri, most: usize) -> anyhow::Result<Response<Bytes>> {
        self.ask(Request::get(url).body(Bytes::new())?, most, &Reach::Everywhere).await
    }

    /// What a server answers to a request with a whole URL, where it may be reached; as [`get`](Self::get) otherwise.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), and where it may not be reached. None shows more of the URL than its host.
    pub async fn ask(&self, request: Request<Bytes>, most: usize, reach: &Reach) -> anyhow::Result<Response<Bytes>> {
        let (mut head, body) = request.into_parts();
        let url = std::mem::take(&mut head.uri);
        let host = url.host().ok_or_else(|| anyhow!("the URL has no host"))?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        head.uri = url.path_and_query().map_or("/", |path| path.as_str()).parse()?;
        head.headers.insert(HOST, HeaderValue::from_str(&host)?);
        head.headers.insert(USER_AGENT, HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))));
        let request = Request::from_parts(head, Full::new(body));
        // TLS where the URL says so.
        let connected = self.connect_http1(&url, reach).await;
        let stream = connected.with_context(|| format!("cannot connect to {host}"))?;
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
