#![doc = include_str!("../README.md")]

pub mod config;
pub mod delivery;
pub mod endpoints;
pub mod generator;
pub mod key;
pub mod latency;
pub mod meaning;
pub mod oracle;
pub mod platform;
pub mod sender;
pub mod signing;

mod broken;
mod catalogue;
mod facebook;
mod github;
mod instagram;
mod item;
mod meta;
mod standard;
mod text;
mod world;

pub use catalogue::SENDERS;
pub use config::{Config, Mix};
pub use delivery::{Delivery, Signer};
pub use endpoints::Endpoints;
pub use generator::Generator;
pub use meaning::{Expected, ExpectedActivity, Fate, Meaning};
pub use platform::Sender;

/// How many deliveries, and how many of their items, may come again.
const REMEMBERED: usize = 512;

fn push_bounded<T>(queue: &mut std::collections::VecDeque<T>, item: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}
