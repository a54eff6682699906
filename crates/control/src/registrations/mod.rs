//! The operator's door to registrations.
//!
//! ```text
//! gRPC ─▶ service ─▶ rules (may it be?) ─▶ store: lock, write ─▶ publish: on the topic ─▶ store: commit ─▶ answer
//!                                            ▲                        │
//!                                            └── reconcile: at start, after a failure, and when they differ
//! ```
//!
//! * [`service`]: the gRPC service
//! * [`rules`]: what may be registered, changed and removed
//! * [`store`]: where it lives; [`stored`]: in a database
//! * [`publish`]: the topic, and how topic and database are brought together again
//! * [`upkeep`]: what runs all the time: schema, reconciliation, health

pub mod publish;
pub mod rules;
pub mod service;
mod sql;
pub mod store;
pub mod stored;
pub mod upkeep;
