//! A Delta table: its state, and one attempt to commit.
//!
//! A commit is made for exactly the state it was decided on: if anybody else committed meanwhile, its version is taken,
//! and everything is decided anew. So no rule of conflicts is needed, and none can be wrong.
//!
//! What is known of a table is brought up to date by reading the commits that came since, each once. So a commit takes as
//! much when the table has a hundred thousand files as when it has one. Its files are listed only for who asks for them.

mod define;
mod entry;
mod error;
mod protocol;
mod received;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use delta_kernel::{Engine, Snapshot as LogSnapshot};
use deltalake_core::kernel::transaction::{CommitData, TransactionError};
use deltalake_core::kernel::{Action, LogicalFileView, Snapshot, Transaction, Version};
use deltalake_core::logstore::{CommitOrBytes, LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaResult, DeltaTable, DeltaTableError};
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use lake::Lake;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use entry::Entry;
pub(crate) use entry::{Change, TableFile};
pub use error::Error;
pub(crate) use protocol::{FORMAT_SETTING, SKIPPED_BY};
pub use received::received_on;

/// The field of a commit's information by which a loader knows its own commits.
const COMMIT_ID: &str = "weirCommit";

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

/// What a look at the log found.
#[derive(Debug)]
pub(crate) enum News {
    /// What became of files in the commits since the last look, in their order.
    Since(Vec<Change>),
    /// The table was read as a whole: nothing of before counts.
    Anew,
}

/// What a table says of its newest checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Checkpoint {
    pub(crate) version: u64,
    /// Files, removed files and versions of applications in it.
    #[serde(rename = "size")]
    pub(crate) actions: u64,
}

/// A table that exists, as it was at the last look.
struct State {
    version: u64,
    /// Of the version at which its columns were last changed, or later: without its files.
    defined: Snapshot,
    checkpoint: Option<Checkpoint>,
    /// The commit of that version, as the store had it. None: it was gone.
    commit: Option<ObjectMeta>,
}

/// A table, which may not exist yet.
pub(crate) struct Table {
    pub(crate) name: String,
    root: String,
    pub(crate) path: Path,
    pub(crate) store: Arc<dyn ObjectStore>,
    log: LogStoreRef,
    state: Option<State>,
    /// What was asked of applications, as of the state.
    applications: HashMap<String, Option<i64>>,
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
        Ok(Self { name: name.to_owned(), root, path, store, log, state: None, applications: HashMap::new() })
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

    fn none(&self) -> Error {
        Error::NoTable { table: self.name.clone(), root: self.root.clone() }
    }

    /// Reads what was committed since the last look. A table that is not there is no error.
    pub(crate) async fn refresh(&mut self) -> Result<News, Error> {
        if let Some(changes) = self.follow().await? {
            return Ok(News::Since(changes));
        }
        self.state = None;
        self.applications.clear();
        if self.exists().await? {
            let defined = Snapshot::try_new(self.log.as_ref(), None).await.map_err(|error| self.error(error))?;
            let (version, checkpoint) = (defined.version(), self.last_checkpoint().await?);
            let commit = self.commit_object(version).await?;
            self.state = Some(State { version, defined, checkpoint, commit });
        }
        Ok(News::Anew)
    }

    /// It is to be read as a whole at the next look.
    pub(crate) fn forget(&mut self) {
        self.state = None;
    }

    /// Reads commit after commit; what became of files. None: that does not do, and the table has to be read as a whole.
    async fn follow(&mut self) -> Result<Option<Vec<Change>>, Error> {
        let Some(state) = &self.state else { return Ok(None) };
        let (begin, begun) = (state.version, state.commit.clone());
        let (mut version, mut changes, mut versions) = (begin, Vec::new(), Vec::new());
        while let Some(bytes) = self.entry(version + 1).await? {
            let Some(entry) = Entry::read(&bytes).filter(|entry| !entry.redefines) else { return Ok(None) };
            version += 1;
            changes.extend(entry.changes);
            versions.extend(entry.transactions.into_iter().map(|set| (set.app_id, Some(set.version))));
        }
        let checkpoint = self.last_checkpoint().await?;
        let commit = if version == begin { None } else { self.commit_object(version).await? };
        // Last of all: if the commit that it began at is still there, all of this is of the table that it was. Nothing
        // after a version is the end of the log, unless it was removed: with the table, or behind a checkpoint. And a
        // table that was removed and made anew may have come further than the one before.
        let still = self.commit_object(begin).await?;
        if still.is_none() || still != begun || checkpoint.is_some_and(|checkpoint| checkpoint.version > version) {
            return Ok(None);
        }
        if let Some(state) = &mut self.state {
            (state.version, state.checkpoint, state.commit) = (version, checkpoint, commit.or(still));
        }
        self.applications.extend(versions);
        Ok(Some(changes))
    }

    async fn entry(&self, version: u64) -> Result<Option<bytes::Bytes>, Error> {
        self.log.read_commit_entry(version).await.map_err(|error| self.error(error))
    }

