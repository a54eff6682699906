//! Weir on one machine, and the tools of those who run it.
//!
//! * [`access`]: what each service has to be allowed on Kafka
//! * [`catalogue`]: every service there is
//! * [`cmd`]: the commands of the binary, one file each
//! * [`decode`]: any record of any topic, for people
//! * [`records`]: reading topics, wherever the log is
//! * [`trace`]: what became of a delivery
//! * [`register`]: what the commands have in common that talk to the registrations
//! * [`live`]: what a running Weir looks like: the table of `weir up --simulate`
//! * [`manifests`]: the part of the manifests and of the docs that follows from the catalogue
//! * [`settings`]: the settings of all of it
//! * [`topics`]: every topic of the services, with its configuration
//! * [`strimzi`]: topics and users as resources of Kubernetes
//! * [`out`]: what people and pipes see

pub mod access;
pub mod catalogue;
pub mod cmd;
pub mod decode;
pub mod live;
pub mod manifests;
pub mod out;
pub mod records;
pub mod register;
pub mod settings;
pub mod strimzi;
pub mod topics;
pub mod trace;
