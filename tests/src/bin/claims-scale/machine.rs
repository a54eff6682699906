//! What the machine says: memory, and room on the disk.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;

/// Processors and memory.
pub(crate) fn shown() -> anyhow::Result<String> {
    let processors = std::thread::available_parallelism().context("count the processors")?;
    let memory = field("/proc/meminfo", "MemTotal")?;
    Ok(format!("{processors} processors, {} GiB of memory", memory.div_ceil(1024 * 1024 * 1024)))
}

/// Memory of this process, in bytes.
pub(crate) fn resident() -> anyhow::Result<u64> {
    field("/proc/self/status", "VmRSS")
}

/// The most that it was.
pub(crate) fn peak() -> anyhow::Result<u64> {
    field("/proc/self/status", "VmHWM")
}

/// A line `Name:   123 kB`, in bytes.
fn field(file: &str, name: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("read {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(number.with_context(|| format!("{file} has no {name}"))? * 1024)
}

/// Bytes free on the disk of this folder.
pub(crate) fn free(folder: &Path) -> anyhow::Result<u64> {
    let disk = rustix::fs::statvfs(folder).with_context(|| format!("ask how full {} is", folder.display()))?;
    Ok(disk.f_bavail * disk.f_frsize)
}

/// What a folder takes on its disk, in bytes.
pub(crate) fn size(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        // What is put in order goes while it is counted.
        match entry.metadata() {
            Ok(found) if found.is_dir() => bytes += size(&entry.path())?,
            Ok(found) => bytes += found.blocks() * 512,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("count what is on the disk"),
        }
    }
    Ok(bytes)
}
