//! GitHub's webhooks: one event in each delivery.
//!
//! * `delivery`: headers, form or JSON, whose it is
//! * `kinds`: which message a kind has, and what it is about
//! * `times`: when it happened
//! * `activities`: the same in the one common form

use std::time::{Duration, SystemTime};

use common::json::{self, Scan};
use common::{identity::Id, raw::v1::Delivery};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::signature::{self, Algorithm, Encoding};
use crate::{Challenge, Draft, Item, Parsed, Reason, Refusal, Secrets, Source, Tenants, Traits, VerifyError, body};

mod activities;
mod delivery;
mod kinds;
mod times;

const PLATFORM: &str = "github";
const SIGNATURE: &str = "x-hub-signature-256";
const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";

/// GitHub's webhooks, of repositories, organizations, enterprises and apps.
#[derive(Debug, Clone, Copy)]
pub struct GitHub;

impl Source for GitHub {
    fn name(&self) -> &'static str {
        PLATFORM
    }

    fn platforms(&self) -> &'static [&'static str] {
        &[PLATFORM]
    }

    fn traits(&self) -> Traits {
        // GitHub waits 10 s, never sends again by itself, and does not deliver what is larger than 25 MB.
        Traits { answer_within: Duration::from_secs(8), retries: false, max_body: 25 << 20 }
    }

    fn handshake(&self, _query: &str, _secrets: &Secrets<'_>) -> Option<Result<Challenge, Refusal>> {
        None
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

    fn kept_headers(&self) -> &'static [&'static str] {
        &[
            EVENT,
            DELIVERY,
            "x-github-hook-id",
            "x-github-hook-installation-target-id",
            "x-github-hook-installation-target-type",
            "content-type",
            "user-agent",
        ]
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
        let (kind, guid) = match (delivery::header(delivery, EVENT), delivery::header(delivery, DELIVERY)) {
            (Some(kind), Some(guid)) => (kind, guid),
            // Without its kind nobody can say what it means. Without its id it would get one from its
            // body alone, and two equal events (a ping, a label set twice) would become one.
            (kind, _) => {
                let name = if kind.is_none() { EVENT } else { DELIVERY };
                let message = format!("the header {name} is missing: is something between GitHub and the door?");
                return Parsed::refused(Reason::MissingHeader, message, &delivery.body);
            }
        };
        let hash = Sha256::digest(&delivery.body);
        let account_id = delivery::account_of(&object).unwrap_or_default();
        let draft = Draft {
            platform: PLATFORM,
            id: Id::of(PLATFORM, &delivery.tenant, &[guid.as_bytes(), &hash]),
            index: 0,
            subject: kinds::subject(kind, &account_id, &object).unwrap_or_else(|| guid.to_owned()),
            account_id,
            time: times::of(kind, &object),
            sent,
        };
        let event = match kinds::parse(kind, draft, delivery, tenants, object) {
            Ok(event) => event,
            Err(draft) => {
                // It has been read as JSON, so it is UTF-8.
                let text = String::from_utf8_lossy(body::unmarked(&json)).into_owned();
                draft.other(delivery, tenants, kind, text, String::new())
            }
        };
        Parsed { items: vec![Item::Event(event)] }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
