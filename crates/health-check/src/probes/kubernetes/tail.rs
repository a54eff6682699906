//! One container's log, as far as it was read.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Instant;

use bytes::Bytes;
use common::time::from_rfc3339;
use http::StatusCode;

use super::pods::Container;
use crate::probes::api::{Api, refusal, shown};

/// So many lines are asked for, and more only where the line that was read last is not among them.
const STEPS: [usize; 3] = [200, 5_000, 50_000];
/// Of one answer no more is read.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// An answer may have somewhat more than it was asked for.
const SPARE_BYTES: usize = 64 * 1024;

/// Up to where a log was read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Position {
    /// Nowhere yet, and what is there does not count.
    Late,
    /// Nowhere yet, and all counts.
    Start,
    /// Up to this line.
    After(u64),
}

/// A log as far as it was read.
#[derive(Debug)]
pub(super) struct Tail {
    name: String,
    position: Position,
    restarts: u64,
    read_at: Option<Instant>,
    /// Its container had ended when it was read to its end.
    is_over: bool,
}

/// The last lines of a log.
struct Last {
    lines: Vec<Bytes>,
    /// Where the new ones begin; none: what was read last is not among them.
    new: Option<usize>,
    /// Whether they are all that there is.
    is_whole: bool,
    /// Whether the newest are not among them, for their size.
    is_cut: bool,
}

impl Last {
    /// Whether there may be new lines that are not among them, because there are too many.
    fn is_too_much(&self) -> bool {
        self.is_cut || (!self.is_whole && self.new.is_none())
    }
}

impl Tail {
    /// Of a container that has come since the first look.
    pub(super) fn new(name: String) -> Self {
        Self { name, position: Position::Start, restarts: 0, read_at: None, is_over: false }
    }

