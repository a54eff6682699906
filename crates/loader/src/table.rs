//! A Delta table: its state, and one attempt to commit.
//!
//! A commit is made for exactly the state it was decided on: if anybody else committed meanwhile, its version is taken,
//! and everything is decided anew. So no rule of conflicts is needed, and none can be wrong.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use deltalake_core::kernel::transaction::{CommitData, PROTOCOL, TransactionError};
use deltalake_core::kernel::{
    Action, EagerSnapshot, Metadata, MetadataExt as _, Protocol, StructType, TombstoneView, Transaction, new_metadata,
};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::{DeltaOperation, SaveMode, checkpoints};
use deltalake_core::{DeltaResult, DeltaTable, DeltaTableError};
use futures_util::stream::BoxStream;
use lake::Lake;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

/// The field of a commit's information by which a loader knows its own commits.
const COMMIT_ID: &str = "weirCommit";
/// How long the log remembers removed files: [`LONGEST_RETENTION`](crate::maintain::vacuum::LONGEST_RETENTION).
const KEEPS_REMOVED: &str = "interval 30 days";

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

/// How an attempt to commit ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the table.
    Committed,
    /// It is not: somebody else's is.
    Taken,
    /// It may be or not, or come to be later.
    Unknown(String),
}

/// What a commit is made of, beside its actions.
pub(crate) struct Commit {
    pub(crate) actions: Vec<Action>,
    pub(crate) operation: DeltaOperation,
    pub(crate) info: HashMap<String, Value>,
    id: String,
}

impl Commit {
    pub(crate) fn new(actions: Vec<Action>, operation: DeltaOperation) -> Self {
        Self { actions, operation, info: HashMap::new(), id: Uuid::new_v4().simple().to_string() }
    }

    pub(crate) fn append(actions: Vec<Action>, partition_by: &[String]) -> Self {
        let partition_by = (!partition_by.is_empty()).then(|| partition_by.to_vec());
        Self::new(actions, DeltaOperation::Write { mode: SaveMode::Append, partition_by, predicate: None })
    }
}

/// A table, which may not exist yet.
pub(crate) struct Table {
    pub(crate) name: String,
    root: String,
    pub(crate) path: Path,
    pub(crate) store: Arc<dyn ObjectStore>,
    log: LogStoreRef,
    state: Option<DeltaTable>,
    /// What was read of applications, as of `known_at`.
    applications: HashMap<String, Option<i64>>,
    known_at: u64,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("name", &self.name).field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn new(lake: &Lake, name: &str) -> Result<Self, Error> {
        let path = lake.table_path(name);
        // The scheme is of no matter: the store is at hand, and paths are relative to it.
        let location = Url::parse(&format!("lake:///{path}/")).map_err(|error| Error::Unsupported {
            table: name.to_owned(),
            problem: format!("its name is not a valid path: {error}"),
        })?;
        let store = lake.store();
        let prefixed = Arc::new(PrefixStore::new(store.clone(), path.clone()));
        let log = default_logstore(prefixed, store.clone(), &location, &StorageConfig::default());
        let root = lake.root().to_owned();
        Ok(Self {
            name: name.to_owned(),
            root,
            path,
            store,
            log,
            state: None,
            applications: HashMap::new(),
            known_at: 0,
        })
    }

    /// Opens a table that has to be there.
    pub(crate) async fn open(lake: &Lake, name: &str) -> Result<Self, Error> {
        let mut table = Self::new(lake, name)?;
        table.refresh().await?;
        table.snapshot()?;
        Ok(table)
    }

