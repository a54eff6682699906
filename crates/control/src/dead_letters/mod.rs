//! Looking at dead letters, of all stages, and sending them again.
//!
//! ```text
//!                ┌── index: where may something stand? ─▶ counts
//! dead-letters ──┴▶ scan ─▶ select: meant? ─┬─▶ page
//!                                           └─▶ plan: may it go, as what? ─▶ replay ─▶ raw.…, activities, loads
//!                                                 ▲ the original record         │
//!                                                 └── log      who, when, what ─▶ the registrations' database
//! ```
//!
//! * [`service`]: the gRPC service
//! * [`select`]: which letters are meant; [`page`], [`stats`]: what is told of them; `kind`: what is counted together
//! * [`plan`]: whether a letter may be replayed, and the record that is sent
//! * [`account`]: what a replay has done
//! * `index`, of `block`s: what has been counted, and where which letters may stand; `indexer` keeps it
//! * `scan`: reads the topic; `replay`: sends what is selected, as [`replay`](crate::replay) does; `originals`: the records
//!   that letters are about, each read once

pub mod account;
pub(crate) mod block;
pub(crate) mod index;
pub(crate) mod indexer;
pub(crate) mod kind;
pub(crate) mod originals;
pub mod page;
pub mod plan;
mod replay;
pub(crate) mod scan;
pub mod select;
pub mod service;
pub mod stats;
