//! Who may call what, by the names of the certificate that a client showed.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Request;
use tonic::Status;

use super::incoming::Peer;
use crate::settings::{ANYBODY, AllowSettings};

/// What every client that is let in may call: whether a server is well, and what it has.
const OPEN: &[&str] = &["grpc.health.v1", "grpc.reflection.v1", "grpc.reflection.v1alpha"];

/// `grpc.tls.allow`. What no entry names nobody may call.
#[derive(Clone, Debug)]
pub(crate) struct Allow(Arc<BTreeMap<String, Vec<String>>>);

impl Allow {
    /// None: everybody who is let in may call everything.
    pub(crate) fn new(entries: &[AllowSettings]) -> Option<Self> {
        let entries = entries.iter().map(|entry| (entry.call.clone(), entry.names.clone()));
        (entries.len() > 0).then(|| Self(Arc::new(entries.collect())))
    }

    /// Whether one of these names may call `/package.Service/Method`. The entry that says most counts: that of the
    /// method, else of the service, else of the package.
    fn permits(&self, path: &str, names: &[String]) -> bool {
        let method = path.strip_prefix('/').unwrap_or(path);
        let Some((service, _)) = method.split_once('/') else { return false };
        let package = service.rsplit_once('.').map_or("", |(package, _)| package);
        if OPEN.contains(&package) {
            return true;
        }
        let entry = [method, service, package].iter().find_map(|what| self.0.get(*what));
        entry.is_some_and(|allowed| allowed.iter().any(|name| name == ANYBODY || names.contains(name)))
    }
}

/// Refuses a call that is not allowed, before anybody reads it. Without a list everything is.
pub(crate) fn check<B>(allow: Option<&Allow>, call: Request<B>) -> Result<Request<B>, Status> {
    let Some(allow) = allow else { return Ok(call) };
    let peer = call.extensions().get::<Peer>().cloned().unwrap_or_default();
    let path = call.uri().path();
    if allow.permits(path, &peer.names) {
        return Ok(call);
    }
    let who =
        if peer.names.is_empty() { "without a DNS name".to_owned() } else { format!("of {}", peer.names.join(", ")) };
    tracing::warn!(peer = who, path, "a gRPC call was refused by grpc.tls.allow");
    metrics::counter!("weir_grpc_refused_total").increment(1);
    Err(Status::permission_denied(format!("a certificate {who} may not call {path} (setting grpc.tls.allow)")))
}

#[cfg(test)]
#[path = "allow_tests.rs"]
mod tests;
