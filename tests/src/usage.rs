//! What a process uses, as Linux tells it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Steps per second in which /proc counts processor time: fixed by the kernel's interface, whatever its own clock is.
const STEPS_PER_SECOND: u64 = 100;

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Resident now, with its program and other files.
    pub resident: u64,
    /// The most that was resident since it began.
    pub peak: u64,
    /// Resident now and its own, without its program and other files.
    pub own: u64,
}

/// Processor time of all threads of a process since it began, those that have ended too: user and system.
///
/// # Errors
/// It is gone.
pub fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name of the program, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    // utime and stime are fields 14 and 15, counted from 1 with the two before the end of the name.
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok());
    let steps = field(14).zip(field(15)).map(|(user, system)| user + system);
    let steps = steps.with_context(|| format!("{path} has no processor times"))?;
    Ok(Duration::from_millis(steps * 1000 / STEPS_PER_SECOND))
}

/// What it has in memory.
///
/// # Errors
/// It is gone.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let field = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
        found.map(|kibibytes: u64| kibibytes * 1024).with_context(|| format!("{path} has no {name}"))
    };
    Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")?, own: field("RssAnon:")? })
}
