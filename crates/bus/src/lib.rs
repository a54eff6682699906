//! The event bus: typed produce and consume over a durable, partitioned log, and the only user of Kafka's client.
//!
//! * [`Bus`] opens it: identity of the log, topics, and everything below
//! * [`Producer`]: sends without waiting, bounded by count and bytes; a [`Receipt`] or an [`Ack`] tells the outcome
//! * [`Consumer`]: batches in the order of each partition; each record is held by an [`Ack`] until its outputs are durable
//! * [`Reader`] and [`Table`]: reading without a group; a compacted topic in memory; [`Lookup`]: single
//!   records; [`Spans`]: parts of a topic, from its end too
//! * [`Claims`]: which event came out of which record, so that duplicates are told from repetitions
//! * [`dead_letters`]: what a stage refuses
//! * [`Canary`]: what goes the way of events to show that it is open
//!
//! ```text
//! Producer ── limits ── Kafka client ──▶ log ──▶ poll thread ── limits ──▶ Consumer ──▶ the stage ──▶ Producer
//!                                                    ▲                        Ack ◀──── delivered ──────┘
//!                                                    └── tracker: the contiguous prefix is stored and committed
//! ```
//!
//! Nothing of the client shows in this interface, so that another log can stand behind it.

mod ack;
mod backend;
mod bus;
mod canary;
pub mod claims;
mod clock;
mod consumer;
mod content;
mod coordinates;
mod culprit;
pub mod dead_letters;
mod embedded;
mod error;
mod extent;
mod gate;
mod groups;
mod headers;
mod in_flight;
mod intake;
mod kafka;
mod keeping;
mod logs;
mod lookup;
mod meters;
mod producer;
mod progress;
mod reader;
mod record;
mod secret;
pub mod settings;
mod span;
mod spans;
mod stalls;
mod standing;
mod start;
mod table;
mod threads;
mod timekeeper;
mod topics;
mod tracker;

pub use ack::{Ack, AckOutcome};
pub use bus::Bus;
pub use canary::Canary;
pub use claims::{Claim, Claims, ClaimsState, Reach, Verdict};
pub use clock::Clock;
pub use consumer::{Consumer, ConsumerState, Lag, Stopped};
pub use coordinates::{Coordinates, NotCoordinates};
pub use error::{Error, Rejection};
pub use extent::{Epoch, Extent};
pub use groups::{Group, GroupPlace};
pub use headers::Headers;
pub use kafka::reader::READER_GROUP;
pub use keeping::{Keeping, Unread};
pub use logs::Logs;
pub use lookup::Lookup;
pub use producer::{Producer, ProducerState, Receipt};
pub use reader::Reader;
pub use record::{Assignment, Batch, Incoming, Prepared, Record, Stored};
pub use settings::{DEFAULTS, Settings};
pub use span::{OffsetRange, Span};
pub use spans::Spans;
pub use stalls::Stalls;
pub use standing::{Membership, Standing};
pub use start::Start;
pub use table::{Table, TableHandle};
pub use topics::{Kept, TopicKind, TopicProblem, TopicSpec, shape};
