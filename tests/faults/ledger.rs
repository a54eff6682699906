//! What the senders know: which deliveries were acknowledged, and what each of them means.
//!
//! A line is written to a file and synced after the whole answer was read, or when there will be none; the checker knows
//! nothing but this file. Its notion of identity is its own: a delivery is its endpoint and the hash of its body, an event
//! is named by what the platform sent.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use simulate::Fate;
use simulate::sender::{SendOutcome, Sent};

/// What is known of a delivery. The better one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The door did not take it.
    Refused,
    /// It may have taken it or not.
    Indeterminate,
    /// It took it.
    Acknowledged,
}

/// One event that a delivery means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) activities: usize,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    delivery: u64,
    endpoint: String,
    /// SHA-256 of the body.
    body: String,
    answer: Answer,
    /// Which door answered, and when: milliseconds since 1970.
    door: usize,
    at: i64,
    /// Dead letters that are to come of it.
    dead_letters: u32,
    events: Vec<Event>,
}

/// What was sent: to which endpoint, and the hash of the body.
pub(crate) type What = (String, String);

pub(crate) fn what(endpoint: &str, body: &[u8]) -> What {
    (endpoint.to_owned(), hex::encode(Sha256::digest(body)))
}

/// Writes the lines.
#[derive(Debug)]
pub(crate) struct Recorder {
    lines: mpsc::Sender<Line>,
    writer: JoinHandle<anyhow::Result<()>>,
    path: PathBuf,
}

impl Recorder {
    pub(crate) fn new(path: &Path) -> anyhow::Result<Self> {
        let mut file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let (lines, queue) = mpsc::channel::<Line>();
        let write = move || {
            while let Ok(first) = queue.recv() {
                let mut bytes = Vec::new();
                // What has come meanwhile is synced together.
                for line in std::iter::once(first).chain(queue.try_iter()) {
                    serde_json::to_writer(&mut bytes, &line)?;
                    bytes.push(b'\n');
                }
                file.write_all(&bytes)?;
                file.sync_data()?;
            }
            Ok(())
        };
        let writer = std::thread::Builder::new().name("ledger".to_owned()).spawn(write)?;
        Ok(Self { lines, writer, path: path.to_owned() })
    }

    /// A delivery, of which the whole answer has been read, or will never be.
    pub(crate) fn record(&self, door: usize, sent: &Sent) {
        let delivery = &sent.delivery;
        let (endpoint, body) = what(&delivery.endpoint, &delivery.body);
        let answer = match sent.outcome {
            SendOutcome::Acknowledged => Answer::Acknowledged,
            SendOutcome::Indeterminate => Answer::Indeterminate,
            SendOutcome::Refused => Answer::Refused,
        };
        let events = delivery.meaning.events.iter().map(|event| Event {
            topic: event.topic.to_owned(),
            key: event.key.clone(),
            activities: event.activities.len(),
        });
        let dead_letters = match delivery.meaning.fate {
            Fate::DeadLetters(count) => count,
            _ => 0,
        };
        let events = events.collect();
        let at = common::time::to_millis(&service::clock::timestamp());
        // A writer that has failed says so at the end.
        let _ =
            self.lines.send(Line { delivery: delivery.number, endpoint, body, answer, door, at, dead_letters, events });
    }

    /// Waits until all lines are on the disk, and reads them.
    pub(crate) fn finish(self) -> anyhow::Result<Ledger> {
        drop(self.lines);
        self.writer.join().map_err(|_| anyhow!("the ledger's thread panicked"))?.context("cannot write the ledger")?;
        Ledger::read(&self.path)
    }
}

/// Deliveries with one body to one endpoint.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// The best of their answers.
    pub(crate) answer: Answer,
    /// Those that were acknowledged: by which door, and when, in milliseconds since 1970.
    pub(crate) acknowledged: Vec<(usize, i64)>,
    pub(crate) dead_letters: u32,
    pub(crate) events: Vec<Event>,
}

/// All that was sent.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) deliveries: HashMap<What, Delivered>,
    pub(crate) acknowledged: u64,
    pub(crate) indeterminate: u64,
    pub(crate) refused: u64,
}

impl Ledger {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let mut ledger = Self::default();
        for line in BufReader::new(File::open(path)?).lines() {
            ledger.add(serde_json::from_str(&line?).with_context(|| format!("invalid line in {}", path.display()))?);
        }
        Ok(ledger)
    }

    fn add(&mut self, line: Line) {
        match line.answer {
            Answer::Acknowledged => self.acknowledged += 1,
            Answer::Indeterminate => self.indeterminate += 1,
            Answer::Refused => self.refused += 1,
        }
        let entry = self.deliveries.entry((line.endpoint, line.body)).or_insert(Delivered {
            answer: line.answer,
            acknowledged: Vec::new(),
            dead_letters: line.dead_letters,
            events: Vec::new(),
        });
        entry.answer = entry.answer.max(line.answer);
        if line.answer == Answer::Acknowledged {
            entry.acknowledged.push((line.door, line.at));
        }
        // One that was refused on purpose means nothing; the same body may be meant elsewhere.
        if line.answer != Answer::Refused {
            (entry.dead_letters, entry.events) = (line.dead_letters, line.events);
        }
    }

    /// Takes in what somebody else has sent.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.indeterminate += other.indeterminate;
        self.refused += other.refused;
        for (what, theirs) in other.deliveries {
            match self.deliveries.entry(what) {
                Entry::Vacant(vacant) => drop(vacant.insert(theirs)),
                Entry::Occupied(mut own) => {
                    let own = own.get_mut();
                    own.acknowledged.extend(theirs.acknowledged);
                    // One that was refused on purpose means nothing; the same body may be meant elsewhere.
                    if theirs.answer != Answer::Refused {
                        (own.dead_letters, own.events) = (theirs.dead_letters, theirs.events);
                    }
                    own.answer = own.answer.max(theirs.answer);
                }
            }
        }
    }

    pub(crate) fn sent(&self) -> u64 {
        self.acknowledged + self.indeterminate + self.refused
    }
}
