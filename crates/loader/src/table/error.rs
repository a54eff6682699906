//! What can go wrong with a table.

use deltalake_core::DeltaTableError;

/// What can go wrong with a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table cannot be read or written.
    #[error("table {table}: {error}")]
    Table {
        /// Which table.
        table: String,
        /// As the Delta library told it.
        #[source]
        error: Box<DeltaTableError>,
    },
    /// There is no such table.
    #[error("there is no table {table} in the lake at {root}: nothing was loaded yet, or lake.root is wrong")]
    NoTable {
        /// Which table.
        table: String,
        /// As `lake.root` names it.
        root: String,
    },
    /// The table asks for something that is not supported.
    #[error("table {table} cannot be written: {problem}")]
    Unsupported {
        /// Which table.
        table: String,
        /// What it asks for.
        problem: String,
    },
    /// The log cannot be asked where its partitions end.
    #[error("table {table}: nothing is loaded until the log reports the ends of its partitions: {error}")]
    Log {
        /// Which table.
        table: String,
        /// As the bus told it.
        #[source]
        error: bus::Error,
    },
    /// A file of it cannot be used.
    #[error("table {table}: {error}")]
    File {
        /// Which table.
        table: String,
        /// Which file, and why.
        #[source]
        error: crate::FileError,
    },
}
