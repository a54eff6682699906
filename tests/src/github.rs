//! Deliveries as GitHub sends them, and endpoints that take them.

#![expect(clippy::unwrap_used, reason = "a key of HMAC has any length, and the names of headers are right")]

use bytes::Bytes;
use common::registration::v1::registration::Kind;
use common::registration::v1::{Endpoint, PlainSecret, RegisterRequest, Registration};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::Sha256;

/// The header with the signature.
pub const SIGNATURE: &str = "x-hub-signature-256";

/// A delivery.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    /// The name of the endpoint.
    pub endpoint: &'a str,
    /// The endpoint's secret.
    pub secret: &'a str,
    /// What has happened, as "ping".
    pub event: &'a str,
    /// Of which GitHub makes the id of the delivery.
    pub number: u64,
    /// JSON.
    pub body: Bytes,
}

impl Delivery<'_> {
    /// A request with it to the door at this address, "127.0.0.1:8080".
    pub fn to(&self, door: &str) -> Request<Full<Bytes>> {
        Request::post(format!("http://{door}/webhooks/{}", self.endpoint))
            .header("content-type", "application/json")
            .header("x-github-event", self.event)
            .header("x-github-delivery", format!("00000000-0000-0000-0000-{:012}", self.number))
            .header(SIGNATURE, signature(self.secret, &self.body))
            .body(Full::new(self.body.clone()))
            .unwrap()
    }

    /// Sends it over a connection of its own; the status of the answer.
    ///
    /// # Errors
    /// The door cannot be reached or does not answer.
    pub async fn post(&self, door: &str) -> anyhow::Result<u16> {
        Ok(send(self.to(door)).await?.status().as_u16())
    }
}

/// Sends a request over a connection of its own.
///
/// # Errors
/// The door cannot be reached or does not answer.
pub async fn send(request: Request<Full<Bytes>>) -> anyhow::Result<Response<hyper::body::Incoming>> {
    Ok(Client::builder(TokioExecutor::new()).build_http().request(request).await?)
}

/// The value of [`SIGNATURE`].
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// What registers an endpoint with one secret, of GitHub or of another source.
pub fn registration(name: &str, source: &str, tenant: &str, secret: &str) -> RegisterRequest {
    let endpoint = Endpoint { name: name.into(), source: source.into(), ..Endpoint::default() };
    let registration =
        Registration { tenant: tenant.into(), kind: Some(Kind::Endpoint(endpoint)), ..Registration::default() };
    RegisterRequest {
        registration: Some(registration),
        secrets: vec![PlainSecret { value: secret.into(), expires_at: None }],
        ..RegisterRequest::default()
    }
}
