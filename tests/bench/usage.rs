//! What a process has used, as Linux tells it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Steps per second in which /proc counts processor time: fixed by the kernel's interface, whatever its own clock is.
const STEPS_PER_SECOND: u64 = 100;

/// Processor time of all threads of a process since it began, those that have ended too: user and system.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}: the bench needs Linux"))?;
    // The name of the program, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    // utime and stime are fields 14 and 15, counted from 1 with the two before the end of the name.
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok());
    let steps = field(14).zip(field(15)).map(|(user, system)| user + system);
    let steps = steps.with_context(|| format!("{path} has no processor times"))?;
    Ok(Duration::from_millis(steps * 1000 / STEPS_PER_SECOND))
}

/// The most memory that a process has had at one time, in bytes.
pub(crate) fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}: the bench needs Linux"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok());
    Ok(kib.with_context(|| format!("{path} tells no peak of memory"))? * 1024)
}
