//! A PostgreSQL server: for several instances.
//!
//! Advisory locks of the transaction stand for what is locked, because a row that is not there yet cannot be. They end
//! with the transaction, also when the process or the connection dies.
//!
//! When another server takes the place of this one the old one may live on: read-only, with the connections that were
//! there, or silent. So a connection is asked each time before it is used whether it takes changes, and given up where
//! it does not; the next one leads to the new server. And nothing is waited for without an end.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres};

use crate::{ANSWER, Database, Error, Lock, Options, WHOLE, in_time};

const READ_ONLY: &str = "SHOW transaction_read_only";

/// A server and its connections.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) pool: PgPool,
    lock_timeout: Duration,
    silent: Duration,
}

impl Server {
    /// Connects when it is first needed.
    pub(crate) fn open(url: &str, options: &Options) -> Result<Self, Error> {
        let name = options.name;
        // The driver's error would show the URL, and with it whatever stands there by mistake.
        let mut connect: PgConnectOptions = url.parse().map_err(|_| Error::Url { name })?;
        let file = &options.password_file;
        if !file.as_os_str().is_empty() {
            let failed = |source| Error::PasswordFile { name, file: file.clone(), source };
            let password = std::fs::read_to_string(file).map_err(failed)?;
            connect = connect.password(password.trim_end_matches(['\r', '\n']));
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(options.lock_timeout)
            // It asks more than that, and itself.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(soon(takes_changes(connection))))
            .after_release(|connection, _| {
                Box::pin(soon(async {
                    connection.ping().await?;
                    Ok(true)
                }))
            })
            .connect_lazy_with(connect.application_name(&format!("weir-{name}")));
        Ok(Self { pool, lock_timeout: options.lock_timeout, silent: options.silent })
    }

    pub(crate) async fn ping(&self, database: &Database) -> Result<(), Error> {
        let (name, doing) = (database.name, "checking that it is available");
        let asked = sqlx::query_scalar(READ_ONLY).fetch_one(&self.pool);
        let read_only: String = in_time(name, doing, database.limit, asked).await?;
        if read_only == "off" { Ok(()) } else { Err(Error::ReadOnly { name, doing }) }
    }

    pub(crate) async fn begin(&self, database: &Database) -> Result<sqlx::Transaction<'static, Postgres>, Error> {
        let (name, doing, limit) = (database.name, "beginning a change", database.limit);
        let mut transaction = in_time(name, doing, limit, self.pool.begin()).await?;
        let set = sqlx::query(
            "SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)",
        )
        .bind(self.lock_timeout.as_millis().to_string())
        .bind(self.silent.as_millis().to_string())
        .execute(&mut *transaction);
        in_time(name, doing, limit, set).await?;
        Ok(transaction)
    }

    pub(crate) async fn migrate(&self, database: &Database) -> Result<(), Error> {
        let (name, doing, limit) = (database.name, "migrating the schema", database.limit);
        let mut transaction = self.begin(database).await?;
        lock(database, &mut transaction, &Lock::alone(&format!("weir {name}"))).await?;
        // The name is a constant of the service.
        let table = format!("weir_{name}_schema");
        let create = AssertSqlSafe(format!("CREATE TABLE IF NOT EXISTS {table} (version BIGINT NOT NULL)"));
        in_time(name, doing, limit, sqlx::raw_sql(create).execute(&mut *transaction)).await?;
        let latest = AssertSqlSafe(format!("SELECT COALESCE(MAX(version), 0) FROM {table}"));
        let found: i64 = in_time(name, doing, limit, sqlx::query_scalar(latest).fetch_one(&mut *transaction)).await?;
        for (version, step) in database.steps(found)? {
            in_time(name, doing, WHOLE, sqlx::raw_sql(step.postgres).execute(&mut *transaction)).await?;
            let note = AssertSqlSafe(format!("INSERT INTO {table} (version) VALUES ($1)"));
            in_time(name, doing, limit, sqlx::query(note).bind(version).execute(&mut *transaction)).await?;
        }
        in_time(name, "committing the schema migration", WHOLE, transaction.commit()).await
    }
}

/// An error closes the connection.
async fn soon(asked: impl Future<Output = Result<bool, sqlx::Error>>) -> Result<bool, sqlx::Error> {
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(ANSWER, asked).await.map_err(late)?
}

/// Not where the server is a standby, or read-only.
async fn takes_changes(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let read_only: String = sqlx::query_scalar(READ_ONLY).fetch_one(connection).await?;
    Ok(read_only == "off")
}

/// Two names may share a lock by chance: then one waits for the other, and nothing else happens.
pub(crate) async fn lock(
    database: &Database,
    transaction: &mut sqlx::Transaction<'_, Postgres>,
    lock: &Lock<'_>,
) -> Result<(), Error> {
    let mut key = [0; 8];
    key.copy_from_slice(&Sha256::digest(lock.name)[..8]);
    let statement =
        if lock.shared { "SELECT pg_advisory_xact_lock_shared($1)" } else { "SELECT pg_advisory_xact_lock($1)" };
    let taken = sqlx::query(statement).bind(i64::from_be_bytes(key)).execute(&mut **transaction);
    in_time(database.name, "waiting for a lock", database.limit, taken).await.map(drop)
}
