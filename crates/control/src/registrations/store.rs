//! Where registrations live.
//!
//! A change is a transaction that first takes the lock of what it changes. The lock is held until the record is on
//! the topic, so that the records of one id are published in the order in which they were committed, whichever
//! process publishes them.

use std::fmt;

use common::deadletter::v1::Replay;
use common::registration::v1::{Registration, registration::Kind};
use futures_util::future::BoxFuture;
use prost::Message as _;

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database itself.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// What is stored is neither a registration nor a replay.
    #[error("the row {id:?} of the registrations database is corrupt: restore the database")]
    Corrupt {
        /// The row.
        id: String,
        /// Why not.
        source: prost::DecodeError,
    },
}

impl StoreError {
    /// Whether it is somebody else's lock, and no failure.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Database(database::Error::Locked { .. }))
    }
}

/// What a change locks.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// One registration; with an account also, shared, its endpoint, so that it cannot vanish meanwhile.
    One(&'a str),
    /// Everything: no change is under way while this one is.
    All,
}

/// Which registrations a page shows. Ordered by id, in the order of its bytes.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Only ids that begin with this.
    pub prefix: String,
    /// Only of this tenant; empty: of all.
    pub tenant: String,
    /// Only ids behind this; empty: from the beginning.
    pub after: String,
    /// How many at the most.
    pub limit: u32,
}

impl Page {
    /// The first text that is behind everything that begins with the prefix, where there is one.
    pub(super) fn end(&self) -> Option<String> {
        let mut end: Vec<char> = self.prefix.chars().collect();
        while let Some(last) = end.pop() {
            // The characters in their order, over the gap of the surrogates.
            if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
                end.push(next);
                return Some(end.into_iter().collect());
            }
        }
        None
    }
}

/// Ids, each with the bytes of its record on the topic.
pub type Records = Vec<(String, Vec<u8>)>;

/// A database of registrations.
pub trait RegistrationStore: Send + Sync + fmt::Debug {
    /// Brings the schema up to date, under a lock. To be called again until it succeeds.
    fn prepare(&self) -> BoxFuture<'_, Result<(), StoreError>>;
    /// Whether it answers.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;
    /// The committed state of one registration, its secrets sealed.
    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>>;
    /// A page, its secrets sealed.
    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Registration>, StoreError>>;
    /// The committed revision of every registration.
    fn revisions(&self) -> BoxFuture<'_, Result<Vec<(String, u64)>, StoreError>>;
    /// Begins a change: waits for the lock. Dropped without commit, nothing is changed.
    fn begin<'a>(&'a self, scope: Scope<'a>) -> BoxFuture<'a, Result<Box<dyn Change>, StoreError>>;
    /// Writes a replay of dead letters, new or changed. It is no registration: no lock, and nothing of it is published.
    fn put_replay<'a>(&'a self, replay: &'a Replay) -> BoxFuture<'a, Result<(), StoreError>>;
    /// The last replays, the newest first.
    fn replays(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Replay>, StoreError>>;
    /// How many replays there were, and how many letters they sent.
    fn replayed(&self) -> BoxFuture<'_, Result<(u64, u64), StoreError>>;
    /// Closes its connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A transaction that holds its lock.
pub trait Change: Send {
    /// The state of a registration, its secrets sealed.
    fn get<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>>;
    /// All of them, as their records on the topic have to be.
    fn all(&mut self) -> BoxFuture<'_, Result<Records, StoreError>>;
    /// Whether an endpoint has accounts.
    fn has_accounts<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// The tenant that an endpoint of that name was first registered for, also when it is no longer there.
    fn first_tenant<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
    /// Writes a registration, new or changed.
    fn put<'a>(&'a mut self, registration: &'a Registration) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Removes a registration.
    fn remove<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Makes it so. After an error the outcome is unknown: ask again.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>>;
}

/// The columns of a registration.
pub(super) struct Row<'a> {
    pub(super) id: &'a str,
    pub(super) endpoint: &'a str,
    pub(super) is_account: bool,
    pub(super) tenant: &'a str,
    pub(super) revision: i64,
    pub(super) record: Vec<u8>,
}

impl<'a> Row<'a> {
    pub(super) fn of(registration: &'a Registration) -> Self {
        let (endpoint, is_account) = match &registration.kind {
            Some(Kind::Account(account)) => (account.endpoint.as_str(), true),
            Some(Kind::Endpoint(endpoint)) => (endpoint.name.as_str(), false),
            None => ("", false),
        };
        Self {
            id: &registration.id,
            endpoint,
            is_account,
            tenant: &registration.tenant,
            revision: i64::try_from(registration.revision).unwrap_or(i64::MAX),
            record: registration.encode_to_vec(),
        }
    }
}

pub(super) fn decode(id: &str, record: &[u8]) -> Result<Registration, StoreError> {
    Registration::decode(record).map_err(|source| StoreError::Corrupt { id: id.to_owned(), source })
}

/// The columns of a replay.
pub(super) struct ReplayRow<'a> {
    pub(super) id: &'a str,
    pub(super) started_at: i64,
    pub(super) sent: i64,
    pub(super) record: Vec<u8>,
}

impl<'a> ReplayRow<'a> {
    pub(super) fn of(replay: &'a Replay) -> Self {
        Self {
            id: &replay.id,
            started_at: replay.started_at.as_ref().map_or(0, common::time::to_millis),
            sent: i64::try_from(replay.sent).unwrap_or(i64::MAX),
            record: replay.encode_to_vec(),
        }
    }
}

pub(super) fn decode_replay(id: &str, record: &[u8]) -> Result<Replay, StoreError> {
    Replay::decode(record).map_err(|source| StoreError::Corrupt { id: id.to_owned(), source })
}

/// The endpoint of an account's id.
pub(super) fn endpoint_of(id: &str) -> Option<String> {
    let (endpoint, _) = id.strip_prefix("account/")?.split_once('/')?;
    Some(format!("endpoint/{endpoint}"))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
