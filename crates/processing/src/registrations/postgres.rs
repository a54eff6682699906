//! Registrations in PostgreSQL: for several instances.
//!
//! Advisory locks of the transaction stand for what is locked, because a row that is not there yet cannot be: one for
//! everything (shared by each change, alone for a reconciliation), one for each id, shared for the endpoint of an
//! account. They end with the transaction, also when the process or the connection dies. The row itself is locked as
//! well, against whoever changes it by other means.

use std::time::Duration;

use common::deadletter::v1::Replay;
use common::registration::v1::Registration;
use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Postgres, Row as _, Transaction};

use super::sql;
use super::store::{self, Change, Page, Records, RegistrationStore, ReplayRow, Row, Scope, StoreError};

/// The advisory lock of everything.
const EVERYTHING: &str = "weir registrations";

/// A database and its connections.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    lock_timeout: Duration,
    transaction_timeout: Duration,
}

impl PostgresStore {
    /// Connects when it is first needed. A change waits for its lock at most `lock_timeout`, and the server ends a
    /// change that has been silent for `transaction_timeout`, so that a process that stands still holds nobody up.
    pub fn new(
        options: PgConnectOptions,
        connections: u32,
        lock_timeout: Duration,
        transaction_timeout: Duration,
    ) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(lock_timeout)
            .connect_lazy_with(options.application_name("weir-processing"));
        Self { pool, lock_timeout, transaction_timeout }
    }

    async fn transaction(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let doing = "beginning a change";
        let mut transaction = self.pool.begin().await.map_err(StoreError::database(doing))?;
        sqlx::query(
            "SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)",
        )
        .bind(self.lock_timeout.as_millis().to_string())
        .bind(self.transaction_timeout.as_millis().to_string())
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::database(doing))?;
        Ok(transaction)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let doing = "bringing the schema up to date";
        let mut transaction = self.transaction().await?;
        lock(&mut transaction, EVERYTHING, false).await?;
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS weir_registrations_schema (version BIGINT NOT NULL)")
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::database(doing))?;
        let found: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM weir_registrations_schema")
            .fetch_one(&mut *transaction)
            .await
            .map_err(StoreError::database(doing))?;
        let known = i64::try_from(sql::MIGRATIONS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        for (version, migration) in (1_i64..).zip(sql::MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
            sqlx::raw_sql(migration.postgres).execute(&mut *transaction).await.map_err(StoreError::database(doing))?;
            sqlx::query("INSERT INTO weir_registrations_schema (version) VALUES ($1)")
                .bind(version)
                .execute(&mut *transaction)
                .await
                .map_err(StoreError::database(doing))?;
        }
        transaction.commit().await.map_err(StoreError::database("committing the schema"))
    }
}

/// Two names may share a lock by chance: then one waits for the other, and nothing else happens.
async fn lock(transaction: &mut Transaction<'_, Postgres>, name: &str, shared: bool) -> Result<(), StoreError> {
    let mut key = [0; 8];
    key.copy_from_slice(&Sha256::digest(name)[..8]);
    let statement = if shared { "SELECT pg_advisory_xact_lock_shared($1)" } else { "SELECT pg_advisory_xact_lock($1)" };
    sqlx::query(statement)
        .bind(i64::from_be_bytes(key))
        .execute(&mut **transaction)
        .await
        .map_err(StoreError::database("locking a registration"))?;
    Ok(())
}

