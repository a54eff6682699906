//! The back end within this process: a log in a folder, for an installation without Kafka.
//!
//! * [`keys`]: how everything is written; [`store`]: the files, and what is known of them in memory; [`repair`]: what a
//!   loss of power left half written
//! * [`writer`]: the one thread that writes, with one fsync for all that is there; [`disk`]: whether there is room
//! * [`producer`]: from a record to the writer; [`partitioner`]: the same partition for a key as with Kafka
//! * [`consumer`]: the thread of a group's [`member`]; [`begin`]: where its partitions begin; [`trial`]: commits around
//!   records that are tried one at a time; [`groups`]: who has which partition
//! * [`reader`]: reading without a group; [`topics`]: creating and checking topics; [`operate`]: what an operator decides
//! * [`extent`]: from where to where partitions go, now and when the log was opened
//! * [`keeper`]: removes what has had its time; [`marks`]: how far a partition went, and when
//! * [`epochs`]: which offsets were given since the folder was copied; [`beside`]: whether it was
//! * [`owner`]: one process has the log, and all buses of it share it
//!
//! ```text
//! producers ─┐                                        ┌─▶ the end of each partition ─▶ readers, members of groups
//! commits ───┼─▶ queue ─▶ writer: one batch, one fsync ┤
//! topics ────┘                                        └─▶ receipts, acks
//! ```

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::gate::Gate;
use crate::keeping::{Keeping, Unread};
use crate::threads::{lock, thread};
use crate::timekeeper::{self, Timekeeper};
use crate::{Error, Settings};

mod begin;
mod beside;
pub(crate) mod consumer;
mod disk;
mod epochs;
mod extent;
mod groups;
mod keeper;
mod keys;
mod marks;
mod member;
pub(crate) mod operate;
mod owner;
pub(crate) mod partitioner;
pub(crate) mod producer;
pub(crate) mod reader;
mod repair;
mod spans;
mod store;
pub(crate) mod topics;
mod trial;
mod writer;

pub(crate) use disk::Disk;
use groups::Groups;
use owner::Closing;
use store::{Files, Topic, Topics};
use writer::{Queue, Writer};

/// The folder within `data_dir`.
const FOLDER: &str = "log";

/// The log as a bus sees it: with its settings.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(crate) settings: Arc<Settings>,
    pub(crate) log: Arc<Log>,
    /// Its UUID, and the generation of the settings.
    pub(crate) identity: Arc<str>,
    /// The same in each epoch.
    epochs: HashMap<u32, Arc<str>>,
}

/// An open log, shared by all buses of this process.
#[derive(Debug)]
pub(crate) struct Log {
    /// The first to go: it writes what waits, and its files are still there.
    _writer: Hand,
    keeper: keeper::Keeper,
    pub(crate) files: Files,
    uuid: String,
    epochs: epochs::Epochs,
    topics: Topics,
    /// The number of the next topic. Whoever creates one holds it.
    next_topic: Mutex<u32>,
    /// Somebody has looked at where partitions ended when it was opened.
    looked: AtomicBool,
    /// Whoever removes records holds it.
    forgetting: Mutex<()>,
    queue: Arc<Queue>,
    groups: Arc<Groups>,
    /// Changes whenever there is more to be read.
    shown: watch::Receiver<u64>,
    /// Why nothing can be written.
    state: Arc<Mutex<Option<Error>>>,
    pub(crate) disk: Arc<Disk>,
    #[cfg(test)]
    held: Arc<Mutex<()>>,
    /// By which is removed what has had its time.
    pub(crate) time: Arc<Timekeeper>,
    /// What is kept beyond its time, as it was found last.
    pub(crate) unread: Mutex<Vec<Unread>>,
    /// What all consumers of this process pass.
    pub(crate) gate: Arc<Gate>,
    /// For each claims' store in it, by its name: one writer at a time, and where it looks next for expired claims.
    pub(crate) claims: Mutex<HashMap<String, Arc<Mutex<Vec<u8>>>>>,
    /// The last to go.
    _closing: Closing,
}

/// Waits for the writer's thread.
#[derive(Debug)]
struct Hand {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the embedded log has panicked");
        }
    }
}

impl Embedded {
    /// Opens the log in the data directory, or shares it with who has it open in this process. Blocks.
    pub(crate) fn open(settings: Arc<Settings>, clock: &Clock) -> Result<Self, Error> {
        let log =
            owner::share(&settings.data_dir.join(FOLDER), |folder, closing| Log::open(folder, clock.clone(), closing))?;
        let identity: Arc<str> = format!("{}.{}", log.uuid, settings.kafka.generation).into();
        let epochs = log.epochs.identities(&identity);
        Ok(Self { settings, log, identity, epochs })
    }

