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
use sqlx::{Connection as _, PgConnection, Postgres, Row as _, Transaction};

use super::sql;
use super::store::{self, Change, Page, Records, RegistrationStore, ReplayRow, Row, Scope, StoreError};

/// The advisory lock of everything.
const EVERYTHING: &str = "weir registrations";
const READ_ONLY: &str = "SHOW transaction_read_only";

/// How long a server may take that has nothing to wait for.
const ANSWER: Duration = Duration::from_secs(5);
/// For a commit. One that waits for its replica, which is gone, may wait for ever.
const COMMIT: Duration = Duration::from_secs(5);
/// For what reads or changes everything.
const WHOLE: Duration = Duration::from_secs(120);

/// A database and its connections.
///
/// When another server takes the place of this one the old one may live on: read-only, with the connections that were
/// there, or silent. So a connection is asked each time before it is used whether it takes changes, and given up where
/// it does not; the next one leads to the new server. And nothing is waited for without an end.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    lock_timeout: Duration,
    /// How long the server is waited for; it waits for locks itself.
    limit: Duration,
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
            // It asks more than that, and itself.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(in_time(takes_changes(connection))))
            .after_release(|connection, _| {
                Box::pin(in_time(async {
                    connection.ping().await?;
                    Ok(true)
                }))
            })
            .connect_lazy_with(options.application_name("weir-processing"));
        Self { pool, lock_timeout, limit: lock_timeout + ANSWER, transaction_timeout }
    }

    async fn transaction(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let doing = "beginning a change";
        let mut transaction = answered(doing, self.limit, self.pool.begin()).await?;
        answered(doing, self.limit, sqlx::query(
            "SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)",
        )
        .bind(self.lock_timeout.as_millis().to_string())
        .bind(self.transaction_timeout.as_millis().to_string())
        .execute(&mut *transaction)).await?;
        Ok(transaction)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let doing = "bringing the schema up to date";
        let mut transaction = self.transaction().await?;
        lock(&mut transaction, EVERYTHING, false, self.limit).await?;
        answered(
            doing,
            self.limit,
            sqlx::raw_sql("CREATE TABLE IF NOT EXISTS weir_registrations_schema (version BIGINT NOT NULL)")
                .execute(&mut *transaction),
        )
        .await?;
        let found: i64 = answered(
            doing,
            self.limit,
            sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM weir_registrations_schema")
                .fetch_one(&mut *transaction),
        )
        .await?;
        let known = i64::try_from(sql::MIGRATIONS.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        for (version, migration) in (1_i64..).zip(sql::MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
            answered(doing, WHOLE, sqlx::raw_sql(migration.postgres).execute(&mut *transaction)).await?;
            answered(
                doing,
                self.limit,
                sqlx::query("INSERT INTO weir_registrations_schema (version) VALUES ($1)")
                    .bind(version)
                    .execute(&mut *transaction),
            )
            .await?;
        }
        answered("committing the schema", WHOLE, transaction.commit()).await
    }
}

/// What the server does not answer in time is given up. Its connection is closed, as it does not answer then either.
async fn answered<T>(
    doing: &'static str,
    limit: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer.map_err(StoreError::database(doing)),
        Err(_) => Err(StoreError::Silent { doing, limit }),
    }
}

/// An error closes the connection.
async fn in_time(asked: impl Future<Output = Result<bool, sqlx::Error>>) -> Result<bool, sqlx::Error> {
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWER, asked).await.map_err(late)?
}

/// Not where the server is a standby, or read-only.
async fn takes_changes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let read_only: String = sqlx::query_scalar(READ_ONLY).fetch_one(connection).await?;
    Ok(read_only == "off")
}

/// Two names may share a lock by chance: then one waits for the other, and nothing else happens.
async fn lock(
    transaction: &mut Transaction<'_, Postgres>,
    name: &str,
    shared: bool,
    limit: Duration,
) -> Result<(), StoreError> {
    let mut key = [0; 8];
    key.copy_from_slice(&Sha256::digest(name)[..8]);
    let statement = if shared { "SELECT pg_advisory_xact_lock_shared($1)" } else { "SELECT pg_advisory_xact_lock($1)" };
    answered(
        "locking a registration",
        limit,
        sqlx::query(statement).bind(i64::from_be_bytes(key)).execute(&mut **transaction),
    )
    .await?;
    Ok(())
}

