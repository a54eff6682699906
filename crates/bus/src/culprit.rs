//! Which record ends the process.
//!
//! A record that takes the whole process down (an abort, the stack, memory) cannot be caught beside the others that were
//! out. What is known of such ends stands with the group's committed offset, in its metadata, so that it outlives the
//! process and is there for any other instance:
//!
//! 1. A run that begins at an offset where records wait leaves its mark there. Progress commits another offset without
//!    a mark, and a run that ends in good order takes its mark back. So a mark of another run says: a process ended
//!    here, and nothing had been done.
//! 2. After [`ENDS_BEFORE_TRIAL`] of them, records go out one at a time, with nothing else out, and each is named in the
//!    mark before it goes out.
//! 3. After [`ENDS_ON_TRIAL`] marks of other runs that name the same record it is the culprit. One alone says little: a
//!    process that is killed from outside has some record out too.

use std::fmt;

/// How often a process must have ended at one offset before its records are tried one at a time.
pub(crate) const ENDS_BEFORE_TRIAL: u32 = 2;

/// How often a process must have ended while the same record was out alone.
pub(crate) const ENDS_ON_TRIAL: u32 = 3;

/// What stands with a committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// How often a process ended here before this run.
    pub(crate) ended: u32,
    /// The run that is under way; none: it ended in good order.
    pub(crate) run: Option<u64>,
    /// The record that is out alone, or that was found.
    pub(crate) record: Option<Charge>,
}

/// What a record is charged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    /// It goes out with nothing else.
    Trial(Suspect),
    /// It did, and is not out now.
    Suspected(Suspect),
    /// The process ended while it was on trial.
    Culprit(i64),
}

/// A record, and how often a process ended while it was on trial before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suspect {
    pub(crate) offset: i64,
    pub(crate) times: u32,
}

/// What is committed with an offset begins with this.
pub(crate) const NAME: &str = "weir:";

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}ended={}", self.ended)?;
        if let Some(run) = self.run {
            write!(f, ",run={run:016x}")?;
        }
        match self.record {
            Some(Charge::Trial(Suspect { offset, times })) => write!(f, ",trial={offset},times={times}"),
            Some(Charge::Suspected(Suspect { offset, times })) => write!(f, ",suspect={offset},times={times}"),
            Some(Charge::Culprit(offset)) => write!(f, ",culprit={offset}"),
            None => Ok(()),
        }
    }
}

impl Mark {
    /// Metadata of others, or what cannot be read, is no mark: then nothing is known, and nobody is charged.
    pub(crate) fn read(metadata: &str) -> Option<Self> {
        let (mut ended, mut run, mut record, mut times) = (None, None, None, 0);
        for pair in metadata.strip_prefix(NAME)?.split(',') {
            let (key, value) = pair.split_once('=')?;
            match key {
                "ended" => ended = Some(value.parse().ok()?),
                "run" => run = Some(u64::from_str_radix(value, 16).ok()?),
                "trial" => record = Some(Charge::Trial(Suspect { offset: value.parse().ok()?, times: 0 })),
                "suspect" => record = Some(Charge::Suspected(Suspect { offset: value.parse().ok()?, times: 0 })),
                "times" => times = value.parse().ok()?,
                "culprit" => record = Some(Charge::Culprit(value.parse().ok()?)),
                // Of a later version.
                _ => {}
            }
        }
        if let Some(Charge::Trial(suspect) | Charge::Suspected(suspect)) = &mut record {
            suspect.times = times;
        }
        Some(Self { ended: ended?, run, record })
    }
}

/// What a partition is watched for, from its beginning on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watch {
    run: u64,
    /// How often a process ended here.
    ended: u32,
    culprit: Option<i64>,
    /// The record on which processes ended, less often than a culprit.
    suspect: Option<Suspect>,
    /// Records go out one at a time while this lasts.
    single_file: Option<Window>,
    /// The mark that stands with the committed offset.
    on_log: Option<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// The end of the partition when it began.
    until: i64,
    /// More records than this were never out at once.
    left: usize,
}

