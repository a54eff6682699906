//! What the tests of Weir need: Apache Kafka, Redis and PostgreSQL; Weir itself, its services in the test's process or
//! as processes; deliveries, made and real. Everything listens on loopback only, and nothing outlives the test process.
//!
//! What starts servers and programs blocks: it takes seconds at most, and a test that waits for its server has nothing else
//! to do.

pub mod balance;
pub mod certificates;
pub mod child;
pub mod clock;
pub mod cluster;
pub mod connect;
pub mod data;
pub mod disk;
pub mod environment;
pub mod github;
pub mod installation;
pub mod kafka;
pub mod memory;
mod output;
pub mod page;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod processes;
pub mod prometheus;
pub mod promtool;
pub mod proxy;
pub mod python;
pub mod raw;
pub mod real;
pub mod redis;
pub mod running;
pub mod scratch;
pub mod spark;
pub mod topic;
pub mod up;
pub mod usage;
pub mod wait;
