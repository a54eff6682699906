//! A delivery, and its signature.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use sha2::Sha256;

use crate::catalogue::index_of;
use crate::endpoints::{Endpoint, Endpoints};
use crate::meaning::Meaning;
use crate::platform::Sender;
use crate::signing::Scheme;

const HUB_SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// One delivery, ready to be signed and sent.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Counts the deliveries of a generator, from 0.
    pub number: u64,
    /// The last part of the URL it goes to.
    pub endpoint: Arc<str>,
    /// How it is signed; what the platform does when it is refused follows from it.
    pub sender: &'static Sender,
    /// Headers that do not depend on the time of sending. The signature is not among them.
    pub headers: HeaderMap,
    /// The body, as signed.
    pub body: Bytes,
    /// What should come out of it.
    pub meaning: Meaning,
    pub(super) signature: Signature,
}

/// What is wrong with a signature on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    Right,
    Wrong,
    Missing,
    Malformed,
}

/// Signs deliveries: holds the keyed states, so that each signature costs its body and no more.
#[derive(Clone)]
pub struct Signer(Vec<Hmac<Sha256>>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// A signer with the secrets of these endpoints.
    pub fn new(endpoints: &Endpoints) -> Self {
        let key = |endpoint: &Endpoint| endpoint.sender.secret.key(endpoint.secret.expose_secret()).unwrap_or_default();
        Self(endpoints.iter().map(|endpoint| keyed(&key(endpoint))).collect())
    }

    /// All headers of a delivery that is sent at `now`.
    pub fn headers(&self, delivery: &Delivery, now: SystemTime) -> HeaderMap {
        let mut headers = delivery.headers.clone();
        let mac = self.0[index_of(delivery.sender)].clone();
        match delivery.sender.scheme {
            Scheme::Hub => hub(&mut headers, mac, delivery),
            Scheme::StandardWebhooks => standard(&mut headers, mac, delivery, now),
        }
        headers
    }
}

fn standard(headers: &mut HeaderMap, mut mac: Hmac<Sha256>, delivery: &Delivery, now: SystemTime) {
    let timestamp = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string();
    let id = headers.get(WEBHOOK_ID).map_or(&[][..], HeaderValue::as_bytes);
    for part in [id, b".", timestamp.as_bytes(), b".", &delivery.body] {
        mac.update(part);
    }
    let mut signature = mac.finalize().into_bytes();
    if delivery.signature == Signature::Wrong {
        signature[0] ^= 1;
    }
    put(headers, WEBHOOK_TIMESTAMP, timestamp);
    match delivery.signature {
        Signature::Missing => {}
        Signature::Malformed => put(headers, WEBHOOK_SIGNATURE, "v1,not base64!".to_owned()),
        _ => put(headers, WEBHOOK_SIGNATURE, format!("v1,{}", BASE64.encode(signature))),
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "an HMAC takes a key of any length")]
    Hmac::new_from_slice(key).expect("an HMAC takes a key of any length")
}

fn hub(headers: &mut HeaderMap, mut mac: Hmac<Sha256>, delivery: &Delivery) {
    mac.update(&delivery.body);
    let mut signature = mac.finalize().into_bytes();
    let text = match delivery.signature {
        Signature::Missing => return,
        Signature::Malformed => "sha256=zz".to_owned(),
        Signature::Wrong => {
            signature[0] ^= 1;
            hub_text(&signature)
        }
        Signature::Right => hub_text(&signature),
    };
    put(headers, HUB_SIGNATURE, text);
}

fn hub_text(signature: &[u8]) -> String {
    format!("sha256={}", hex::encode(signature))
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: String) {
    // All that is put is visible ASCII.
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