    /// A path in the table's log as a path in the store.
    pub(crate) fn path_of(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.path))
    }

    pub(crate) fn error(&self, error: impl Into<DeltaTableError>) -> Error {
        Error::Table { table: self.name.clone(), error: Box::new(error.into()) }
    }

    /// Reads what was committed since the last look. A table that is not there is no error.
    pub(crate) async fn refresh(&mut self) -> Result<(), Error> {
        match &mut self.state {
            Some(state) => {
                let updated = state.update_state().await;
                if let Err(error) = updated {
                    // A state that could not be brought up to date is not gone on with.
                    self.state = None;
                    return Err(self.error(error));
                }
            }
            None => {
                if !self.exists().await? {
                    return Ok(());
                }
                let mut state = DeltaTable::new(self.log.clone());
                state.load().await.map_err(|error| self.error(error))?;
                self.state = Some(state);
                self.applications.clear();
            }
        }
        self.catch_up().await
    }

    /// Whether there is a table. Lists its log only where neither a checkpoint nor the first commit is there: that takes the
    /// longer, the more commits there are.
    async fn exists(&self) -> Result<bool, Error> {
        for name in ["_last_checkpoint", "00000000000000000000.json"] {
            match self.store.head(&self.path_of(&format!("_delta_log/{name}"))).await {
                Ok(_) => return Ok(true),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.error(error)),
            }
        }
        self.log.is_delta_table_location().await.map_err(|error| self.error(error))
    }

    /// Brings what is known of applications up to the version of the state.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let Some(version) = self.version() else { return Ok(()) };
        while self.known_at < version && !self.applications.is_empty() {
            let next = self.known_at + 1;
            match self.log.read_commit_entry(next).await.map_err(|error| self.error(error))? {
                Some(entry) => self.apply(&entry),
                // Cleaned up since: everything is asked for again.
                None => self.applications.clear(),
            }
            self.known_at = next;
        }
        self.known_at = version;
        Ok(())
    }

    fn apply(&mut self, entry: &[u8]) {
        for line in entry.split(|byte| *byte == b'\n') {
            let Ok(Value::Object(mut action)) = serde_json::from_slice(line) else { continue };
            let Some(transaction) = action.remove("txn") else { continue };
            if let Ok(transaction) = serde_json::from_value::<Transaction>(transaction) {
                self.applications.insert(transaction.app_id, Some(transaction.version));
            }
        }
    }

    /// The table's version; none where it does not exist.
    pub(crate) fn version(&self) -> Option<u64> {
        self.state.as_ref().and_then(DeltaTable::version)
    }

    pub(crate) fn snapshot(&self) -> Result<&EagerSnapshot, Error> {
        match &self.state {
            Some(state) => Ok(state.snapshot().map_err(|error| self.error(error))?.snapshot()),
            None => Err(Error::NoTable { table: self.name.clone(), root: self.root.clone() }),
        }
    }

    /// The files that were removed from the table and not yet forgotten.
    pub(crate) fn tombstones(&self) -> Result<BoxStream<'_, DeltaResult<TombstoneView>>, Error> {
        match &self.state {
            Some(state) => Ok(state.snapshot().map_err(|error| self.error(error))?.all_tombstones(&self.log)),
            None => Err(Error::NoTable { table: self.name.clone(), root: self.root.clone() }),
        }
    }

    /// The version of an application in the state that was last read.
    pub(crate) async fn application(&mut self, application: &str) -> Result<Option<i64>, Error> {
        if self.state.is_none() {
            return Ok(None);
        }
        if let Some(known) = self.applications.get(application) {
            return Ok(*known);
        }
        let version = self.snapshot()?.transaction_version(&self.log, application).await;
        let version = version.map_err(|error| self.error(error))?;
        self.applications.insert(application.to_owned(), version);
        Ok(version)
    }

    /// When a version was committed, milliseconds since 1970, as the store says; none where its commit is gone.
    pub(crate) async fn committed_at_ms(&self, version: u64) -> Result<Option<i64>, Error> {
        let commit = self.path_of(&format!("_delta_log/{version:020}.json"));
        match self.store.head(&commit).await {
            Ok(object) => Ok(Some(object.last_modified.timestamp_millis())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// The version of an application as far as it was asked for, in the state that was last read.
    pub(crate) fn known(&self, application: &str) -> Option<i64> {
        self.applications.get(application).copied().flatten()
    }

    /// Tries once to commit, on top of the state that was last read.
    pub(crate) async fn commit(&self, commit: &Commit, limit: Duration) -> Result<(u64, Outcome), Error> {
        let version = self.version().map_or(0, |version| version + 1);
        let mut info = commit.info.clone();
        info.insert(COMMIT_ID.to_owned(), Value::String(commit.id.clone()));
        let data = CommitData::new(commit.actions.clone(), commit.operation.clone(), info, Vec::new());
        if self.state.is_some() {
            PROTOCOL
                .can_commit(self.snapshot()?, &data.actions, &data.operation)
                .map_err(|error| Error::Unsupported { table: self.name.clone(), problem: error.to_string() })?;
        }
        let bytes = data.get_bytes().map_err(|error| self.error(error))?;
        let put = self.log.write_commit_entry(version, CommitOrBytes::LogBytes(bytes), Uuid::new_v4());
        let outcome = match tokio::time::timeout(limit, put).await {
            Ok(Ok(())) => Outcome::Committed,
            Ok(Err(TransactionError::VersionAlreadyExists(_))) => Outcome::Taken,
            Ok(Err(error)) => Outcome::Unknown(error.to_string()),
            Err(_) => Outcome::Unknown(format!("the store did not answer within {limit:?}")),
        };
        Ok((version, outcome))
    }

    /// Whether what stands at this version is this commit. A store may have written what it said it had not.
    pub(crate) async fn is_ours(&self, version: u64, commit: &Commit) -> Result<bool, Error> {
        let entry = self.log.read_commit_entry(version).await.map_err(|error| self.error(error))?;
        let Some(entry) = entry else { return Ok(false) };
        let first = entry.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let info: Value = serde_json::from_slice(first).unwrap_or_default();
        Ok(info["commitInfo"][COMMIT_ID] == Value::String(commit.id.clone()))
    }

    /// Marks versions that cannot be, by application, in a commit of its own. False: somebody else committed first, and
    /// the table was read again.
    pub(crate) async fn mark(&mut self, beyond: &BTreeMap<Arc<str>, i64>, limit: Duration) -> Result<bool, Error> {
        let now = Some(crate::clock::now_ms());
        let marks = beyond.iter().map(|(application, version)| {
            Action::Txn(Transaction::new_with_last_update(application, crate::decide::marked(*version), now))
        });
        let commit = Commit::append(marks.collect(), &[]);
        let (version, outcome) = self.commit(&commit, limit).await?;
        let marked = matches!(outcome, Outcome::Committed) || self.is_ours(version, &commit).await?;
        self.refresh().await?;
        Ok(marked)
    }

    /// The actions that make the table, before its first files.
    pub(crate) fn creating(&self, columns: &StructType, partition_columns: &[String]) -> Result<Vec<Action>, Error> {
        let protocol: Protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))
            .map_err(|error| self.error(DeltaTableError::generic(error.to_string())))?;
        let settings = [("delta.deletedFileRetentionDuration", KEEPS_REMOVED)];
        let metadata = new_metadata(columns, partition_columns, settings).map_err(|error| self.error(error))?;
        Ok(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
    }

    /// The action that gives the table these columns.
    pub(crate) fn growing(&self, columns: &StructType) -> Result<Action, Error> {
        let metadata: Metadata = self.snapshot()?.metadata().clone();
        metadata.with_schema(columns).map(Action::Metadata).map_err(|error| self.error(error))
    }

    pub(crate) fn partition_columns(&self) -> Result<Vec<String>, Error> {
        Ok(self.snapshot()?.metadata().partition_columns().to_vec())
    }

    /// Writes a checkpoint of the state that was last read. False: there is no table.
    pub(crate) async fn checkpoint(&self) -> Result<bool, Error> {
        let Some(state) = &self.state else { return Ok(false) };
        checkpoints::create_checkpoint(state, None).await.map_err(|error| self.error(error))?;
        Ok(true)
    }
}
