//! The way in, for real: HAProxy, configured from the rendered Ingresses of an overlay, in front of the services as
//! processes. What a cluster does beside it is done here as it does it: a pod is routed to when it is ready, and not any
//! more a moment after it was told to end.
//!
//! ```text
//! senders ──▶ HAProxy (hosts and paths of k8s/overlays/review) ──▶ streaming × 2
//! gRPC    ──▶                                                  ──▶ processing × 2, health-check
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod pods;
mod proxy;
#[path = "../manifests/render.rs"]
#[allow(dead_code, reason = "shared with the tests of the manifests")]
mod render;
mod restarts;
mod traffic;
mod ways;
mod world;
