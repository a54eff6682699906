//! A limit of memory, as Kubernetes sets it: a control group of the kernel.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;

/// A group of processes that may have so much memory together. Dropping it removes it; its processes have to be gone.
#[derive(Debug)]
pub struct MemoryLimit {
    folder: PathBuf,
    unified: bool,
}

impl MemoryLimit {
    /// One without a limit yet; none: who runs the test may make no groups, or the kernel counts no memory.
    ///
    /// # Errors
    /// The group cannot be used although it could be made.
    pub fn make() -> anyhow::Result<Option<Self>> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        let unified = controllers.split_whitespace().any(|name| name == "memory");
        let root = if unified { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/memory" };
        let name = format!("weir-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = PathBuf::from(root).join(name);
        if fs::create_dir(&folder).is_err() {
            return Ok(None);
        }
        let group = Self { folder, unified };
        // Where the root does not hand the controller on there is nothing to set.
        if !group.folder.join(group.limit()).exists() {
            return Ok(None);
        }
        Ok(Some(group))
    }

    fn limit(&self) -> &'static str {
        if self.unified { "memory.max" } else { "memory.limit_in_bytes" }
    }

    /// The most that its processes may have together.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn set(&self, bytes: u64) -> anyhow::Result<()> {
        let file = self.folder.join(self.limit());
        fs::write(&file, bytes.to_string()).with_context(|| format!("write {}", file.display()))
    }

    /// From now on what a process takes counts here; what it has taken before does not.
    ///
    /// # Errors
    /// There is no such process.
    pub fn take(&self, pid: u32) -> anyhow::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string()).with_context(|| format!("limit process {pid}"))
    }

    /// How many of its processes the kernel has killed.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn killed(&self) -> anyhow::Result<u64> {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        let told = fs::read_to_string(self.folder.join(file)).with_context(|| format!("read {file}"))?;
        let count = told.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        count.with_context(|| format!("{file} tells of no kills: {told}"))
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // While a process is in it, it stays.
        let _ = fs::remove_dir(&self.folder);
    }
}
