//! Any sender that signs by the Standard Webhooks specification (<https://www.standardwebhooks.com>).
//!
//! The symmetric scheme `v1` is verified; signatures of other versions, such as the asymmetric `v1a`, are
//! skipped, as the specification asks. What a message means is known to its sender only, so it makes no
//! activity: map it to `weir.activity.v1.Activity` in a service of your own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use common::activity::v1::{Activity, Object, Verb};
use common::event::Event as _;
use common::json::{self, Value};
use common::standard_webhooks::v1::Message;
use common::{identity::Id, raw::v1::Delivery};
use http::HeaderMap;
use secrecy::ExposeSecret as _;

use crate::draft::Frame;
use crate::kind::{Kind, Time};
use crate::signature::{self, Algorithm, Encoding};
use crate::{
    Descriptor, Draft, Item, Parsed, Reason, SecretProblem, Secrets, Source, Tenants, Traits, VerifyError, body,
    secrets,
};

const PLATFORM: &str = "standard_webhooks";
const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Before the Base64 of a symmetric secret, and of the halves of an asymmetric one.
const SYMMETRIC: &str = "whsec_";
const SIGNING_HALF: &str = "whsk_";
const PUBLIC_HALF: &str = "whpk_";

/// Base64 as secrets are written: with padding or without. Senders' libraries differ in whether they look at the last
/// bits, which mean nothing.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How far the sender's clock may be from ours, in seconds, before and after.
const TOLERANCE: u64 = 5 * 60;
/// The longest id that is taken, in bytes: it becomes a part of records.
const MAX_ID: usize = 256;
/// How many signatures of our version a header may hold: a sender has one for each secret that it rotates.
const MAX_SIGNATURES: usize = 16;

static DESCRIPTOR: Descriptor = Descriptor {
    name: PLATFORM,
    about: "any sender that follows the specification",
    platforms: &[PLATFORM],
    // The specification asks senders to wait 15 to 30 s, to try again for days, and to send less than 20 kB;
    // not all keep to the last.
    traits: Traits { answer_within: Duration::from_secs(12), retries: true, max_body: 1 << 20 },
    handshake: false,
    signature: SIGNATURE,
    sample_signature: "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    kept_headers: &[ID, TIMESTAMP, "content-type", "user-agent"],
    setup: "Give the sender this URL; its signing secret is the one you registered.",
    sample_headers: |name| vec![(ID, format!("msg_2x7Kq0_{name}")), (TIMESTAMP, "1767616201".to_owned())],
};

/// Any sender that signs by the Standard Webhooks specification.
#[derive(Debug, Clone, Copy)]
pub struct StandardWebhooks;

impl Source for StandardWebhooks {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn check_secret(&self, secret: &str) -> Result<(), SecretProblem> {
        secrets::check_text(secret)?;
        let inner = secrets::trimmed(secret);
        if inner.find(SYMMETRIC).is_some_and(|at| at > 0) {
            return Err(SecretProblem::Prefixed);
        }
        keys(secret).map(drop)
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &Secrets<'_>,
        now: SystemTime,
    ) -> Result<&'static str, VerifyError> {
        if secrets.active.is_empty() {
            return Err(VerifyError::NoSecret);
        }
        let id = signature::header(headers, ID)?;
        if id.is_empty() || id.len() > MAX_ID {
            return Err(VerifyError::Malformed(ID));
        }
        let timestamp = signature::header(headers, TIMESTAMP)?;
        let sent_at = seconds(timestamp).ok_or(VerifyError::Malformed(TIMESTAMP))?;
        let digests = digests(signature::header(headers, SIGNATURE)?).ok_or(VerifyError::Malformed(SIGNATURE))?;