    async fn last_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let hint = match self.store.get(&self.path_of("_delta_log/_last_checkpoint")).await {
            Ok(hint) => hint.bytes().await.map_err(|error| self.error(error))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.error(error)),
        };
        // It is a hint: one that cannot be read is none.
        Ok(serde_json::from_slice(&hint).ok())
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

    /// The table's version; none where it does not exist.
    pub(crate) fn version(&self) -> Option<u64> {
        self.state.as_ref().map(|state| state.version)
    }

    /// Its columns and settings.
    pub(crate) fn snapshot(&self) -> Result<&Snapshot, Error> {
        self.state.as_ref().map(|state| &state.defined).ok_or_else(|| self.none())
    }

    /// Its newest checkpoint.
    pub(crate) fn checkpointed(&self) -> Option<Checkpoint> {
        self.state.as_ref()?.checkpoint
    }

    /// What is set of the table under this name.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<&str>, Error> {
        Ok(self.snapshot()?.metadata().configuration().get(name).map(String::as_str))
    }

    /// All files of the version that was last read: takes the longer, the more there are.
    pub(crate) async fn files(&self) -> Result<Vec<TableFile>, Error> {
        let listing = self.listing().await?;
        let files = self.views(&listing).map_ok(TableFile::from);
        files.try_collect().await.map_err(|error| self.error(error))
    }

    /// The version that was last read, whatever becomes of the table meanwhile: for [`views`](Self::views).
    pub(crate) async fn listing(&self) -> Result<Snapshot, Error> {
        let version = self.version().ok_or_else(|| self.none())?;
        Snapshot::try_new(self.log.as_ref(), Some(version)).await.map_err(|error| self.error(error))
    }

    /// Its files, one after the other.
    pub(crate) fn views<'a>(&self, listing: &'a Snapshot) -> BoxStream<'a, DeltaResult<LogicalFileView>> {
        listing.file_views(self.log.as_ref(), None)
    }

    /// The files that were removed from the table and not yet forgotten, and when that was, milliseconds since 1970.
    pub(crate) async fn removed(&self) -> Result<Vec<(String, Option<i64>)>, Error> {
        let version = self.version().ok_or_else(|| self.none())?;
        let mut table = DeltaTable::new(self.log.clone());
        table.load_version(version).await.map_err(|error| self.error(error))?;
        let state = table.snapshot().map_err(|error| self.error(error))?;
        let removed = state.all_tombstones(&self.log);
        let removed = removed.map_ok(|removed| (removed.path().into_owned(), removed.deletion_timestamp()));
        removed.try_collect().await.map_err(|error| self.error(error))
    }

    /// The version of an application in the state that was last read.
    pub(crate) async fn application(&mut self, application: &str) -> Result<Option<i64>, Error> {
        let Some(version) = self.version() else { return Ok(None) };
        if let Some(known) = self.applications.get(application) {
            return Ok(*known);
        }
        let name = application.to_owned();
        let found = self.in_log(version, move |log, engine| log.get_app_id_version(&name, engine)).await?;
        self.applications.insert(application.to_owned(), found);
        Ok(found)
    }

    /// Does something that reads the log of a version.
    async fn in_log<T: Send + 'static>(
        &self,
        version: Version,
        work: impl FnOnce(&Arc<LogSnapshot>, &dyn Engine) -> delta_kernel::DeltaResult<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (engine, root) = (self.log.engine(None), self.log.root_url().clone());
        let work = tokio::task::spawn_blocking(move || {
            let log = LogSnapshot::builder_for(root).at_version(version).build(engine.as_ref())?;
            work(&log, engine.as_ref())
        });
        let done = work.await.map_err(|error| self.error(DeltaTableError::generic(error.to_string())))?;
        done.map_err(|error| self.error(error))
    }

    /// When a version was committed, milliseconds since 1970, as the store says; none where its commit is gone.
    pub(crate) async fn committed_at_ms(&self, version: u64) -> Result<Option<i64>, Error> {
        Ok(self.commit_object(version).await?.map(|commit| commit.last_modified.timestamp_millis()))
    }

    async fn commit_object(&self, version: u64) -> Result<Option<ObjectMeta>, Error> {
        match self.store.head(&self.path_of(&format!("_delta_log/{version:020}.json"))).await {
            Ok(commit) => Ok(Some(commit)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(error)),
        }
    }

    /// The version of an application as far as it was asked for, in the state that was last read.
    pub(crate) fn known(&self, application: &str) -> Option<i64> {
        self.applications.get(application).copied().flatten()
    }

    /// Whether it may be written, as of the state that was last read.
    pub(crate) fn writable(&self) -> Result<(), Error> {
        let Some(State { defined, .. }) = &self.state else { return Ok(()) };
        protocol::writable(defined.protocol())
            .and_then(|()| protocol::known(defined.metadata()))
            .map_err(|problem| Error::Unsupported { table: self.name.clone(), problem })
    }

    /// Tries once to commit, on top of the state that was last read.
    pub(crate) async fn commit(&self, commit: &Commit, limit: Duration) -> Result<(u64, Outcome), Error> {
        let version = self.version().map_or(0, |version| version + 1);
        let mut info = commit.info.clone();
        info.insert(COMMIT_ID.to_owned(), Value::String(commit.id.clone()));
        let data = CommitData::new(commit.actions.clone(), commit.operation.clone(), info, Vec::new());
        self.writable()?;
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
        let Some(entry) = self.entry(version).await? else { return Ok(false) };
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

    pub(crate) fn partition_columns(&self) -> Result<Vec<String>, Error> {
        Ok(self.snapshot()?.metadata().partition_columns().to_vec())
    }

    /// Writes a checkpoint of the state that was last read. False: there is no table.
    pub(crate) async fn checkpoint(&self) -> Result<bool, Error> {
        let Some(version) = self.version() else { return Ok(false) };
        self.in_log(version, |log, engine| log.checkpoint(engine, None).map(drop)).await?;
        Ok(true)
    }
}

#[cfg(test)]
#[path = "table/follow_tests.rs"]
mod follow_tests;
