//! Canaries in a stage.

use bus::{Ack, AckOutcome, Canary};
use service::HopCounts;

/// The same ack, which also tells that canaries have passed the stage when all that it holds is durable.
pub fn passes(ack: Ack, counts: &HopCounts, canaries: Vec<Canary>) -> Ack {
    if canaries.is_empty() {
        return ack;
    }
    let counts = counts.clone();
    ack.watched(move |ended| {
        if ended == AckOutcome::Completed {
            canaries.iter().for_each(|canary| counts.canary(&canary.way, canary.sent_at()));
        }
    })
}