        let keys: Vec<_> =
            secrets.active.iter().filter_map(|secret| keys(secret.expose_secret()).ok()).flatten().collect();
        // The timestamp is believed only once it is known to be signed.
        signature::verify_digests(
            Algorithm::Sha256,
            keys.iter().map(Vec::as_slice),
            &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body],
            &digests,
        )?;
        // A clock before 1970 is no clock: then nothing is within the tolerance.
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if now.abs_diff(sent_at) > TOLERANCE {
            return Err(VerifyError::Stale);
        }
        Ok("standard-webhooks-v1")
    }

    fn topics(&self) -> Vec<&'static str> {
        vec![Message::TOPIC]
    }

    fn parse(&self, delivery: &Delivery, tenants: &dyn Tenants) -> Parsed {
        let (value, sent) = match body::value_as_sent(&delivery.body) {
            Ok(read) => read,
            Err(unreadable) => return unreadable.refuse(&delivery.body),
        };
        let Some(id) = body::kept_header(delivery, ID) else {
            let message = format!("the header {ID} is missing: the message has no identity");
            return Parsed::refused(Reason::MissingHeader, message, &delivery.body);
        };
        let attempt = body::kept_header(delivery, TIMESTAMP).map(Value::from);
        let draft = Draft {
            platform: PLATFORM,
            // The id is signed and names one message, whatever attempt this is.
            id: Id::of(PLATFORM, &delivery.tenant, &[delivery.endpoint.as_bytes(), id.as_bytes()]),
            index: 0,
            // A sender is one account: the endpoint.
            account_id: String::new(),
            subject: id.to_owned(),
            time: value.as_object().map_or_else(Time::default, Message::time).reported(attempt.as_ref()),
            sent,
            frame: Frame::default(),
        };
        let mut message = match value {
            Value::Object(object) => json::read_event(object, ""),
            other => Message { payload: Some(json::canonical(&other)), ..Message::default() },
        };
        id.clone_into(&mut message.message_id);
        Parsed { items: vec![Item::Event(draft.typed(delivery, tenants, message))] }
    }
}

/// Only the sender knows what its types mean.
impl Kind for Message {
    /// Where the payload is of the recommended shape. The timestamp of the header is that of an attempt, not of what
    /// happened.
    fn time(sent: &json::Object) -> Time {
        Time::of([sent.get("timestamp")])
    }

    fn activities(&self) -> Vec<Activity> {
        let object = Object { r#type: "message".to_owned(), id: self.message_id.clone(), ..Object::default() };
        vec![Activity {
            verb: Verb::Other.into(),
            action: self.r#type.clone().unwrap_or_else(|| "message".to_owned()),
            object: Some(object),
            ..Activity::default()
        }]
    }
}

/// Seconds since 1970, in digits only.
fn seconds(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The digests of our version among the signatures, which may be none. `None` where the header cannot be read.
fn digests(header: &str) -> Option<Vec<Vec<u8>>> {
    let mut digests = Vec::new();
    for signature in header.split_ascii_whitespace() {
        let (version, text) = signature.split_once(',')?;
        if version == "v1" {
            digests.push(signature::decode(Algorithm::Sha256, Encoding::Base64, text)?);
        }
    }
    let read = !header.trim_ascii().is_empty() && digests.len() <= MAX_SIGNATURES;
    read.then_some(digests)
}

/// The keys that a secret stands for. Behind `whsec_` is Base64. Without it the libraries of the specification take
/// Base64 too, and other senders the text itself: it is both, and the signature says which.
fn keys(secret: &str) -> Result<Vec<Vec<u8>>, SecretProblem> {
    let inner = secrets::trimmed(secret);
    if inner.starts_with(SIGNING_HALF) {
        return Err(SecretProblem::SigningHalf);
    }
    if inner.starts_with(PUBLIC_HALF) {
        return Err(SecretProblem::PublicHalf);
    }
    if let Some(text) = inner.strip_prefix(SYMMETRIC) {
        return decode(text).map(|key| vec![key]).ok_or(SecretProblem::NotBase64);
    }
    let mut keys: Vec<_> = secrets::texts(secret).map(|text| text.as_bytes().to_vec()).collect();
    keys.extend(decode(inner));
    Ok(keys)
}

/// Base64 in the standard or the URL-safe alphabet; `None` where it is neither, or there is nothing.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('-', "+").replace('_', "/");
    LENIENT.decode(text).ok().filter(|key| !key.is_empty())
}

#[cfg(test)]
#[path = "standard_webhooks_tests.rs"]
mod tests;
