//! Registrations in a database.
//!
//! What is locked has a name, because a row that is not there yet cannot be locked: one for everything (shared by each
//! change, alone for a reconciliation), one for each id, shared for the endpoint of an account. On PostgreSQL the row itself
//! is locked as well, against whoever changes it by other means.

use common::deadletter::v1::Replay;
use common::registration::v1::Registration;
use database::{Database, Lock, Options, Transaction};
use futures_util::future::BoxFuture;

use super::sql;
use super::store::{self, Change, Page, Records, RegistrationStore, ReplayRow, Row, Scope, StoreError};

/// The lock of everything; that of the schema too.
const EVERYTHING: &str = "weir registrations";

/// A database of registrations.
#[derive(Debug)]
pub struct Stored(Database);

impl Stored {
    /// Opens what is local; connects when it is first needed.
    ///
    /// # Errors
    /// When a file of the settings cannot be read; the message names the setting.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        Ok(Self(Database::open(options, sql::MIGRATIONS)?))
    }

    async fn change(&self, scope: Scope<'_>) -> Result<StoredChange, StoreError> {
        // Always in this order, so that no two changes wait for each other.
        let Scope::One(id) = scope else {
            return Ok(StoredChange { transaction: self.0.begin(&[Lock::alone(EVERYTHING)]).await?, locked: None });
        };
        let endpoint = store::endpoint_of(id);
        let mut locks = vec![Lock::shared(EVERYTHING)];
        locks.extend(endpoint.as_deref().map(Lock::shared));
        locks.push(Lock::alone(id));
        Ok(StoredChange { transaction: self.0.begin(&locks).await?, locked: Some(id.to_owned()) })
    }
}

impl RegistrationStore for Stored {
    fn prepare(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(self.0.migrate().await?) })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(self.0.ping().await?) })
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let row = self.0.one(&sql::GET, &[id.into()]).await?;
            row.map(|row| store::decode(id, &row.bytes(0)?)).transpose()
        })
    }

    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Registration>, StoreError>> {
        Box::pin(async move {
            let (prefix, after, tenant) = (page.prefix.as_str(), page.after.as_str(), page.tenant.as_str());
            let end = page.end();
            let limit = i64::from(page.limit);
            let values = [prefix.into(), after.into(), end.as_deref().into(), tenant.into(), limit.into()];
            let rows = self.0.all(&sql::LIST, &values).await?;
            rows.iter().map(|row| store::decode(&row.text(0)?, &row.bytes(1)?)).collect()
        })
    }

    fn revisions(&self) -> BoxFuture<'_, Result<Vec<(String, u64)>, StoreError>> {
        Box::pin(async {
            let rows = self.0.all(&sql::REVISIONS, &[]).await?;
            rows.iter().map(|row| Ok((row.text(0)?, row.integer(1)?.unsigned_abs()))).collect()
        })
    }

    fn begin<'a>(&'a self, scope: Scope<'a>) -> BoxFuture<'a, Result<Box<dyn Change>, StoreError>> {
        Box::pin(async move { Ok(Box::new(self.change(scope).await?) as Box<dyn Change>) })
    }

    fn put_replay<'a>(&'a self, replay: &'a Replay) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let row = ReplayRow::of(replay);
            let values = [row.id.into(), row.started_at.into(), row.sent.into(), row.record.as_slice().into()];
            Ok(self.0.run(&sql::PUT_REPLAY, &values).await?)
        })
    }

    fn replays(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Replay>, StoreError>> {
        Box::pin(async move {
            let rows = self.0.all(&sql::REPLAYS, &[i64::from(limit).into()]).await?;
            rows.iter().map(|row| store::decode_replay(&row.text(0)?, &row.bytes(1)?)).collect()
        })
    }

    fn replayed(&self) -> BoxFuture<'_, Result<(u64, u64), StoreError>> {
        Box::pin(async {
            let Some(row) = self.0.one(&sql::REPLAYED, &[]).await? else { return Ok((0, 0)) };
            Ok((row.integer(0)?.unsigned_abs(), row.integer(1)?.unsigned_abs()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.close())
    }
}

struct StoredChange {
    transaction: Transaction,
    /// The one whose row is taken for this change; any other is only held as it is.
    locked: Option<String>,
}

impl Change for StoredChange {
    fn get<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let statement = if self.locked.as_deref() == Some(id) { sql::GET_FOR_UPDATE } else { sql::GET_FOR_SHARE };
            let row = self.transaction.one(&statement, &[id.into()]).await?;
            row.map(|row| store::decode(id, &row.bytes(0)?)).transpose()
        })
    }

    fn all(&mut self) -> BoxFuture<'_, Result<Records, StoreError>> {
        Box::pin(async {
            let rows = self.transaction.all(&sql::ALL, &[]).await?;
            rows.iter().map(|row| Ok((row.text(0)?, row.bytes(1)?))).collect()
        })
    }

    fn has_accounts<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let row = self.transaction.one(&sql::HAS_ACCOUNTS, &[endpoint.into()]).await?;
            Ok(row.map(|row| row.flag(0)).transpose()?.unwrap_or(false))
        })
    }

    fn first_tenant<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let row = self.transaction.one(&sql::FIRST_TENANT, &[endpoint.into()]).await?;
            Ok(row.map(|row| row.text(0)).transpose()?)
        })
    }

    fn put<'a>(&'a mut self, registration: &'a Registration) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let row = Row::of(registration);
            let (id, endpoint, tenant) = (row.id.into(), row.endpoint.into(), row.tenant.into());
            let (is_account, revision, record) =
                (row.is_account.into(), row.revision.into(), row.record.as_slice().into());
            self.transaction.run(&sql::PUT, &[id, endpoint, is_account, tenant, revision, record]).await?;
            if !row.is_account {
                self.transaction.run(&sql::PUT_TENANT, &[endpoint, tenant]).await?;
            }
            Ok(())
        })
    }

    fn remove<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { Ok(self.transaction.run(&sql::REMOVE, &[id.into()]).await?) })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async move { Ok(self.transaction.commit().await?) })
    }
}
