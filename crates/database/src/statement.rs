//! What is asked of a database, and what comes back.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::query::Query;
use sqlx::sqlite::SqliteRow;
use sqlx::{Encode, Row as _, Type};

use crate::{Error, WHOLE};

/// A statement, with `$1`, `$2`, … for its values.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// What it does, for the error: `reading a registration`.
    pub(crate) doing: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
    whole: bool,
}

impl Statement {
    /// One that SQLite and PostgreSQL understand alike.
    pub const fn new(doing: &'static str, text: &'static str) -> Self {
        Self { doing, sqlite: text, postgres: text, whole: false }
    }

    /// What PostgreSQL is asked instead.
    #[must_use]
    pub const fn on_postgres(self, text: &'static str) -> Self {
        Self { postgres: text, ..self }
    }

    /// It reads or changes everything, and may take as long as that takes.
    #[must_use]
    pub const fn whole(self) -> Self {
        Self { whole: true, ..self }
    }

    pub(crate) fn limit(&self, limit: Duration) -> Duration {
        if self.whole { WHOLE } else { limit }
    }
}

/// A value of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A text, or none.
    MaybeText(Option<&'a str>),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Flag(bool),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::MaybeText(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// A statement with its values.
pub(crate) fn bind<DB: sqlx::Database>(text: &'static str, values: &[Value<'_>]) -> Query<'static, DB, DB::Arguments>
where
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> Option<&'t str>: Encode<'t, DB> + Type<DB>,
    for<'t> &'t [u8]: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
    for<'t> bool: Encode<'t, DB> + Type<DB>,
{
    values.iter().fold(sqlx::query(text), |query, value| match *value {
        Value::Text(text) => query.bind(text),
        Value::MaybeText(text) => query.bind(text),
        Value::Integer(number) => query.bind(number),
        Value::Flag(flag) => query.bind(flag),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

/// A row of an answer. Its columns are read by their positions, from 0.
#[derive(Debug)]
pub enum Row {
    /// Of SQLite.
    #[doc(hidden)]
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    #[doc(hidden)]
    Postgres(PgRow),
}

macro_rules! column {
    ($(#[$doc:meta])* $name:ident -> $kind:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// When the column is another one.
        pub fn $name(&self, index: usize) -> Result<$kind, Error> {
            let value = match self {
                Self::Sqlite(row) => row.try_get::<$kind, _>(index),
                Self::Postgres(row) => row.try_get::<$kind, _>(index),
            };
            value.map_err(|source| Error::Failed { name: "opened", doing: "reading a column", source })
        }
    };
}

impl Row {
    column!(
        /// A text.
        text -> String
    );
    column!(
        /// A whole number.
        integer -> i64
    );
    column!(
        /// Yes or no.
        flag -> bool
    );
    column!(
        /// Bytes.
        bytes -> Vec<u8>
    );
}
