//! Registrations in a SQLite file: for one instance.
//!
//! SQLite has one writer at a time, so the transaction is the lock: whoever changes something holds all of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::deadletter::v1::Replay;
use common::registration::v1::Registration;
use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, Sqlite, Transaction};

use super::sql;
use super::store::{self, Change, Page, Records, RegistrationStore, ReplayRow, Row, Scope, StoreError};

/// A database file and its connections.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    readers: SqlitePool,
    /// One connection: a second writer waits for it here, in order, and not in SQLite, by chance.
    writer: SqlitePool,
}

impl SqliteStore {
    /// Opens nothing yet: the file is made when it is first needed.
    pub fn new(path: &Path, connections: u32, lock_timeout: Duration) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A registration that was answered survives a power failure.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(lock_timeout);
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).acquire_timeout(lock_timeout);
        Self {
            path: path.to_owned(),
            readers: pool(connections).connect_lazy_with(options.clone()),
            writer: pool(1).connect_lazy_with(options),
        }
    }

    async fn begin_writing(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        match self.writer.begin_with("BEGIN IMMEDIATE").await {
            // The one connection is with another change all the time.
            Err(sqlx::Error::PoolTimedOut) if self.writer.size() > 0 => Err(StoreError::Locked),
            other => other.map_err(StoreError::database("beginning a change")),
        }
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            tokio::fs::create_dir_all(folder)
                .await
                .map_err(|source| StoreError::Folder { folder: folder.to_owned(), source })?;
        }
        let mut transaction = self.begin_writing().await?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *transaction)
            .await
            .map_err(StoreError::database("reading the schema's version"))?;
        let known = i64::try_from(sql::MIGRATIONS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        for (version, migration) in (1..).zip(sql::MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
            let doing = "bringing the schema up to date";
            sqlx::raw_sql(migration.sqlite).execute(&mut *transaction).await.map_err(StoreError::database(doing))?;
            // A pragma takes no parameters; the number is ours.
            let set: i64 = version;
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {set}")))
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::database(doing))?;
        }
        transaction.commit().await.map_err(StoreError::database("committing the schema"))
    }
}

impl RegistrationStore for SqliteStore {
    fn prepare(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.migrate())
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            sqlx::query("SELECT 1")
                .execute(&self.readers)
                .await
                .map_err(StoreError::database("asking if it is there"))?;
            Ok(())
        })
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let record: Option<Vec<u8>> = sqlx::query_scalar(sql::GET)
                .bind(id)
                .fetch_optional(&self.readers)
                .await
                .map_err(StoreError::database("reading a registration"))?;
            record.map(|record| store::decode(id, &record)).transpose()
        })
    }

    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Registration>, StoreError>> {
        Box::pin(async move {
            let rows = sqlx::query(sql::LIST)
                .bind(&page.prefix)
                .bind(&page.after)
                .bind(page.end())
                .bind(&page.tenant)
                .bind(i64::from(page.limit))
                .fetch_all(&self.readers)
                .await
                .map_err(StoreError::database("listing registrations"))?;
            rows.iter().map(|row| store::decode(&row.get::<String, _>(0), row.get(1))).collect()
        })
    }

    fn revisions(&self) -> BoxFuture<'_, Result<Vec<(String, u64)>, StoreError>> {
        Box::pin(async {
            let rows = sqlx::query(sql::REVISIONS)
                .fetch_all(&self.readers)
                .await
                .map_err(StoreError::database("reading the revisions"))?;
            Ok(rows.iter().map(|row| (row.get(0), row.get::<i64, _>(1).unsigned_abs())).collect())
        })
    }

    fn begin<'a>(&'a self, _scope: Scope<'a>) -> BoxFuture<'a, Result<Box<dyn Change>, StoreError>> {
        Box::pin(async { Ok(Box::new(SqliteChange(self.begin_writing().await?)) as Box<dyn Change>) })
    }

    fn put_replay<'a>(&'a self, replay: &'a Replay) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let row = ReplayRow::of(replay);
            sqlx::query(sql::PUT_REPLAY)
                .bind(row.id)
                .bind(row.started_at)
                .bind(row.sent)
                .bind(row.record)
                .execute(&self.writer)
                .await
                .map_err(StoreError::database("writing a replay"))?;
            Ok(())
        })
    }

    fn replays(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Replay>, StoreError>> {
        Box::pin(async move {
            let rows = sqlx::query(sql::REPLAYS)
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await
                .map_err(StoreError::database("listing replays"))?;
            rows.iter().map(|row| store::decode_replay(&row.get::<String, _>(0), row.get(1))).collect()
        })
    }

    fn replayed(&self) -> BoxFuture<'_, Result<(u64, u64), StoreError>> {
        Box::pin(async {
            let row = sqlx::query(sql::REPLAYED)
                .fetch_one(&self.readers)
                .await
                .map_err(StoreError::database("counting replays"))?;
            Ok((row.get::<i64, _>(0).unsigned_abs(), row.get::<i64, _>(1).unsigned_abs()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.writer.close().await;
            self.readers.close().await;
        })
    }
}

struct SqliteChange(Transaction<'static, Sqlite>);

impl Change for SqliteChange {
    fn get<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let record: Option<Vec<u8>> = sqlx::query_scalar(sql::GET)
                .bind(id)
                .fetch_optional(&mut *self.0)
                .await
                .map_err(StoreError::database("reading a registration"))?;
            record.map(|record| store::decode(id, &record)).transpose()
        })
    }

    fn all(&mut self) -> BoxFuture<'_, Result<Records, StoreError>> {
        Box::pin(async {
            let rows = sqlx::query(sql::ALL)
                .fetch_all(&mut *self.0)
                .await
                .map_err(StoreError::database("reading all registrations"))?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        })
    }

    fn has_accounts<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            sqlx::query_scalar(sql::HAS_ACCOUNTS)
                .bind(endpoint)
                .fetch_one(&mut *self.0)
                .await
                .map_err(StoreError::database("looking for accounts"))
        })
    }

    fn first_tenant<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            sqlx::query_scalar(sql::FIRST_TENANT)
                .bind(endpoint)
                .fetch_optional(&mut *self.0)
                .await
                .map_err(StoreError::database("reading an endpoint's tenant"))
        })
    }

    fn put<'a>(&'a mut self, registration: &'a Registration) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let doing = "writing a registration";
            let row = Row::of(registration);
            sqlx::query(sql::PUT)
                .bind(row.id)
                .bind(row.endpoint)
                .bind(row.is_account)
                .bind(row.tenant)
                .bind(row.revision)
                .bind(row.record)
                .execute(&mut *self.0)
                .await
                .map_err(StoreError::database(doing))?;
            if !row.is_account {
                sqlx::query(sql::PUT_TENANT)
                    .bind(row.endpoint)
                    .bind(row.tenant)
                    .execute(&mut *self.0)
                    .await
                    .map_err(StoreError::database(doing))?;
            }
            Ok(())
        })
    }

    fn remove<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            sqlx::query(sql::REMOVE)
                .bind(id)
                .execute(&mut *self.0)
                .await
                .map_err(StoreError::database("removing a registration"))?;
            Ok(())
        })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async move { self.0.commit().await.map_err(StoreError::database("committing a change")) })
    }
}