    /// Of a container that was there before anybody looked.
    pub(super) fn late(name: String) -> Self {
        Self { position: Position::Late, ..Self::new(name) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn read_at(&self) -> Option<Instant> {
        self.read_at
    }

    /// Tells the lines that are new. Which lines are missing, in words.
    pub(super) async fn follow(
        &mut self,
        api: &Api,
        namespace: &str,
        container: &Container,
        now: Instant,
        tell: &mut impl FnMut(&[u8]),
    ) -> Result<Option<String>, String> {
        // Before anything is waited for: a node that does not answer must not be the first every time.
        self.read_at = Some(now);
        let &Container { restarts, is_terminated, .. } = container;
        if self.is_over && is_terminated && self.restarts == restarts {
            return Ok(None);
        }
        let log = LogOf { api, namespace, container };
        let missing = match self.position {
            Position::Late => self.arrive(&log).await?,
            _ => self.go_on(&log, tell).await?,
        };
        self.is_over = is_terminated;
        Ok(missing)
    }

    /// Only the last line is of interest: it says where to go on.
    async fn arrive(&mut self, log: &LogOf<'_>) -> Result<Option<String>, String> {
        // The very last one may be written still.
        let (lines, is_cut) = log.last(STEPS[0], false).await?.unwrap_or_default();
        if is_cut {
            return Ok(Some(too_much()));
        }
        self.position = lines.last().map_or(Position::Start, |line| Position::After(id(line)));
        self.restarts = log.container.restarts;
        Ok(None)
    }

    async fn go_on(&mut self, log: &LogOf<'_>, tell: &mut impl FnMut(&[u8])) -> Result<Option<String>, String> {
        let &Container { restarts, is_waiting, .. } = log.container;
        let current = match log.back_to(self.position, false).await? {
            Ok(current) => current,
            Err(reason) => return Ok(Some(reason)),
        };
        let is_same = match self.position {
            Position::After(_) => current.new.is_some(),
            // While it waits for its next start, the instance before is this one.
            _ => self.restarts >= restarts || is_waiting,
        };
        let mut missing = current.is_too_much().then(too_much);
        if !is_same && missing.is_none() {
            // Its instance is another, or its file was rotated: what was written last before is not told yet.
            match log.back_to(self.position, true).await? {
                Ok(before) if before.is_too_much() => missing = Some(too_much()),
                Ok(before) if before.new.is_some() => {
                    self.take(&before.lines, before.new, tell);
                    self.restarts += 1;
                }
                _ => missing = Some(restarted()),
            }
        }
        if restarts > self.restarts {
            missing = missing.or_else(|| Some(restarted()));
            self.restarts = restarts;
        }
        // The instance before may be the current one, if that has ended and nobody has started it again.
        let new = current.new.filter(|_| is_same).or_else(|| after(&current.lines, self.position));
        if missing.is_some() && current.lines.is_empty() {
            self.position = Position::Start;
        }
        self.take(&current.lines, new, tell);
        Ok(missing)
    }

    /// Tells the lines from there on, or all.
    fn take(&mut self, lines: &[Bytes], from: Option<usize>, tell: &mut impl FnMut(&[u8])) {
        lines[from.unwrap_or(0)..].iter().for_each(|line| tell(text(line)));
        self.position = lines.last().map_or(self.position, |line| Position::After(id(line)));
    }
}

fn restarted() -> String {
    "it restarted more than once since the last look, or its file was rotated".to_owned()
}

fn too_much() -> String {
    let lines = STEPS[STEPS.len() - 1];
    let size = MOST_BYTES / (1024 * 1024);
    format!("it wrote more than {lines} lines or {size} MiB since the last look: give the probe a shorter interval_ms")
}

/// Where the lines begin that are new; none: those before are not there.
fn after(lines: &[Bytes], position: Position) -> Option<usize> {
    let Position::After(last) = position else { return None };
    lines.iter().rposition(|line| id(line) == last).map(|at| at + 1)
}

/// Which line it is. Two of one nanosecond and with one text are one.
fn id(line: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

/// A line without its time.
fn text(line: &[u8]) -> &[u8] {
    let at = line.iter().position(|byte| *byte == b' ');
    at.and_then(|at| line.get(at + 1..)).unwrap_or_default()
}

/// What to ask for.
struct LogOf<'a> {
    api: &'a Api,
    namespace: &'a str,
    container: &'a Container,
}

impl LogOf<'_> {
    /// The end of the log, as far back as the line that was read last. Or why there is no such log.
    async fn back_to(&self, position: Position, previous: bool) -> Result<Result<Last, String>, String> {
        let mut begins = None;
        let mut last = Last { lines: Vec::new(), new: None, is_whole: false, is_cut: false };
        for step in STEPS {
            let (lines, is_cut) = match self.last(step, previous).await? {
                Ok(found) => found,
                Err(reason) => return Ok(Err(reason)),
            };
            let is_same = begins.replace(lines.first().map(|line| id(line)));
            // If more are asked for, and no more come, then there are no more.
            let is_whole = !is_cut && (lines.is_empty() || is_same == Some(lines.first().map(|line| id(line))));
            let new = match position {
                Position::After(_) => after(&lines, position),
                _ => is_whole.then_some(0),
            };
            last = Last { lines, new, is_whole, is_cut };
            if is_whole || is_cut || new.is_some() {
                break;
            }
        }
        Ok(Ok(last))
    }

    /// The last lines, and whether more bytes belong to them. Or why there is no such log.
    async fn last(&self, lines: usize, previous: bool) -> Result<Result<(Vec<Bytes>, bool), String>, String> {
        let Container { id: (_, container), pod, .. } = self.container;
        let path = ["api", "v1", "namespaces", self.namespace, "pods", pod, "log"];
        let (lines, most) = (lines.to_string(), MOST_BYTES.to_string());
        let query = [
            ("container", container.as_str()),
            ("timestamps", "true"),
            ("tailLines", &lines),
            ("limitBytes", &most),
            ("previous", if previous { "true" } else { "false" }),
        ];
        let answer = self.api.get(&path, &query, MOST_BYTES + SPARE_BYTES).await?;
        match answer.status() {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => return Ok(Err(refusal(&answer))),
            status if !status.is_success() => return Err(refusal(&answer)),
            _ => {}
        }
        let body = answer.into_body();
        let is_cut = body.len() >= MOST_BYTES;
        Ok(Ok((split(&body, is_cut)?, is_cut)))
    }
}

/// The whole lines of an answer, with their times. The last one may be written still.
fn split(body: &Bytes, is_cut: bool) -> Result<Vec<Bytes>, String> {
    let mut lines = Vec::new();
    for part in body.split_inclusive(|byte| *byte == b'\n') {
        let line = part.strip_suffix(b"\n").unwrap_or(part);
        let is_line = line.len() < part.len();
        let time = line.split(|byte| *byte == b' ').next().and_then(|time| std::str::from_utf8(time).ok());
        if time.and_then(from_rfc3339).is_none() && (is_line || !is_cut) {
            // A node that cannot read a log says why in its place.
            return Err(format!("the node says: {}", shown(line)));
        }
        if is_line {
            lines.push(body.slice_ref(line));
        }
    }
    Ok(lines)
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
