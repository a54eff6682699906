//! What a source is, as data.

use std::time::Duration;

/// What a source is. Its module declares it, and whatever needs a list of sources reads it from [`crate::all`].
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// The name that endpoints are registered with; `meta`'s deliveries go to `raw.meta`.
    pub name: &'static str,
    /// Who delivers, in a few words for people.
    pub about: &'static str,
    /// The platforms whose events come out: the prefixes `events.<platform>.` of the typed topics and of `other`.
    pub platforms: &'static [&'static str],
    /// What the door has to know about the sender.
    pub traits: Traits,
    /// Whether the platform checks an endpoint with a GET. An endpoint then needs a verify token.
    pub handshake: bool,
    /// The lowercase name of the header that holds the signature.
    pub signature: &'static str,
    /// A value of that header which is of the right form and fits no secret. Tests verify it, together with the headers of
    /// a sample.
    pub sample_signature: &'static str,
    /// Lowercase names of the headers that go into `Delivery.headers`.
    pub kept_headers: &'static [&'static str],
    /// What to do at the platform once an endpoint is registered, for people.
    pub setup: &'static str,
    /// The headers without which a delivery cannot be verified or understood, for a sample of this name: `<kind>` or
    /// `<kind>.<what>`, as fixtures are called. The signature is not among them. Tests and the fuzzer send them.
    pub sample_headers: fn(&str) -> Vec<(&'static str, String)>,
}

/// What the door has to know about a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Within which time the sender has to be answered: the platform's deadline less a fifth.
    pub answer_within: Duration,
    /// Whether the platform sends again what was not answered with 2xx. Where it does not, a sender that
    /// is too fast is diverted to the slow lane instead of being refused.
    pub retries: bool,
    /// The largest body that the platform sends, in bytes.
    pub max_body: usize,
}

/// The names of all sources with who delivers, for people: one line.
pub fn list() -> String {
    let named = crate::all().iter().map(|source| {
        let Descriptor { name, about, .. } = source.descriptor();
        format!("{name} ({about})")
    });
    named.collect::<Vec<_>>().join(", ")
}
