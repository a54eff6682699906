//! GitHub's webhooks: one event in each delivery.
//!
//! * `delivery`: form or JSON, whose it is
//! * `frame`: what all activities of a delivery say, whatever its kind
//! * `kinds`: each kind of event: its message, what it is about, when it happened, what it means

use std::time::{Duration, SystemTime};

use common::json::{self, Scan};
use common::{identity::Id, raw::v1::Delivery};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::kind::Time;
use crate::signature::{self, Algorithm, Encoding};
use crate::{Descriptor, Draft, Item, Parsed, Reason, Secrets, Source, Tenants, Traits, VerifyError, body};

mod delivery;
mod frame;
mod kinds;

const PLATFORM: &str = "github";
const SIGNATURE: &str = "x-hub-signature-256";
const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";

static DESCRIPTOR: Descriptor = Descriptor {
    name: PLATFORM,
    about: "webhooks of GitHub",
    platforms: &[PLATFORM],
    // GitHub waits 10 s, never sends again by itself, and does not deliver what is larger than 25 MB.
    traits: Traits { answer_within: Duration::from_secs(8), retries: false, max_body: 25 << 20 },
    handshake: false,
    signature: SIGNATURE,
    sample_signature: "sha256=0000000000000000000000000000000000000000000000000000000000000000",
    kept_headers: &[
        EVENT,
        DELIVERY,
        "x-github-hook-id",
        "x-github-hook-installation-target-id",
        "x-github-hook-installation-target-type",
        "content-type",
        "user-agent",
    ],
    setup: "In the repository: Settings, Webhooks, Add webhook: this URL, content type application/json, the secret.",
    sample_headers: |name| {
        let kind = name.split('.').next().unwrap_or_default();
        vec![(EVENT, kind.to_owned()), (DELIVERY, "5f3f2c10-ea0c-11f0-8d5e-0b6f7a1c2d3e".to_owned())]
    },
};

/// GitHub's webhooks, of repositories, organizations, enterprises and apps.
#[derive(Debug, Clone, Copy)]
pub struct GitHub;

impl Source for GitHub {
    fn descriptor(&self) -> &'static Descriptor {
        &DESCRIPTOR
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &Secrets<'_>,
        _now: SystemTime,
    ) -> Result<&'static str, VerifyError> {
        let form = (Algorithm::Sha256, Encoding::Hex);
        signature::verify_header(headers, SIGNATURE, "sha256=", form, body, secrets.active)?;
        Ok("hub-sha256")
    }

    fn ordering_key(&self, _headers: &HeaderMap, body: &[u8]) -> Option<String> {
        delivery::account_in(&delivery::json(body)?)
    }

    fn topics(&self) -> Vec<&'static str> {
        kinds::KINDS.iter().map(|kind| kind.topic).collect()
    }

    fn scan(&self, body: &[u8]) -> Scan {
        delivery::json(body).map_or_else(|| json::scan(&[]), |json| json::scan(&json))
    }

    fn parse(&self, delivery: &Delivery, tenants: &dyn Tenants) -> Parsed {
        let Some(json) = delivery::json(&delivery.body) else {
            return Parsed::refused(Reason::WrongShape, "the form has no field payload", &delivery.body);
        };
        let (object, sent) = match body::object_as_sent(&json) {
            Ok(read) => read,
            Err(unreadable) => return unreadable.refuse(&delivery.body),
        };
        let (name, guid) = match (body::kept_header(delivery, EVENT), body::kept_header(delivery, DELIVERY)) {
            (Some(name), Some(guid)) => (name, guid),
            // Without its kind nobody can say what it means. Without its id it would get one from its
            // body alone, and two equal events (a ping, a label set twice) would become one.
            (name, _) => {
                let name = if name.is_none() { EVENT } else { DELIVERY };
                let message = format!("the header {name} is missing: check the proxies between GitHub and the door");
                return Parsed::refused(Reason::MissingHeader, message, &delivery.body);
            }
        };
        let hash = Sha256::digest(&delivery.body);
        let account_id = delivery::account_of(&object).unwrap_or_default();
        let kind = kinds::named(name);
        let own = || (!account_id.is_empty()).then(|| account_id.clone());
        let subject = kind.and_then(|kind| (kind.subject)(&object, &account_id)).or_else(own);
        let draft = Draft {
            platform: PLATFORM,
            id: Id::of(PLATFORM, &delivery.tenant, &[guid.as_bytes(), &hash]),
            index: 0,
            subject: subject.unwrap_or_else(|| guid.to_owned()),
            account_id,
            time: kind.map_or_else(Time::default, |kind| (kind.time)(&object)),
            sent,
            frame: frame::frame(&object, name, kind.is_some()),
        };
        let event = match kind {
            Some(kind) => (kind.build)(draft, delivery, tenants, object),
            None => {
                // It has been read as JSON, so it is UTF-8.
                let text = String::from_utf8_lossy(body::unmarked(&json)).into_owned();
                draft.other(delivery, tenants, name, text, String::new())
            }
        };
        Parsed { items: vec![Item::Event(event)] }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