    /// Whether it can be written.
    pub(crate) fn ping(&self) -> Result<(), Error> {
        self.log.has_room()?;
        lock(&self.log.state).clone().map_or(Ok(()), Err)
    }

    /// What is to be known of how records are kept.
    pub(crate) fn keeping(&self) -> Keeping {
        let own = |unread: &Unread| {
            let prefix = &self.settings.topic_prefix;
            let (group, topic) = (unread.group.strip_prefix(prefix)?, unread.topic.strip_prefix(prefix)?);
            Some(Unread { group: group.into(), topic: topic.into(), ..unread.clone() })
        };
        let unread = lock(&self.log.unread).iter().filter_map(own).collect();
        Keeping { clock_jumped_by: self.log.time.jump().map(timekeeper::shown), unread }
    }

    /// A topic by its name without the prefix.
    fn topic(&self, name: &str) -> Result<Arc<Topic>, Error> {
        let full = self.settings.full_name(name);
        self.log.topic(&full).ok_or_else(|| Error::NoTopic { topic: full.into() })
    }

    /// Who a topic is: it has a number of its own each time it is created.
    pub(crate) fn topic_identity(&self, name: &str) -> Result<Arc<str>, Error> {
        let topic = self.topic(name)?;
        Ok(format!("{}/{}/{}", self.log.uuid, topic.name, topic.row.number).into())
    }
}

impl Log {
    fn open(folder: &Path, clock: Clock, closing: Closing) -> Result<Arc<Self>, Error> {
        let opened = Files::open(folder)?;
        let epochs = epochs::Epochs::open(&opened, folder)?;
        let store::Opened { files, uuid, topics, next_topic } = opened;
        let (queue, groups, state) = (Arc::<Queue>::default(), Arc::<Groups>::default(), Arc::default());
        groups.topics(topics.values().map(|topic| partitions(topic)));
        let topics = RwLock::new(topics);
        let time = Arc::new(time(&files, &topics, clock.clone())?);
        files.mark_old(&topics, time.now().latest)?;
        let (shown, see) = watch::channel(0);
        let disk = Disk::of(files.folder.clone());
        #[cfg(test)]
        let held = Arc::<Mutex<()>>::default();
        let writer = Writer {
            files: files.clone(),
            queue: queue.clone(),
            groups: groups.clone(),
            shown,
            state: Arc::clone(&state),
            clock,
            disk: disk.clone(),
            #[cfg(test)]
            held: Arc::clone(&held),
            stopped: None,
        };
        let thread = thread("weir-log", move || writer.run())?;
        let log = Arc::new(Self {
            _writer: Hand { queue: queue.clone(), thread: Some(thread) },
            keeper: keeper::Keeper::default(),
            files,
            uuid,
            epochs,
            topics,
            next_topic: Mutex::new(next_topic),
            looked: AtomicBool::new(false),
            forgetting: Mutex::new(()),
            queue,
            groups,
            shown: see,
            state,
            disk,
            #[cfg(test)]
            held,
            time,
            unread: Mutex::default(),
            gate: Arc::default(),
            claims: Mutex::default(),
            _closing: closing,
        });
        log.keeper.start(Arc::downgrade(&log))?;
        Ok(log)
    }

    /// An error while there is no room on the disk.
    pub(crate) fn has_room(&self) -> Result<(), Error> {
        self.disk.has_room()
    }

    fn topic(&self, full: &str) -> Option<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(full).cloned()
    }
}

/// Goes on from what was kept. A log of an older version has kept nothing: there its records tell the time.
fn time(files: &Files, topics: &Topics, clock: Clock) -> Result<Timekeeper, Error> {
    if let Some(stored) = files.get(keys::TIME)? {
        return Ok(Timekeeper::new(clock, Some(&stored)));
    }
    let wall = i64::try_from(clock.millis()).unwrap_or(i64::MAX);
    let last = files.last_written(topics, wall)?.map(|last| timekeeper::stored(last, last));
    Ok(Timekeeper::new(clock, last.as_ref().map(|stored| &stored[..])))
}

fn partitions(topic: &Topic) -> (Arc<str>, i32) {
    (topic.name.clone(), i32::try_from(topic.parts.len()).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod power_loss_tests;
#[cfg(test)]
pub(crate) mod tests;
