//! Sending again what stands on the log, whatever it is: at a rate, with an account of it that is told and kept.
//!
//! ```text
//! raw.<source> ─▶ meant? ─▶ parse ─▶ claims: which events never came out? ─▶ course ─▶ raw.<source>
//!                                                                             │ ▲
//!                                             who, when, what, how many ◀─────┘ └── letters (dead_letters)
//! ```
//!
//! * [`select`]: which raw deliveries are meant; [`account`]: what is found among them and what is told of it
//! * [`reader`]: how the stage reads them
//! * `course`: what any replay does; `raw`: the replay of raw deliveries

pub mod account;
pub(crate) mod course;
pub(crate) mod raw;
pub mod reader;
pub mod select;
