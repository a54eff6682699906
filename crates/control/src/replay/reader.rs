//! How raw deliveries are read, as far as a replay has to know it. The stage that reads them says it.

use std::fmt;

use bus::{Producer, Stored};
use common::registrations::Registrations;

use super::account::ReplayedEvent;

/// The stage that reads raw deliveries.
pub trait ReadsRaw: fmt::Debug + Send + Sync {
    /// Its name in claims and dead letters.
    fn stage(&self) -> &'static str;
    /// What comes of a record when it is read now. Takes as long as that takes: not for the runtime's own threads.
    fn read(&self, stored: &Stored, registrations: &Registrations, producer: &Producer) -> Read;
}

/// What comes of a record.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// The endpoint that accepted it; empty where that cannot be told.
    pub endpoint: String,
    /// What can be read, and written.
    pub events: Vec<ReplayedEvent>,
    /// Items that cannot.
    pub refused: u64,
}
