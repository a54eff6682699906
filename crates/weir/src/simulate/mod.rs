//! Traffic as the platforms send it, and what it means.
//!
//! * [`config`]: what to generate; [`endpoints`]: where it goes, with which secrets
//! * [`generator`]: an endless iterator over deliveries, the same for the same configuration
//! * [`delivery`]: one delivery, and how its platform signs it
//! * [`meaning`]: what should come out of Weir; [`key`] finds the same in what does come out
//! * [`sender`]: posts deliveries as fast as asked, and retries as the platforms do
//! * [`oracle`]: writes down what was acknowledged, and what it means
//! * [`latency`]: how long answers took
//!
//! The worlds of the platforms: pages with their posts and what people make of them, Instagram,
//! repositories of GitHub, and an invoicing service that signs by Standard Webhooks.

pub mod config;
pub mod delivery;
pub mod endpoints;
pub mod generator;
pub mod key;
pub mod latency;
pub mod meaning;
pub mod oracle;
pub mod sender;

mod broken;
mod facebook;
mod github;
mod instagram;
mod item;
mod standard;
mod text;
mod world;

pub use config::{Config, Mix};
pub use delivery::{Delivery, Signer};
pub use endpoints::Endpoints;
pub use generator::Generator;
pub use meaning::{Expected, ExpectedActivity, Fate, Meaning};