impl RegistrationStore for PostgresStore {
    fn prepare(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.migrate())
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            let doing = "asking if it is there";
            let read_only: String =
                answered(doing, self.limit, sqlx::query_scalar(READ_ONLY).fetch_one(&self.pool)).await?;
            if read_only == "off" { Ok(()) } else { Err(StoreError::ReadOnly { doing }) }
        })
    }

    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let record: Option<Vec<u8>> = answered(
                "reading a registration",
                self.limit,
                sqlx::query_scalar(sql::GET).bind(id).fetch_optional(&self.pool),
            )
            .await?;
            record.map(|record| store::decode(id, &record)).transpose()
        })
    }

    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Registration>, StoreError>> {
        Box::pin(async move {
            let rows = answered(
                "listing registrations",
                self.limit,
                sqlx::query(sql::LIST)
                    .bind(&page.prefix)
                    .bind(&page.after)
                    .bind(page.end())
                    .bind(&page.tenant)
                    .bind(i64::from(page.limit))
                    .fetch_all(&self.pool),
            )
            .await?;
            rows.iter().map(|row| store::decode(&row.get::<String, _>(0), row.get(1))).collect()
        })
    }

    fn revisions(&self) -> BoxFuture<'_, Result<Vec<(String, u64)>, StoreError>> {
        Box::pin(async {
            let rows =
                answered("reading the revisions", WHOLE, sqlx::query(sql::REVISIONS).fetch_all(&self.pool)).await?;
            Ok(rows.iter().map(|row| (row.get(0), row.get::<i64, _>(1).unsigned_abs())).collect())
        })
    }

    fn begin<'a>(&'a self, scope: Scope<'a>) -> BoxFuture<'a, Result<Box<dyn Change>, StoreError>> {
        Box::pin(async move {
            let mut transaction = self.transaction().await?;
            let mut locked = None;
            match scope {
                Scope::All => lock(&mut transaction, EVERYTHING, false, self.limit).await?,
                Scope::One(id) => {
                    // Always in this order, so that no two changes wait for each other.
                    lock(&mut transaction, EVERYTHING, true, self.limit).await?;
                    if let Some(endpoint) = store::endpoint_of(id) {
                        lock(&mut transaction, &endpoint, true, self.limit).await?;
                    }
                    lock(&mut transaction, id, false, self.limit).await?;
                    locked = Some(id.to_owned());
                }
            }
            Ok(Box::new(PostgresChange { limit: self.limit, transaction, locked }) as Box<dyn Change>)
        })
    }

    fn put_replay<'a>(&'a self, replay: &'a Replay) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let row = ReplayRow::of(replay);
            answered(
                "writing a replay",
                self.limit,
                sqlx::query(sql::PUT_REPLAY)
                    .bind(row.id)
                    .bind(row.started_at)
                    .bind(row.sent)
                    .bind(row.record)
                    .execute(&self.pool),
            )
            .await?;
            Ok(())
        })
    }

    fn replays(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Replay>, StoreError>> {
        Box::pin(async move {
            let rows = answered(
                "listing replays",
                self.limit,
                sqlx::query(sql::REPLAYS).bind(i64::from(limit)).fetch_all(&self.pool),
            )
            .await?;
            rows.iter().map(|row| store::decode_replay(&row.get::<String, _>(0), row.get(1))).collect()
        })
    }

    fn replayed(&self) -> BoxFuture<'_, Result<(u64, u64), StoreError>> {
        Box::pin(async {
            let row =
                answered("counting replays", self.limit, sqlx::query(sql::REPLAYED).fetch_one(&self.pool)).await?;
            Ok((row.get::<i64, _>(0).unsigned_abs(), row.get::<i64, _>(1).unsigned_abs()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

struct PostgresChange {
    limit: Duration,
    transaction: Transaction<'static, Postgres>,
    /// The one whose row is taken for this change; any other is only held as it is.
    locked: Option<String>,
}

impl Change for PostgresChange {
    fn get<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        Box::pin(async move {
            let statement = if self.locked.as_deref() == Some(id) { sql::GET_FOR_UPDATE } else { sql::GET_FOR_SHARE };
            let record: Option<Vec<u8>> = answered(
                "reading a registration",
                self.limit,
                sqlx::query_scalar(statement).bind(id).fetch_optional(&mut *self.transaction),
            )
            .await?;
            record.map(|record| store::decode(id, &record)).transpose()
        })
    }

    fn all(&mut self) -> BoxFuture<'_, Result<Records, StoreError>> {
        Box::pin(async {
            let rows =
                answered("reading all registrations", WHOLE, sqlx::query(sql::ALL).fetch_all(&mut *self.transaction))
                    .await?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        })
    }

    fn has_accounts<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            answered(
                "looking for accounts",
                self.limit,
                sqlx::query_scalar(sql::HAS_ACCOUNTS).bind(endpoint).fetch_one(&mut *self.transaction),
            )
            .await
        })
    }

    fn first_tenant<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            answered(
                "reading an endpoint's tenant",
                self.limit,
                sqlx::query_scalar(sql::FIRST_TENANT).bind(endpoint).fetch_optional(&mut *self.transaction),
            )
            .await
        })
    }

    fn put<'a>(&'a mut self, registration: &'a Registration) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let doing = "writing a registration";
            let row = Row::of(registration);
            answered(
                doing,
                self.limit,
                sqlx::query(sql::PUT)
                    .bind(row.id)
                    .bind(row.endpoint)
                    .bind(row.is_account)
                    .bind(row.tenant)
                    .bind(row.revision)
                    .bind(row.record)
                    .execute(&mut *self.transaction),
            )
            .await?;
            if !row.is_account {
                answered(
                    doing,
                    self.limit,
                    sqlx::query(sql::PUT_TENANT).bind(row.endpoint).bind(row.tenant).execute(&mut *self.transaction),
                )
                .await?;
            }
            Ok(())
        })
    }

    fn remove<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            answered(
                "removing a registration",
                self.limit,
                sqlx::query(sql::REMOVE).bind(id).execute(&mut *self.transaction),
            )
            .await?;
            Ok(())
        })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(async move { answered("committing a change", COMMIT, self.transaction.commit()).await })
    }
}
