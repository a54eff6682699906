#![doc = include_str!("../README.md")]

mod error;
mod location;
mod postgres;
mod sqlite;
mod statement;
mod transaction;

use std::path::PathBuf;
use std::time::Duration;

pub use error::Error;
pub use location::Location;
use statement::bind;
pub use statement::{Row, Statement, Value};
pub use transaction::{Lock, Transaction};

/// How long a server may take that has nothing to wait for.
const ANSWER: Duration = Duration::from_secs(5);
/// For a commit. One that waits for its replica, which is gone, may wait for ever.
const COMMIT: Duration = Duration::from_secs(5);
/// For what reads or changes everything.
const WHOLE: Duration = Duration::from_secs(120);

/// How to reach a database, and for how long to wait for it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which it is: `registrations`. Settings, tables and locks of it begin with this.
    pub name: &'static str,
    /// Where it is.
    pub location: Location,
    /// A file with the password of the PostgreSQL user; empty: none.
    pub password_file: PathBuf,
    /// Connections at the most.
    pub connections: u32,
    /// For how long a change waits for its lock.
    pub lock_timeout: Duration,
    /// The server ends a change that has been silent for so long: a process that stands still holds nobody up.
    pub silent: Duration,
}

/// One step of a schema. Steps are never changed once released: a new one is added behind the last.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

impl Migration {
    /// A step that both understand alike.
    pub const fn both(statements: &'static str) -> Self {
        Self { sqlite: statements, postgres: statements }
    }
}

/// A database and its connections. Connects when it is first needed.
#[derive(Debug)]
pub struct Database {
    name: &'static str,
    schema: &'static [Migration],
    /// For one statement; it waits for locks too.
    limit: Duration,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Sqlite(sqlite::File),
    Postgres(postgres::Server),
}

impl Database {
    /// Opens what is local: a file of the settings that cannot be read is told here.
    ///
    /// # Errors
    /// When the password file cannot be read or the URL cannot be understood; the message names the setting.
    pub fn open(options: Options, schema: &'static [Migration]) -> Result<Self, Error> {
        let (name, limit) = (options.name, options.lock_timeout + ANSWER);
        let backend = match &options.location {
            Location::Sqlite(path) => Backend::Sqlite(sqlite::File::open(path, &options)),
            Location::Postgres(url) => Backend::Postgres(postgres::Server::open(url, &options)?),
        };
        Ok(Self { name, schema, limit, backend })
    }

    /// Brings the schema up to date, under a lock. To be called again until it succeeds.
    ///
    /// # Errors
    /// When the database failed or has a newer schema.
    pub async fn migrate(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Sqlite(file) => file.migrate(self).await,
            Backend::Postgres(server) => server.migrate(self).await,
        }
    }

    /// Whether it answers, and takes changes.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        const PING: Statement = Statement::new("checking that it is available", "SELECT 1");
        match &self.backend {
            Backend::Sqlite(_) => self.one(&PING, &[]).await.map(drop),
            Backend::Postgres(server) => server.ping(self).await,
        }
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn all(&self, statement: &Statement, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        match &self.backend {
            Backend::Sqlite(file) => {
                let rows = bind(statement.sqlite, values).fetch_all(&file.readers);
                Ok(self.answered(statement, rows).await?.into_iter().map(Row::Sqlite).collect())
            }
            Backend::Postgres(server) => {
                let rows = bind(statement.postgres, values).fetch_all(&server.pool);
                Ok(self.answered(statement, rows).await?.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The one row of a statement, if there is one.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn one(&self, statement: &Statement, values: &[Value<'_>]) -> Result<Option<Row>, Error> {
        match &self.backend {
            Backend::Sqlite(file) => {
                let row = bind(statement.sqlite, values).fetch_optional(&file.readers);
                Ok(self.answered(statement, row).await?.map(Row::Sqlite))
            }
            Backend::Postgres(server) => {
                let row = bind(statement.postgres, values).fetch_optional(&server.pool);
                Ok(self.answered(statement, row).await?.map(Row::Postgres))
            }
        }
    }

    /// Changes something that needs no lock.
    ///
    /// # Errors
    /// When the database failed; the outcome may be unknown then.
    pub async fn run(&self, statement: &Statement, values: &[Value<'_>]) -> Result<(), Error> {
        match &self.backend {
            Backend::Sqlite(file) => {
                let done = bind(statement.sqlite, values).execute(&file.writer);
                self.answered(statement, done).await.map(drop)
            }
            Backend::Postgres(server) => {
                let done = bind(statement.postgres, values).execute(&server.pool);
                self.answered(statement, done).await.map(drop)
            }
        }
    }

    /// Begins a change, and waits for its locks in this order: two changes that take them in one order never wait for
    /// each other. Dropped without commit, nothing is changed.
    ///
    /// # Errors
    /// When the database failed, or somebody else holds a lock for too long.
    pub async fn begin(&self, locks: &[Lock<'_>]) -> Result<Transaction, Error> {
        match &self.backend {
            // SQLite has one writer at a time: whoever changes something holds all of it.
            Backend::Sqlite(file) => Ok(Transaction::sqlite(self.name, self.limit, file.begin(self).await?)),
            Backend::Postgres(server) => {
                let mut transaction = server.begin(self).await?;
                for lock in locks {
                    postgres::lock(self, &mut transaction, lock).await?;
                }
                Ok(Transaction::postgres(self.name, self.limit, transaction))
            }
        }
    }

    /// Closes its connections.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(file) => {
                file.writer.close().await;
                file.readers.close().await;
            }
            Backend::Postgres(server) => server.pool.close().await,
        }
    }

    /// The steps that are missing to a schema, each with the version that it brings.
    fn steps(&self, found: i64) -> Result<impl Iterator<Item = (i64, &'static Migration)>, Error> {
        let known = i64::try_from(self.schema.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(Error::Newer { name: self.name, found, known });
        }
        Ok((1..).zip(self.schema).skip(usize::try_from(found).unwrap_or(0)))
    }

    async fn answered<T>(
        &self,
        statement: &Statement,
        asked: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Error> {
        in_time(self.name, statement.doing, statement.limit(self.limit), asked).await
    }
}

/// What is not answered in time is given up. Its connection is closed, as it does not answer then either.
async fn in_time<T>(
    name: &'static str,
    doing: &'static str,
    limit: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer.map_err(|source| Error::of(name, doing, source)),
        Err(_) => Err(Error::Silent { name, doing, limit }),
    }
}
