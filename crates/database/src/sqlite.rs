//! A SQLite file: for one instance.
//!
//! SQLite has one writer at a time, so the transaction is the lock: whoever changes something holds all of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Sqlite};

use crate::{Database, Error, Options, in_time};

/// Before a file is asked for again that somebody else is turning to a write-ahead log.
const PAUSE: Duration = Duration::from_millis(10);

/// A file and its connections.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    pub(crate) readers: SqlitePool,
    /// One connection: a second writer waits for it here, in order, and not in SQLite, by chance.
    pub(crate) writer: SqlitePool,
    lock_timeout: Duration,
}

impl File {
    /// Opens nothing yet: the file is made when it is first needed.
    pub(crate) fn open(path: &Path, options: &Options) -> Self {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was answered survives a power failure.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(options.lock_timeout);
        let pool =
            |connections| SqlitePoolOptions::new().max_connections(connections).acquire_timeout(options.lock_timeout);
        Self {
            path: path.to_owned(),
            readers: pool(options.connections).connect_lazy_with(connect.clone()),
            writer: pool(1).connect_lazy_with(connect),
            lock_timeout: options.lock_timeout,
        }
    }

    pub(crate) async fn begin(&self, database: &Database) -> Result<sqlx::Transaction<'static, Sqlite>, Error> {
        let name = database.name;
        match self.writer.begin_with("BEGIN IMMEDIATE").await {
            // The one connection is with another change all the time.
            Err(sqlx::Error::PoolTimedOut) if self.writer.size() > 0 => Err(Error::Locked { name }),
            other => other.map_err(|source| Error::of(name, "beginning a change", source)),
        }
    }

    /// As [`File::begin`], on a file that may be new. Whoever connects first turns it to a write-ahead log; of two who do
    /// so at once SQLite refuses one there and then, whatever its time limit for locks. So the waiting is done here.
    async fn begin_first(&self, database: &Database) -> Result<sqlx::Transaction<'static, Sqlite>, Error> {
        let start = Instant::now();
        loop {
            match self.begin(database).await {
                Err(Error::Locked { .. }) if start.elapsed() < self.lock_timeout => {
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other,
            }
        }
    }

    pub(crate) async fn migrate(&self, database: &Database) -> Result<(), Error> {
        let name = database.name;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let failed = |source| Error::Folder { name, folder: folder.to_owned(), source };
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        let doing = "migrating the schema";
        let failed = |source| Error::of(name, doing, source);
        let mut transaction = self.begin_first(database).await?;
        let found: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await.map_err(failed)?;
        for (version, step) in database.steps(found)? {
            sqlx::raw_sql(step.sqlite).execute(&mut *transaction).await.map_err(failed)?;
            // A pragma takes no parameters; the number is ours.
            let set = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
            sqlx::raw_sql(set).execute(&mut *transaction).await.map_err(failed)?;
        }
        in_time(name, "committing the schema migration", crate::WHOLE, transaction.commit()).await
    }
}
