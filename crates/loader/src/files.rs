//! The files of requests: looked at, written anew without what is loaded, and put into the table's log.

use std::sync::Arc;

use deltalake_core::kernel::Add;
use futures_util::{StreamExt as _, stream};
use object_store::ObjectStore;
use uuid::Uuid;

use crate::clock::now_ms;
use crate::footer::{FileError, Footer};
use crate::request::{File, Request};
use crate::rewrite::{self, Input};
use crate::table::{Error, Table};

/// Ends of files that are read at once.
const READS: usize = 8;

/// What became of the files of a request when they were looked at.
#[derive(Debug)]
pub(crate) enum FileCheck {
    /// Not yet.
    Pending,
    /// All can go in, or those that are left of an accepted request: the number of the file, and its end.
    Usable(Vec<(usize, Footer)>),
    /// They cannot.
    Unusable(String),
}

/// Reads the ends of a request's files and checks them against the request. Of an accepted one, unusable files are left
/// out.
pub(crate) async fn look(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    request: &Request,
    accepted: bool,
) -> Result<FileCheck, Error> {
    let looks: Vec<_> = request.files.iter().map(|file| look_at(store, table, request, file)).collect();
    let looks: Vec<Result<Footer, FileError>> = stream::iter(looks).buffered(READS).collect().await;
    let mut usable = Vec::with_capacity(looks.len());
    for (n, looked) in looks.into_iter().enumerate() {
        match looked {
            Ok(footer) => usable.push((n, footer)),
            Err(error @ FileError::Store { .. }) => return Err(Error::File { table: table.name.clone(), error }),
            Err(error) if accepted => {
                tracing::warn!(request = request.id, %error, "unusable file skipped: loader.accept has its request");
            }
            Err(error) => return Ok(FileCheck::Unusable(error.to_string())),
        }
    }
    Ok(FileCheck::Usable(usable))
}

async fn look_at(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    request: &Request,
    file: &File,
) -> Result<Footer, FileError> {
    let path = table.path_of(&file.path);
    let footer = Footer::read(store, &path, file.bytes).await?;
    if footer.rows() != file.rows {
        return Err(FileError::unusable(&path, format!("it has {} rows and should have {}", footer.rows(), file.rows)));
    }
    let column = &request.offset_column;
    let Some(bounds) = footer.bounds(column).filter(|bounds| bounds.nulls == 0) else {
        return Err(FileError::unusable(
            &path,
            format!("its statistics do not have the offsets of all rows in column {column}"),
        ));
    };
    let range = request.range;
    if bounds.min < range.from || bounds.max >= range.to {
        let problem = format!(
            "it has offsets {} to {}, and its request covers {} to {}",
            bounds.min, bounds.max, range.from, range.to
        );
        return Err(FileError::unusable(&path, problem));
    }
    Ok(footer)
}

/// Writes a file anew without the rows that are loaded already.
pub(crate) async fn trim(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    file: &File,
    footer: &Footer,
    from: (&str, i64),
) -> Result<(File, Footer), FileError> {
    let folder = file.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let path = format!("{folder}{}.parquet", Uuid::new_v4());
    let input = Input { path: table.path_of(&file.path), bytes: file.bytes };
    let to = table.path_of(&path);
    let output = rewrite::write(store, &[input], &footer.schema, &to, Some(from)).await?;
    let rows = output.footer.rows();
    Ok((File { path, bytes: output.bytes, rows, partition: file.partition.clone() }, output.footer))
}

/// `columns` are those of the table, without those of its partitions.
pub(crate) fn add<'a>(file: &File, footer: &Footer, columns: impl IntoIterator<Item = &'a str>) -> Add {
    Add {
        path: file.path.clone(),
        partition_values: file.partition.iter().map(|(column, value)| (column.clone(), Some(value.clone()))).collect(),
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: now_ms(),
        data_change: true,
        stats: Some(footer.statistics(columns)),
        ..Add::default()
    }
}
