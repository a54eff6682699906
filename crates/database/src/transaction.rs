//! A change: a transaction that holds its locks.

use std::time::Duration;

use sqlx::{Postgres, Sqlite};

use crate::statement::{Row, Statement, Value, bind};
use crate::{COMMIT, Error, in_time};

/// What a change locks, by a name. On SQLite every change locks everything.
#[derive(Debug, Clone, Copy)]
pub struct Lock<'a> {
    pub(crate) name: &'a str,
    pub(crate) shared: bool,
}

impl<'a> Lock<'a> {
    /// Nobody else has it meanwhile.
    pub const fn alone(name: &'a str) -> Self {
        Self { name, shared: false }
    }

    /// Others may share it, and nobody has it alone.
    pub const fn shared(name: &'a str) -> Self {
        Self { name, shared: true }
    }
}

/// A change that is under way. Dropped without commit, nothing is changed.
#[derive(Debug)]
pub struct Transaction {
    name: &'static str,
    limit: Duration,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    pub(crate) fn sqlite(name: &'static str, limit: Duration, inner: sqlx::Transaction<'static, Sqlite>) -> Self {
        Self { name, limit, inner: Inner::Sqlite(inner) }
    }

    pub(crate) fn postgres(name: &'static str, limit: Duration, inner: sqlx::Transaction<'static, Postgres>) -> Self {
        Self { name, limit, inner: Inner::Postgres(inner) }
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn all(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let (name, doing, limit) = (self.name, statement.doing, statement.limit(self.limit));
        match &mut self.inner {
            Inner::Sqlite(inner) => {
                let rows = in_time(name, doing, limit, bind(statement.sqlite, values).fetch_all(&mut **inner)).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Inner::Postgres(inner) => {
                let rows =
                    in_time(name, doing, limit, bind(statement.postgres, values).fetch_all(&mut **inner)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The one row of a statement, if there is one.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn one(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<Option<Row>, Error> {
        Ok(self.all(statement, values).await?.into_iter().next())
    }

    /// Changes something.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn run(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<(), Error> {
        self.all(statement, values).await.map(drop)
    }

    /// Makes it so.
    ///
    /// # Errors
    /// When the database failed; the outcome is unknown then: ask again.
    pub async fn commit(self) -> Result<(), Error> {
        let (name, doing) = (self.name, "committing a change");
        match self.inner {
            Inner::Sqlite(inner) => in_time(name, doing, self.limit, inner.commit()).await,
            Inner::Postgres(inner) => in_time(name, doing, COMMIT, inner.commit()).await,
        }
    }
}
