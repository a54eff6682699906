//! Meta: Facebook pages and Messenger, Instagram, and WhatsApp.
//!
//! All three deliver the same envelope, `{object, entry: [{id, time, …}]}`, with what happened in
//! `changes[]`, `messaging[]`, `standby[]` or in the entry itself. The way through the modules:
//!
//! * `handshake`: the GET by which Meta checks that an endpoint is the app's
//! * `account`: whose delivery it is, without parsing all of it
//! * `cut`: one delivery into items, each with what stood around it, as text
//! * `delivery`: items into events, or into refusals of their own; `parser` has what all of these share
//! * `change` and `bundle`: a change of one field, and one of WhatsApp that holds several events
//! * `envelope`: what stood around an item, as its event has it
//! * `sent`: the bytes of an item as they came, of the `texts` that cutting kept
//! * `kinds`: each kind of event: its message, what it is about, when it happened, what it means
//! * `identity` and `time`: which occurrence it is, and when it was

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use common::json::{self, Scan};
use common::raw::v1::Delivery;
use http::HeaderMap;
use serde::Deserialize;

use crate::body;
use crate::signature::{self, Algorithm, Encoding};
use crate::{Challenge, Descriptor, Parsed, Refusal, Secrets, Source, Tenants, Traits, VerifyError};

mod account;
mod bundle;
mod change;
mod cut;
mod delivery;
mod envelope;
mod frame;
mod handshake;
mod identity;
mod kinds;
mod parser;
mod sent;
mod texts;
mod time;

const SIGNATURE: &str = "x-hub-signature-256";

/// The object of a delivery of WhatsApp.
const WHATSAPP: &str = "whatsapp_business_account";

/// What an item of its own takes beside its value, in objects.
const ITEM: u64 = 2;

static DESCRIPTOR: Descriptor = Descriptor {
    name: "meta",
    about: "Facebook, Instagram, WhatsApp",
    platforms: &["facebook", "instagram", "whatsapp"],
    traits: Traits {
        // Messenger wants an answer within 5 seconds, the others say nothing.
        answer_within: Duration::from_secs(4),
        // At once, then less and less often for 36 hours.
        retries: true,
        // 1000 updates in one delivery, each with a comment of 8000 characters, the longest there is.
        max_body: 8 << 20,
    },
    handshake: true,
    signature: SIGNATURE,
    sample_signature: "sha256=0000000000000000000000000000000000000000000000000000000000000000",
    kept_headers: &["content-type", "facebook-api-version"],
    setup: "In the app: Webhooks, Page, Subscribe: this URL and the verify token; then subscribe each page.",
    sample_headers: |_| Vec::new(),
};

/// Whether a delivery can be of WhatsApp.
fn may_be_of_whatsapp(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        object: Option<Cow<'a, str>>,
    }
    match serde_json::from_slice::<Head<'_>>(body::unmarked(body)) {
        Ok(head) => head.object.is_some_and(|object| object == WHATSAPP),
        // What cannot be read here is told where it is read.
        Err(_) => true,
    }
}

/// Facebook, Instagram and WhatsApp.
#[derive(Debug, Clone, Copy)]
pub struct Meta;

impl Source for Meta {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn handshake(&self, query: &str, secrets: &Secrets<'_>) -> Option<Result<Challenge, Refusal>> {
        Some(handshake::answer(query, secrets.verify_token))
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &Secrets<'_>,
        _now: SystemTime,
    ) -> Result<&'static str, VerifyError> {
        let scheme = (Algorithm::Sha256, Encoding::Hex);
        signature::verify_header(headers, SIGNATURE, "sha256=", scheme, body, secrets.active)?;
        Ok("hub-sha256")
    }

    fn ordering_key(&self, _headers: &HeaderMap, body: &[u8]) -> Option<String> {
        account::of_delivery(body)
    }

    fn parse(&self, delivery: &Delivery, tenants: &dyn Tenants) -> Parsed {
        delivery::parse(delivery, tenants)
    }

    fn topics(&self) -> Vec<&'static str> {
        kinds::topics()
    }

    fn scan(&self, body: &[u8]) -> Scan {
        let mut scan = json::scan(body);
        // Entries and items come out each as an event or a letter of its own, with all that stands around them.
        let [_, _, entries, _, items, of_entry, _, of_change] = scan.at_depth;
        // Of WhatsApp, what stands in lists of a value comes out so too, and the value can stand in the entry itself.
        let bundled = if may_be_of_whatsapp(body) { of_entry + of_change } else { 0 };
        scan.objects += (entries + items + bundled).saturating_mul(ITEM);
        scan
    }

    fn sent(&self, delivery: &Delivery, positions: &BTreeSet<u32>) -> BTreeMap<u32, Bytes> {
        sent::items(delivery, positions)
    }
}
