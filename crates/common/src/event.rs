//! What typed events have in common.

use std::collections::BTreeMap;

pub use crate::generated::weir::event::v1;
use crate::json::reader::FromJson;

include!(concat!(env!("OUT_DIR"), "/from_json.rs"));

/// A typed event of a platform: a message with a context and a place for what its schema does not know.
pub trait Event: FromJson + prost::Message + prost::Name + Default {
    /// The topic that carries it, without the prefix of the installation.
    const TOPIC: &'static str;
    /// Identity, tenant and times.
    fn context(&self) -> Option<&v1::Context>;
    /// Sets identity, tenant and times.
    fn set_context(&mut self, context: v1::Context);
    /// JSON Pointer (RFC 6901) within the platform's object to JSON text, for all that has no field of its own.
    fn unknown_mut(&mut self) -> &mut BTreeMap<String, String>;
}

/// A typed event's topic and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// Topic, without the prefix of the installation.
    pub topic: &'static str,
    /// Full protobuf name, the record's `ce_type`.
    pub proto: &'static str,
}
