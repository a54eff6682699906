//! The log of a program in files, which are followed.
//!
//! A line has the time at which it was read. What was in a file before the first look has none, and is not looked at.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Found;
use super::lines::Lines;
use super::settings::LogSettings;

/// Of all files together no more is in memory at once.
const MOST: u64 = 4 * 1024 * 1024;
/// Of one of many files no less is read at once.
const LEAST: u64 = 64 * 1024;
/// A longer line is cut.
const LONGEST: usize = 64 * 1024;

/// What one device and inode stand for, whatever its name is by now.
type Id = (u64, u64);

/// A log that is followed.
#[derive(Debug)]
pub(super) struct Log {
    settings: LogSettings,
    files: HashMap<Id, Tail>,
    lines: Lines,
}

/// A file as far as it was read.
#[derive(Debug)]
struct Tail {
    file: File,
    read: u64,
    /// The beginning of a line whose end was not there yet.
    line: Vec<u8>,
}

impl Log {
    pub(super) fn new(settings: LogSettings, within: Duration) -> Self {
        let lines = Lines::new(&settings, within);
        Self { settings, files: HashMap::new(), lines }
    }

    /// Reads what has come since the last look, for `takes` if it is much: the next look goes on. Blocks as long as the files do.
    pub(super) fn look(&mut self, now: Instant, takes: Duration) -> Found {
        let is_first = self.lines.begin(now);
        let behind = match self.read(now, is_first, takes) {
            Ok(behind) => behind,
            Err(error) => return Found::failing(error),
        };
        let missing = (behind > 0)
            .then(|| format!("{behind} bytes are not read after {takes:?}: give the probe a larger timeout_ms"));
        self.lines.found(missing, now)
    }

    /// How many bytes are left for the next look.
    fn read(&mut self, now: Instant, is_first: bool, takes: Duration) -> Result<u64, String> {
        let begun = Instant::now();
        let (there, wrong) = self.open(is_first);
        let share = (MOST / self.files.len().max(1) as u64).max(LEAST);
        let behind = loop {
            let behind = self.read_once(now, share, &there)?;
            if behind == 0 || begun.elapsed() >= takes {
                break behind;
            }
        };
        wrong.map_or(Ok(behind), Err)
    }

    /// Opens what is new. The files that have their names now, and what is wrong with others.
    fn open(&mut self, is_first: bool) -> (HashSet<Id>, Option<String>) {
        let (mut there, mut wrong) = (HashSet::new(), None);
        let paths = match self.paths() {
            Ok(paths) => paths,
            Err(error) => return (there, Some(error)),
        };
        for path in paths {
            match File::open(&path).and_then(|file| file.metadata().map(|about| (file, about))) {
                Ok((file, about)) => {
                    let id = (about.dev(), about.ino());
                    there.insert(id);
                    let read = if is_first { about.len() } else { 0 };
                    self.files.entry(id).or_insert_with(|| Tail { file, read, line: Vec::new() });
                }
                // A container may end between the list of its folder and this; a link may lead nowhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.settings.folder.is_some() => {}
                Err(error) => wrong = Some(format!("cannot read {}: {error}", path.display())),
            }
        }
        if let Some(folder) = self.settings.folder.as_deref().filter(|_| there.is_empty()) {
            wrong = wrong.or_else(|| Some(none_in(folder)));
        }
        (there, wrong)
    }

    /// Reads so many bytes of each file, and lets go of those that are gone and read to their end.
    fn read_once(&mut self, now: Instant, share: u64, there: &HashSet<Id>) -> Result<u64, String> {
        let is_folder = self.settings.folder.is_some();
        let (mut behind, mut wrong) = (0, None);
        self.files.retain(|id, tail| {
            let mut line = |line: &[u8]| self.lines.add(if is_folder { without_prefix(line) } else { line }, now);
            match tail.read(share, &mut line) {
                Ok(left) => {
                    behind += left;
                    left > 0 || there.contains(id)
                }
                Err(error) => {
                    wrong = Some(format!("cannot read the log: {error}"));
                    there.contains(id)
                }
            }
        });
        wrong.map_or(Ok(behind), Err)
    }

    fn paths(&self) -> Result<Vec<PathBuf>, String> {
        let LogSettings { file, folder, .. } = &self.settings;
        let Some(folder) = folder else { return Ok(file.iter().cloned().collect()) };
        let wrong = |error: io::Error| format!("cannot read {}: {error}", folder.display());
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if path.extension().is_some_and(|ending| ending == "log") {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

fn none_in(folder: &Path) -> String {
    format!("there is no file *.log in {}", folder.display())
}

impl Tail {
    /// Reads on, `most` bytes at most, and tells whole lines. How many bytes are left in the file.
    fn read(&mut self, most: u64, tell: &mut impl FnMut(&[u8])) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        if length < self.read {
            // It was emptied, and begins anew.
            self.read = 0;
            self.line.clear();
        }
        self.file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        self.read += (&self.file).take(most).read_to_end(&mut bytes)? as u64;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.line.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.line.extend_from_slice(text.get(..room).unwrap_or(text));
            if part.len() > text.len() {
                tell(self.line.strip_suffix(b"\r").unwrap_or(&self.line));
                self.line.clear();
            }
        }
        Ok(length.saturating_sub(self.read))
    }
}

/// A line of a container's log without what its runtime wrote before it: `time stream F text`.
fn without_prefix(line: &[u8]) -> &[u8] {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let [_, stream, tag] = [parts.next(), parts.next(), parts.next()];
    let is_runtime = matches!(stream, Some(b"stdout" | b"stderr")) && matches!(tag, Some(b"F" | b"P"));
    parts.next().filter(|_| is_runtime).unwrap_or(line)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
