//! Looking at dead letters, of all stages, and sending them again.
//!
//! ```text
//! dead-letters ─▶ scan ─▶ select: meant? ─┬─▶ page, stats
//!                                         └─▶ plan: may it go, as what? ─▶ replay ─▶ raw.…, activities, loads
//!                                               ▲ the original record         │
//!                                               └── log      who, when, what ─▶ the registrations' database
//! ```
//!
//! * [`service`]: the gRPC service
//! * [`select`]: which letters are meant; [`page`], [`stats`]: what is told of them
//! * [`plan`]: whether a letter may be replayed, and the record that is sent
//! * [`account`]: what a replay has done
//! * `scan`: reads the topic; `replay`: sends what is selected, as [`replay`](crate::replay) does

pub mod account;
pub mod page;
pub mod plan;
mod replay;
pub(crate) mod scan;
pub mod select;
pub mod service;
pub mod stats;
