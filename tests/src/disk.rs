//! A small disk, to be filled.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::scratch::Scratch;

/// A disk in memory. Dropping it unmounts it.
#[derive(Debug)]
pub struct Disk(Scratch);

impl Disk {
    /// One of so many MiB; none: who runs the test may not mount one.
    ///
    /// # Errors
    /// The folder for it cannot be made.
    pub fn mount(mebibytes: u32) -> anyhow::Result<Option<Self>> {
        let (scratch, size) = (Scratch::new("disk")?, format!("size={mebibytes}m"));
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "weir-test"]).arg(scratch.path()).output();
        Ok(mount.is_ok_and(|mounted| mounted.status.success()).then_some(Self(scratch)))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Whether it can be written. False: a file on it is being written, and it stays as it is.
    ///
    /// # Errors
    /// There is no program to ask.
    pub fn set_read_only(&self, read_only: bool) -> anyhow::Result<bool> {
        let how = if read_only { "remount,ro" } else { "remount,rw" };
        let mount = Command::new("mount").args(["-o", how]).arg(self.path()).output().context("run mount")?;
        Ok(mount.status.success())
    }

    /// Fills it to the last block; without the file there is room again.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn fill(&self) -> anyhow::Result<PathBuf> {
        let path = self.path().join("filler");
        let mut file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        for block in [vec![1; 1 << 20], vec![1; 4096]] {
            while file.write_all(&block).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still have a file open.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
