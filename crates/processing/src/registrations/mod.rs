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
//! * [`store`]: where it lives; [`sqlite`] and [`postgres`] are the two databases
//! * [`publish`]: the topic, and how topic and database are brought together again
//! * [`upkeep`]: what runs all the time: schema, reconciliation, health

pub mod postgres;
pub mod publish;
pub mod rules;
pub mod service;
mod sql;
pub mod sqlite;
pub mod store;
pub mod upkeep;
