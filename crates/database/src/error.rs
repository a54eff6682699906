//! What can go wrong with a database.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong with a database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is unavailable, or refuses.
    #[error("the {name} database failed while {doing}: {source}")]
    Failed {
        /// Which database.
        name: &'static str,
        /// What was tried.
        doing: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// It takes no changes.
    #[error("the {name} database is read-only, detected while {doing}: it may have failed over to another server")]
    ReadOnly {
        /// Which database.
        name: &'static str,
        /// What was tried.
        doing: &'static str,
    },
    /// It does not answer, and its connection is there.
    #[error("the {name} database timed out after {limit:?} while {doing}")]
    Silent {
        /// Which database.
        name: &'static str,
        /// What was tried.
        doing: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// Somebody else holds the lock for too long.
    #[error("another change holds the lock in the {name} database: retry")]
    Locked {
        /// Which database.
        name: &'static str,
    },
    /// Written by a newer version.
    #[error("the {name} database has schema {found}, this version supports up to {known}: use a newer version")]
    Newer {
        /// Which database.
        name: &'static str,
        /// The version found.
        found: i64,
        /// The latest version known here.
        known: i64,
    },
    /// The folder of a SQLite file.
    #[error("cannot create the folder {folder:?} of {name}.database: {source}")]
    Folder {
        /// Which database.
        name: &'static str,
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The driver does not understand the URL, whose text is not shown.
    #[error("{name}.database is not a PostgreSQL URL")]
    Url {
        /// Which database.
        name: &'static str,
    },
    /// The file with the password.
    #[error("{name}.password_file: cannot read {file:?}: {source}")]
    PasswordFile {
        /// Which database.
        name: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// A driver's error, and what was tried.
    pub(crate) fn of(name: &'static str, doing: &'static str, source: sqlx::Error) -> Self {
        let code = source.as_database_error().and_then(|error| error.code().map(Cow::into_owned));
        match code.as_deref() {
            // PostgreSQL's lock_not_available, SQLite's SQLITE_BUSY.
            Some("55P03" | "5") => Self::Locked { name },
            // PostgreSQL's read_only_sql_transaction.
            Some("25006") => Self::ReadOnly { name, doing },
            _ => Self::Failed { name, doing, source },
        }
    }

    /// Whether it has to be set right by a person before it can go on: asking again does not help.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::Newer { .. } | Self::Folder { .. } | Self::Url { .. } | Self::PasswordFile { .. })
    }
}
