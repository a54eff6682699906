//! What a running Weir looks like: what `weir up --simulate` sends, counts and shows.
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
//! * [`table`]: shows the counts
//! * [`screen`]: where lines and the table go

pub mod counts;
pub mod screen;
pub mod secrets;
pub mod table;
pub mod watch;
