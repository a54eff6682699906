//! What the machine says: memory, and room on the disk.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Processors and memory.
pub(crate) fn shown() -> anyhow::Result<String> {
    let processors = std::thread::available_parallelism().context("count the processors")?;
    let memory = field("/proc/meminfo", "MemTotal")?;
    Ok(format!("{processors} processors, {} GiB of memory", memory.div_ceil(1024 * 1024 * 1024)))
}

/// Steps per second in which /proc counts processor time: fixed by the kernel's interface, whatever its own clock is.
const STEPS_PER_SECOND: u64 = 100;

/// Processor time of a process, all its threads, since it began.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name of the program, in parentheses, may hold anything. Behind it, utime and stime are at 11 and 12.
    let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').skip(11).map(str::parse::<u64>);
    let (Some(Ok(user)), Some(Ok(system))) = (fields.next(), fields.next()) else {
        bail!("{path} has no processor times");
    };
    Ok(Duration::from_millis((user + system) * 1000 / STEPS_PER_SECOND))
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
    sum(folder, &|_| true)
}

/// What journals take of it.
pub(crate) fn journals(folder: &Path) -> anyhow::Result<u64> {
    sum(folder, &|file| file.extension().is_some_and(|end| end == "jnl"))
}

fn sum(folder: &Path, counts: &dyn Fn(&Path) -> bool) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        // What is put in order goes while it is counted.
        match entry.metadata() {
            Ok(found) if found.is_dir() => bytes += sum(&entry.path(), counts)?,
            Ok(_) if !counts(&entry.path()) => {}
            Ok(found) => bytes += found.blocks() * 512,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).context("count what is on the disk"),
        }
    }
    Ok(bytes)
}