impl Watch {
    /// A partition begins, with what its committed offset says, for this run.
    ///
    /// `end` is the offset after its last record, `limit` how many records can have been out at once; 0: ends are counted,
    /// and nothing is ever suspected.
    pub(crate) fn begin(found: Option<Mark>, run: u64, position: i64, end: i64, limit: usize) -> Self {
        let mut watch = Self { run, ended: 0, culprit: None, suspect: None, single_file: None, on_log: found };
        let Some(found) = found.filter(|_| position < end) else { return watch };
        // A mark of this run is one it left when it lost the partition: the process has not ended.
        let ended = found.run.is_some_and(|of| of != run);
        watch.ended = found.ended.saturating_add(u32::from(ended));
        if limit == 0 {
            return watch;
        }
        match found.record {
            Some(Charge::Culprit(offset)) => watch.culprit = Some(offset),
            Some(Charge::Trial(Suspect { offset, times })) => {
                let times = times.saturating_add(u32::from(ended));
                if times >= ENDS_ON_TRIAL {
                    watch.culprit = Some(offset);
                } else {
                    watch.suspect = Some(Suspect { offset, times });
                }
            }
            Some(Charge::Suspected(suspect)) => watch.suspect = Some(suspect),
            None => {}
        }
        if watch.culprit.is_some() || watch.ended >= ENDS_BEFORE_TRIAL {
            watch.single_file = Some(Window { until: end, left: limit });
        }
        watch
    }

    /// The mark of a run that is under way, with nothing on trial.
    pub(crate) fn running(&self) -> Mark {
        let suspected = self.suspect.filter(|suspect| suspect.times > 0).map(Charge::Suspected);
        Mark { ended: self.ended, run: Some(self.run), record: self.culprit.map(Charge::Culprit).or(suspected) }
    }

    /// The mark under which this record goes out alone.
    pub(crate) fn charge(&self, offset: i64) -> Mark {
        let known = self.suspect.filter(|suspect| suspect.offset == offset);
        let trial = Charge::Trial(known.unwrap_or(Suspect { offset, times: 0 }));
        let record = if self.is_culprit(offset) { Charge::Culprit(offset) } else { trial };
        Mark { record: Some(record), ..self.running() }
    }

    /// The mark that a run leaves when it ends in good order: what was known before it.
    pub(crate) fn settled(&self) -> Option<Mark> {
        let known = self.ended > 0 || self.culprit.is_some();
        known.then(|| Mark { run: None, ..self.running() })
    }

    /// What stands with the committed offset.
    pub(crate) fn on_log(&self) -> Option<Mark> {
        self.on_log
    }

    pub(crate) fn written(&mut self, mark: Option<Mark>) {
        self.on_log = mark;
    }

    pub(crate) fn is_culprit(&self, offset: i64) -> bool {
        self.culprit == Some(offset)
    }

    pub(crate) fn has_culprit(&self) -> bool {
        self.culprit.is_some()
    }

    /// How often the process ended on the culprit, or at the place where it was out.
    pub(crate) fn ended(&self) -> u32 {
        self.ended
    }

    pub(crate) fn is_single_file(&self) -> bool {
        self.single_file.is_some()
    }

    /// Whether this record, the next one of a partition in single file, is to be tried.
    pub(crate) fn tries(&self, offset: i64) -> bool {
        self.single_file.is_some_and(|window| window.left > 0 && offset < window.until)
    }

    /// A record that was out alone is done. After a culprit nothing is suspected any more.
    pub(crate) fn passed(&mut self, offset: i64) {
        if self.is_culprit(offset) {
            return self.acquit();
        }
        self.suspect = self.suspect.filter(|suspect| suspect.offset != offset);
        if let Some(window) = &mut self.single_file {
            window.left = window.left.saturating_sub(1);
        }
    }

    /// Whether nothing up to this position is suspected any more.
    pub(crate) fn is_over(&self, position: i64) -> bool {
        self.single_file.is_none_or(|window| window.left == 0 || position >= window.until)
    }

    /// Nothing is known against any record from here on.
    pub(crate) fn acquit(&mut self) {
        (self.ended, self.culprit, self.suspect, self.single_file) = (0, None, None, None);
    }

    /// Progress was stored: the committed offset will stand elsewhere, without a mark. True: there was one.
    pub(crate) fn progress(&mut self) -> bool {
        self.acquit();
        self.on_log.take().is_some()
    }
}

#[cfg(test)]
#[path = "culprit_tests.rs"]
mod tests;
