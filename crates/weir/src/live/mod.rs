//! What a running Weir looks like: what `weir up` shows, and what `weir up --simulate` sends and counts.
//!
//! ```text
//! generator ─▶ sender ─▶ door … topics ─▶ watch ─▶ Counts ─▶ table (a terminal) or a line now and then
//!                │                          └─ three decoded events, once
//!                └─▶ Counts
//! ```
//!
//! * [`secrets`]: the secrets of the simulated endpoints, kept from start to start
//! * [`counts`]: what was delivered and what came out
//! * [`watch`]: reads what comes out
//! * [`table`]: shows the counts; [`stages`]: how the process is, and what went through its stages
//! * [`limits`]: what of it is beyond a limit of health-check
//! * [`screen`]: where lines and the table go

pub mod counts;
pub mod limits;
pub mod screen;
pub mod secrets;
pub mod stages;
pub mod table;
pub mod watch;
