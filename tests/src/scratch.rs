//! Folders for the data of a test.
//!
//! They are in the system's folder for temporary files: short paths, because a Unix socket's path has at most 107 bytes.
//! A folder goes when its [`Scratch`] is dropped, except in a test that panics, so that its logs can be read. What is
//! left (also by statics, which are never dropped) goes when the next test process begins.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;

const PREFIX: &str = "weir-tests-";

/// A folder that goes when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new, empty folder; `name` is part of its path.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        static SWEPT: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        SWEPT.call_once(sweep);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = format!("{PREFIX}{}", std::process::id());
        let path = std::env::temp_dir().join(process).join(format!("{name}-{number}"));
        fs::create_dir_all(&path).with_context(|| format!("make the folder {}", path.display()))?;
        Ok(Self { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // What cannot be removed now is removed by the next test process.
        let _ = fs::remove_dir_all(&self.path);
        if let Some(process) = self.path.parent() {
            // Only goes when it is empty.
            let _ = fs::remove_dir(process);
        }
    }
}

/// Removes what processes that are gone have left.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let of_this_process = pid.parse() == Ok(std::process::id());
        if of_this_process || pid.parse::<u32>().is_ok_and(|_| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
