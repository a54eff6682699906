//! What a request goes through where servers and clients meet: one stack for each kind, each shown whole in its file.
//!
//! | kind | file |
//! |---|---|
//! | every HTTP server, on its connections | `layers/http.rs` |
//! | the door | `crates/streaming/src/layers.rs` |
//! | the admin server | `layers/admin.rs` |
//! | the gRPC server | `layers/grpc_server.rs` |
//! | gRPC clients | `layers/grpc_client.rs` |
//! | HTTP clients | `layers/http_client.rs` |
//!
//! What is listed first is outermost. Layers are those of tower and tonic, or our own with the reason beside it:
//! `docs/adr/0021-one-stack-of-layers.md` has the table.

pub(crate) mod admin;
mod deadline;
pub(crate) mod grpc_client;
pub(crate) mod grpc_server;
pub(crate) mod http;
mod http_client;