impl RegistrationStore for PostgresStore {
    fn prepare(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.migrate())
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            sqlx::query("SELECT 1").execute(&self.pool).await.map_err(StoreError::database("asking if it is there"))?;
            Ok(())
        })
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let record: Option<Vec<u8>> = sqlx::query_scalar(sql::GET)
                .bind(id)
                .fetch_optional(&self.pool)
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
                .fetch_all(&self.pool)
                .await
                .map_err(StoreError::database("listing registrations"))?;
            rows.iter().map(|row| store::decode(&row.get::<String, _>(0), row.get(1))).collect()
        })
    }

    fn revisions(&self) -> BoxFuture<'_, Result<Vec<(String, u64)>, StoreError>> {
        Box::pin(async {
            let rows = sqlx::query(sql::REVISIONS)
                .fetch_all(&self.pool)
                .await
                .map_err(StoreError::database("reading the revisions"))?;
            Ok(rows.iter().map(|row| (row.get(0), row.get::<i64, _>(1).unsigned_abs())).collect())
        })
    }

    fn begin<'a>(&'a self, scope: Scope<'a>) -> BoxFuture<'a, Result<Box<dyn Change>, StoreError>> {
        Box::pin(async move {
            let mut transaction = self.transaction().await?;
            let mut locked = None;
            match scope {
                Scope::All => lock(&mut transaction, EVERYTHING, false).await?,
                Scope::One(id) => {
                    // Always in this order, so that no two changes wait for each other.
                    lock(&mut transaction, EVERYTHING, true).await?;
                    if let Some(endpoint) = store::endpoint_of(id) {
                        lock(&mut transaction, &endpoint, true).await?;
                    }
                    lock(&mut transaction, id, false).await?;
                    locked = Some(id.to_owned());
                }
            }
            Ok(Box::new(PostgresChange { transaction, locked }) as Box<dyn Change>)
        })
    }

    fn put_replay<'a>(&'a self, replay: &'a Replay) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let row = ReplayRow::of(replay);
            sqlx::query(sql::PUT_REPLAY)
                .bind(row.id)
                .bind(row.started_at)
                .bind(row.sent)
                .bind(row.record)
                .execute(&self.pool)
                .await
                .map_err(StoreError::database("writing a replay"))?;
            Ok(())
        })
    }

    fn replays(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Replay>, StoreError>> {
        Box::pin(async move {
            let rows = sqlx::query(sql::REPLAYS)
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
                .await
                .map_err(StoreError::database("listing replays"))?;
            rows.iter().map(|row| store::decode_replay(&row.get::<String, _>(0), row.get(1))).collect()
        })
    }

    fn replayed(&self) -> BoxFuture<'_, Result<(u64, u64), StoreError>> {
        Box::pin(async {
            let row = sqlx::query(sql::REPLAYED)
                .fetch_one(&self.pool)
                .await
                .map_err(StoreError::database("counting replays"))?;
            Ok((row.get::<i64, _>(0).unsigned_abs(), row.get::<i64, _>(1).unsigned_abs()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

struct PostgresChange {
    transaction: Transaction<'static, Postgres>,
    /// The one whose row is taken for this change; any other is only held as it is.
    locked: Option<String>,
}

impl Change for PostgresChange {
    fn get<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let statement = if self.locked.as_deref() == Some(id) { sql::GET_FOR_UPDATE } else { sql::GET_FOR_SHARE };
            let record: Option<Vec<u8>> = sqlx::query_scalar(statement)
                .bind(id)
                .fetch_optional(&mut *self.transaction)
                .await
                .map_err(StoreError::database("reading a registration"))?;
            record.map(|record| store::decode(id, &record)).transpose()
        })
    }

    fn all(&mut self) -> BoxFuture<'_, Result<Records, StoreError>> {
        Box::pin(async {
            let rows = sqlx::query(sql::ALL)
                .fetch_all(&mut *self.transaction)
                .await
                .map_err(StoreError::database("reading all registrations"))?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        })
    }

    fn has_accounts<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            sqlx::query_scalar(sql::HAS_ACCOUNTS)
                .bind(endpoint)
                .fetch_one(&mut *self.transaction)
                .await
                .map_err(StoreError::database("looking for accounts"))
        })
    }

    fn first_tenant<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            sqlx::query_scalar(sql::FIRST_TENANT)
                .bind(endpoint)
                .fetch_optional(&mut *self.transaction)
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
                .execute(&mut *self.transaction)
                .await
                .map_err(StoreError::database(doing))?;
            if !row.is_account {
                sqlx::query(sql::PUT_TENANT)
                    .bind(row.endpoint)
                    .bind(row.tenant)
                    .execute(&mut *self.transaction)
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
                .execute(&mut *self.transaction)
                .await
                .map_err(StoreError::database("removing a registration"))?;
            Ok(())
        })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async move { self.transaction.commit().await.map_err(StoreError::database("committing a change")) })
    }
}
