//! What can go wrong with the lake.

use std::path::PathBuf;

/// What went wrong, with what, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting does not do.
    #[error("setting {key}: {problem}")]
    Setting {
        /// The key, from `lake.`
        key: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The folder cannot be made or opened.
    #[error("the folder {} of the lake cannot be opened: {error}; correct lake.root or its permissions", folder.display())]
    Folder {
        /// As `lake.root` names it.
        folder: PathBuf,
        /// As the system told it.
        #[source]
        error: std::io::Error,
    },
    /// The settings for the bucket do not do.
    #[error("the bucket {root} of the lake cannot be opened: {error}; correct the settings lake.s3_*")]
    Bucket {
        /// As `lake.root` names it.
        root: String,
        /// As the client told it.
        #[source]
        error: object_store::Error,
    },
    /// The store does not answer, or refuses.
    #[error("the lake at {root} does not answer: {error}")]
    Store {
        /// As `lake.root` names it.
        root: String,
        /// As the store told it.
        #[source]
        error: object_store::Error,
    },
}
