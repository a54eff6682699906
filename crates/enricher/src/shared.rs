//! What the pipeline, the writer and its uploads have in common.

use bus::Bus;
use service::HopCounts;
use stage::Outbox;

use crate::health::Checks;
use crate::steps::Steps;

/// What all parts work with.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) bus: Bus,
    pub(crate) outbox: Outbox,
    pub(crate) steps: Steps,
    pub(crate) checks: Checks,
    pub(crate) counts: HopCounts,
}
