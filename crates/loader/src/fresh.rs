//! A table that is written at once: its files first, then the one commit that makes it. Until then there is no table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deltalake_core::kernel::Action;
use futures_util::TryStreamExt as _;
use lake::{Lake, LakeSettings, columns};
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutPayload};
use uuid::Uuid;

use crate::files::add;
use crate::footer::Footer;
use crate::request::File;
use crate::schema;
use crate::table::{Commit, Error, Outcome, Table};

/// What one attempt to commit may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A table that is being made, of files partitioned by day.
pub struct Fresh {
    lake: Lake,
    table: Table,
    files: Vec<(File, Footer)>,
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fresh")
            .field("table", &self.table.name)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl Fresh {
    /// Begins one.
    ///
    /// # Errors
    /// When the name will not do, or there is something at its place already: the message says what, and what to do.
    pub async fn begin(lake: &LakeSettings, name: &str) -> anyhow::Result<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        anyhow::ensure!(
            (1..=64).contains(&name.len()) && name.chars().all(fits),
            "{name:?} is not a valid table name: use 1 to 64 of a-z, 0-9 and underscore"
        );
        let lake = Lake::open(lake)?;
        let mut table = Table::new(&lake, name)?;
        table.refresh().await?;
        let place = format!("{}/{name}", lake.root());
        anyhow::ensure!(table.version().is_none(), "table {name} already exists in {place}: choose another name");
        let left = match lake.store().list(Some(&table.path)).try_next().await {
            Err(object_store::Error::NotFound { .. }) => None,
            left => left?,
        };
        anyhow::ensure!(
            left.is_none(),
            "{place} has files but is not a table: an interrupted rebuild left them. Remove the folder, or choose \
             another name"
        );
        Ok(Self { lake, table, files: Vec::new() })
    }

    /// Puts a file of one day into the store. It is no part of a table yet.
    ///
    /// # Errors
    /// When the store fails, or the bytes are no Parquet file.
    pub async fn put(&mut self, day: &str, bytes: Bytes) -> anyhow::Result<()> {
        let path = format!("{}={day}/{}.parquet", columns::DAY, Uuid::new_v4());
        let (to, store, size) = (self.table.path_of(&path), self.lake.store(), bytes.len() as u64);
        store.put(&to, PutPayload::from_bytes(bytes)).await?;
        let footer = Footer::read(&store, &to, size).await?;
        let partition = BTreeMap::from([(columns::DAY.to_owned(), day.to_owned())]);
        self.files.push((File { path, bytes: size, rows: footer.rows(), partition }, footer));
        Ok(())
    }

    /// Makes the table of all files.
    ///
    /// # Errors
    /// When there is no file, somebody else made the table meanwhile, or the store fails.
    pub async fn commit(self) -> anyhow::Result<()> {
        let Self { table, files, .. } = self;
        anyhow::ensure!(!files.is_empty(), "no table was created: there are no rows");
        let partitions: Vec<String> = columns::PARTITION_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        let schemas: Vec<_> = files.iter().map(|(_, footer)| Arc::clone(&footer.schema)).collect();
        let first = schema::first(&partitions, schemas.iter().map(Arc::as_ref))
            .map_err(|problem| Error::Unsupported { table: table.name.clone(), problem })?;
        let mut actions = table.creating(&first, &partitions)?;
        actions.extend(
            files.iter().map(|(file, footer)| Action::Add(add(file, footer, schema::in_files(&first, &partitions)))),
        );
        let commit = Commit::append(actions, &partitions);
        let (version, outcome) = table.commit(&commit, LIMIT).await?;
        let committed = matches!(outcome, Outcome::Committed) || table.is_ours(version, &commit).await?;
        anyhow::ensure!(committed, "table {} was not created: {outcome:?}", table.name);
        Ok(())
    }
}
