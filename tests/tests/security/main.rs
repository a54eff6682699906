//! Who may do what, and that nothing tells a secret: Kafka with SASL, certificates and ACLs; TLS for HTTP and gRPC;
//! what the services log and answer while secrets are planted everywhere a secret can stand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod acls;
mod door;
mod grpc;
mod pipeline;
mod planted;
mod refused;
mod secrets;
mod world;
