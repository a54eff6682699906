//! The secrets of the simulated endpoints: made once, kept in a file that only its owner can read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use simulate::Endpoints;

/// The endpoints with the secrets in this file; `None` where there is no such file.
///
/// # Errors
/// A file that cannot be read, or holds something else.
pub fn load(file: &Path) -> anyhow::Result<Option<Endpoints>> {
    match fs::read_to_string(file) {
        Ok(text) => Endpoints::from_toml(&text).map(Some).with_context(|| {
            format!("{} is invalid: move it away, and new secrets are created and registered", file.display())
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// The endpoints with the secrets in this file, or with new ones that are there from now on.
///
/// # Errors
/// As [`load`], and a file that cannot be made.
pub fn load_or_create(file: &Path) -> anyhow::Result<Endpoints> {
    if let Some(endpoints) = load(file)? {
        return Ok(endpoints);
    }
    let endpoints = Endpoints::generate()?;
    let cannot = || format!("cannot create {} (setting simulation.secrets_file)", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    // Another start at the same moment has made it: then its secrets are the ones.
    let mut created = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(created) => created,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return load(file)?.with_context(cannot),
        Err(error) => return Err(error).with_context(cannot),
    };
    created.write_all(endpoints.to_toml().as_bytes()).and_then(|()| created.sync_all()).with_context(cannot)?;
    Ok(endpoints)
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
