//! What the tests of Weir need around them: Apache Kafka, Redis, PostgreSQL, Weir's own programs as processes, and real
//! deliveries. Everything listens on loopback only, and nothing outlives the test process.
//!
//! All of it blocks: starting a server takes seconds at most, and a test that waits for its server has nothing else to
//! do.

pub mod certificates;
pub mod child;
pub mod cluster;
pub mod connect;
pub mod data;
pub mod disk;
pub mod environment;
pub mod kafka;
pub mod memory;
mod output;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod python;
pub mod redis;
pub mod scratch;
pub mod topic;
pub mod wait;
