//! The platforms that are simulated, and who delivers for them: one line for each.

use crate::platform::{Platform, Sender};
use crate::{github, meta, standard};

/// How many there are.
pub(crate) const COUNT: usize = 4;

/// Every platform.
pub(crate) static PLATFORMS: [Platform; COUNT] = [
    Platform { name: meta::FACEBOOK, share: 55, sender: &meta::SENDER },
    Platform { name: meta::INSTAGRAM, share: 15, sender: &meta::SENDER },
    Platform { name: "github", share: 22, sender: &github::SENDER },
    Platform { name: "standard", share: 8, sender: &standard::SENDER },
];

/// Every sender, each once.
pub static SENDERS: [&Sender; 3] = [&meta::SENDER, &github::SENDER, &standard::SENDER];

/// Where a sender stands among all.
pub(crate) fn index_of(sender: &Sender) -> usize {
    SENDERS.iter().position(|one| *one == sender).unwrap_or(0)
}
