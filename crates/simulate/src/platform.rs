//! What a platform is to a simulation: who delivers for it, and the world that is told of.

use std::fmt;
use std::sync::Arc;

use fastrand::Rng;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::meaning::Expected;
use crate::signing::{Scheme, SecretForm};
use crate::world::Counter;

/// A platform. Its share of the deliveries is a number of the mix.
#[derive(Debug)]
pub(crate) struct Platform {
    /// Its name in a mix.
    pub(crate) name: &'static str,
    /// Its share where nothing is said.
    pub(crate) share: u32,
    /// Who delivers for it.
    pub(crate) sender: &'static Sender,
}

/// An account, and its tenant.
pub(crate) type Registered = (Arc<str>, Arc<str>);

/// Who delivers: one endpoint, one way to sign, one world that it tells of.
pub struct Sender {
    /// The source that understands it.
    pub source: &'static str,
    /// The name of its endpoint.
    pub endpoint: &'static str,
    /// Whose endpoint that is.
    pub tenant: &'static str,
    /// Whether it sends again what was not acknowledged.
    pub retries: bool,
    /// How it signs.
    pub scheme: Scheme,
    /// Whether its endpoint has a token for the handshake.
    pub(crate) handshake: bool,
    pub(crate) secret: SecretForm,
    pub(crate) agent: &'static str,
    pub(crate) world: fn(&WorldConfig) -> Box<dyn World>,
    /// The accounts of its endpoint that belong to the page of this index, each with its tenant.
    pub(crate) accounts: fn(u32) -> Vec<Registered>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source)
    }
}

impl PartialEq for Sender {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Sender {}

/// What a world is made of: the part of a [configuration](crate::Config) that worlds know.
#[derive(Debug)]
pub(crate) struct WorldConfig {
    pub(crate) seed: u64,
    pub(crate) pages: u32,
    pub(crate) repositories: u32,
    pub(crate) skew: f64,
    pub(crate) mixed: f64,
    /// Whether anything comes again, and has to be remembered for it.
    pub(crate) remembers: bool,
}

/// What happens on the platforms of one sender, and how it is told.
pub(crate) trait World: fmt::Debug + Send {
    /// The next thing on one of its platforms.
    fn next(&mut self, platform: &'static str, at: &mut Moment<'_>) -> DeliveryContent;

    /// Something that was told before, told otherwise; `None`: the same delivery comes again.
    fn again(&mut self, _rng: &mut Rng) -> Option<DeliveryContent> {
        None
    }
}

/// Where a simulation is.
pub(crate) struct Moment<'a> {
    pub(crate) counter: &'a mut Counter,
    pub(crate) rng: &'a mut Rng,
    pub(crate) now_ms: i64,
}

/// What a delivery says, as its world tells it.
#[derive(Debug, Default)]
pub(crate) struct DeliveryContent {
    /// Those of this sender alone.
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) events: Vec<Arc<Expected>>,
}

impl DeliveryContent {
    /// Adds a header of visible ASCII.
    pub(crate) fn header(&mut self, name: &'static str, value: impl TryInto<HeaderValue>) {
        if let Ok(value) = value.try_into() {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }
}
