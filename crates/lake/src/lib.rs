//! Where the tables are: one object store for those that write files and those that load them.
//!
//! * [`LakeSettings`]: a folder or a bucket, the section `[lake]`
//! * [`Lake`]: the store, rooted at `lake.root`, and the place of each table in it
//! * [`columns`]: the names in the table of activities
//! * [`parquet`]: what all its Parquet files have in common
//!
//! It knows nothing of table formats: a file is an object here.

pub mod columns;
mod error;
mod local;
pub mod parquet;
mod settings;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::kinds::Problem;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};

pub use crate::error::Error;
use crate::local::DurableFolder;
use crate::settings::Root;
pub use crate::settings::{DEFAULTS, LakeSettings};

/// The lake. Clones are one.
#[derive(Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    root: Arc<str>,
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lake").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens it: makes the folder, or reads the secret for the bucket. Needs no network.
    ///
    /// # Errors
    /// When a setting does not do, the folder cannot be made or the secret not be read.
    pub fn open(settings: &LakeSettings) -> Result<Self, Error> {
        if let Some(Problem { key, problem, fix }) = settings.validate().into_iter().next() {
            return Err(Error::Setting { key, problem: format!("{problem}; {fix}") });
        }
        let store = match settings.parsed_root() {
            Root::Folder(folder) => Self::folder(folder)?,
            Root::Bucket { bucket, prefix } => Self::bucket(settings, bucket, prefix)?,
        };
        Ok(Self { store, root: settings.root.as_str().into() })
    }

    /// The lake in a store that is there already, for tests of what a store may do. `root` is for messages.
    pub fn with_store(store: Arc<dyn ObjectStore>, root: &str) -> Self {
        Self { store, root: root.into() }
    }

    fn folder(folder: PathBuf) -> Result<Arc<dyn ObjectStore>, Error> {
        let store = DurableFolder::open(&folder).map_err(|error| Error::Folder { folder, error })?;
        Ok(Arc::new(store))
    }

    fn bucket(settings: &LakeSettings, bucket: &str, prefix: &str) -> Result<Arc<dyn ObjectStore>, Error> {
        let millis = Duration::from_millis;
        let retry = RetryConfig { retry_timeout: millis(settings.s3_retry_timeout_ms), ..RetryConfig::default() };
        let client = ClientOptions::new()
            .with_allow_http(settings.s3_allow_http)
            .with_timeout(millis(settings.s3_request_timeout_ms))
            .with_connect_timeout(millis(settings.s3_request_timeout_ms.min(5000)));
        let mut builder = if settings.s3_access_key_id.is_empty() {
            AmazonS3Builder::from_env()
        } else {
            let secret = secret(settings)?;
            AmazonS3Builder::new()
                .with_access_key_id(&settings.s3_access_key_id)
                .with_secret_access_key(secret.expose_secret())
        };
        if !settings.s3_endpoint.is_empty() {
            builder = builder.with_endpoint(settings.s3_endpoint.trim_end_matches('/'));
        }
        let store = builder
            .with_client_options(client)
            .with_allow_http(settings.s3_allow_http)
            .with_retry(retry)
            .with_bucket_name(bucket)
            .with_region(&settings.s3_region)
            .with_virtual_hosted_style_request(!settings.s3_path_style)
            // A commit must not replace another's: the store refuses what is there already.
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .build()
            .map_err(|error| Error::Bucket { root: settings.root.clone(), error })?;
        Ok(if prefix.is_empty() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) })
    }

    /// The store; its paths begin below `lake.root`.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// Where it is, as the settings name it.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Where a table is in the store.
    pub fn table_path(&self, table: &str) -> Path {
        Path::from(table)
    }

    /// One attempt: does the store answer? For health checks.
    ///
    /// # Errors
    /// As the store told it.
    pub async fn ping(&self) -> Result<(), Error> {
        match self.store.list_with_delimiter(None).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::Store { root: self.root.to_string(), error }),
        }
    }
}

fn secret(settings: &LakeSettings) -> Result<SecretString, Error> {
    let file = &settings.s3_secret_access_key_file;
    let wrong = |problem: String| Error::Setting { key: "lake.s3_secret_access_key_file".to_owned(), problem };
    let text = std::fs::read_to_string(file).map_err(|error| {
        wrong(format!("cannot read {}: {error}; name a file that this process may read", file.display()))
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(wrong(format!("{} is empty; write the secret into it", file.display())));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
#[path = "lake_tests.rs"]
mod tests;
