//! The history in a file, so that a restart does not lose weeks. It is written to the side and then put in its place.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::history::History;

/// What is written. Another number is another format.
const FORMAT: u32 = 1;

/// Why a history was not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is there, and cannot be read or written.
    #[error("the history of volumes: {0}")]
    Io(#[from] io::Error),
    /// It is not a history.
    #[error("it is no history of volumes: {0}")]
    Invalid(#[from] serde_json::Error),
    /// It has hours that cannot be.
    #[error("it is no history of volumes: it has hours that cannot be")]
    Impossible,
    /// Another version of Weir has written it.
    #[error("the history of volumes has format {0}, and this version reads format 1")]
    Format(u32),
}

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    history: &'a History,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Stored {
    history: History,
}

/// As it is written.
///
/// # Errors
/// None that is known.
pub fn encode(history: &History) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(&Written { format: FORMAT, history })?)
}

/// What was written.
///
/// # Errors
/// It is no history, or one of another format.
pub fn decode(bytes: &[u8]) -> Result<History, Error> {
    let Format { format } = serde_json::from_slice(bytes)?;
    if format != FORMAT {
        return Err(Error::Format(format));
    }
    let Stored { history } = serde_json::from_slice(bytes)?;
    if history.is_possible() { Ok(history) } else { Err(Error::Impossible) }
}

/// What is there; nothing where there is no file yet. A file that is no history is put aside as `<name>.unreadable`, or
/// `<name>.unreadable.2` where there is such a file. The error says why.
///
/// # Errors
/// It is no history, or one of another format: then it is put aside. Or, as [`Error::Io`], it cannot be read or put aside: it
/// is still in its place, and may be as good as ever.
pub fn load(path: &Path) -> Result<History, Error> {
    let read = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
        Err(error) => return Err(error.into()),
        Ok(bytes) => decode(&bytes),
    };
    if read.is_err() {
        let aside = path.with_added_extension("unreadable");
        let more = (2..).map(|n| aside.with_added_extension(n.to_string()));
        let free = std::iter::once(aside.clone()).chain(more).find(|aside| !aside.exists());
        fs::rename(path, free.unwrap_or(aside))?;
    }
    read
}

/// Puts it in the place of what is there.
///
/// # Errors
/// The disk is full, or the folder is not writable.
pub fn save(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = path.with_added_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(fs::rename(&new, path)?)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
