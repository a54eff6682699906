//! The platforms: what each one sends, how it signs, and what it means. Pure: bytes in, messages out.
//!
//! * [`Source`]: what a platform's module can do; [`all`] and [`by_name`] find them
//! * [`descriptor`]: what a source is, as data
//! * [`verification`]: handshakes, secrets, and why a delivery is not believed
//! * [`secrets`]: what a secret stands for, and what is wrong with one that can verify nothing
//! * [`parsed`]: what came out of a delivery: typed events, and what was refused with its reason
//! * [`signature`]: HMAC headers, read strictly and compared in constant time
//! * [`body`]: the checks that every JSON body passes first, a header that was kept, an id as text
//! * [`kind`]: what a kind of event is, declared once with its message, and when an event happened
//! * [`entry`]: a kind in the table of its platform
//! * [`draft`]: builds an event with its context, its bytes and its activities
//! * [`meta`], [`github`], [`standard_webhooks`]: the platforms
//!
//! Nothing here reads a clock, a file or the network, and nothing panics on input.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use bytes::Bytes;
use common::json::{self, Scan};
use common::raw::v1::Delivery;
use http::HeaderMap;

pub mod body;
pub mod descriptor;
pub mod draft;
pub mod entry;
pub mod github;
pub mod kind;
mod members;
pub mod meta;
pub mod parsed;
pub mod secrets;
pub mod signature;
pub mod standard_webhooks;
pub mod tenants;
pub mod verification;

pub use descriptor::{Descriptor, Traits};
pub use draft::Draft;
pub use kind::Kind;
pub use parsed::{Item, ParseRefusal, Parsed, ParsedEvent, Reason};
pub use secrets::SecretProblem;
pub use tenants::Tenants;
pub use verification::{Challenge, Refusal, Secrets, VerifyError};

/// A platform's module. Pure: bytes in, messages out.
pub trait Source: Send + Sync {
    /// What it is.
    fn descriptor(&self) -> &'static Descriptor;
    /// The name that endpoints are registered with; `meta`'s deliveries go to `raw.meta`.
    fn name(&self) -> &'static str {
        self.descriptor().name
    }
    /// The platforms whose events come out: the prefixes `events.<platform>.` of the typed topics and of `other`.
    fn platforms(&self) -> &'static [&'static str] {
        self.descriptor().platforms
    }
    /// What the door has to know about the sender.
    fn traits(&self) -> Traits {
        self.descriptor().traits
    }
    /// Lowercase names of the headers that go into `Delivery.headers`.
    fn kept_headers(&self) -> &'static [&'static str] {
        self.descriptor().kept_headers
    }
    /// Answers a GET on the endpoint, from its raw query string. `None`: this source has no handshake.
    fn handshake(&self, _query: &str, _secrets: &Secrets<'_>) -> Option<Result<Challenge, Refusal>> {
        None
    }
    /// What keeps a secret from verifying anything. Asked wherever one is given, and for those that are stored: what is
    /// taken without a word here must be able to verify.
    fn check_secret(&self, secret: &str) -> Result<(), SecretProblem> {
        secrets::check_text(secret)
    }
    /// The same for the token that a handshake names.
    fn check_verify_token(&self, token: &str) -> Result<(), SecretProblem> {
        secrets::check_text(token)
    }
    /// Whether the sender of these raw bytes knows one of the secrets, told in constant time.
    /// Gives the name of the scheme that fits.
    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &Secrets<'_>,
        now: SystemTime,
    ) -> Result<&'static str, VerifyError>;
    /// The account that the delivery is about, where it can be told cheaply and there is only one.
    /// Called for verified deliveries; says `None` for anything it does not understand.
    fn ordering_key(&self, _headers: &HeaderMap, _body: &[u8]) -> Option<String> {
        None
    }
    /// The topics of the kinds that have a message of their own.
    fn topics(&self) -> Vec<&'static str> {
        Vec::new()
    }
    /// Everything that is in a delivery, in its order.
    fn parse(&self, delivery: &Delivery, tenants: &dyn Tenants) -> Parsed;
    /// What is in a body, counted before anything of it is built. Overridden where a delivery has several items: each
    /// becomes a record of its own, which takes far more memory than its values.
    fn scan(&self, body: &[u8]) -> Scan {
        json::scan(body)
    }
    /// The bytes of items of a delivery as they came, by their positions: the body, or one item of it in its envelope.
    /// Overridden where a delivery has several items: the dead letter of one keeps and shows that one.
    fn sent(&self, delivery: &Delivery, positions: &BTreeSet<u32>) -> BTreeMap<u32, Bytes> {
        positions.iter().map(|position| (*position, delivery.body.clone())).collect()
    }
}

/// Every source there is, in the order of tables and of help: a new one is the last.
pub fn all() -> &'static [&'static dyn Source] {
    &[&meta::Meta, &github::GitHub, &standard_webhooks::StandardWebhooks]
}

/// The names of all sources.
pub fn names() -> Vec<&'static str> {
    all().iter().map(|source| source.name()).collect()
}

/// The source of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    all().iter().copied().find(|source| source.name() == name)
}

#[cfg(test)]
#[path = "lib_tests.rs"]
mod tests;
