#![doc = include_str!("../README.md")]

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
