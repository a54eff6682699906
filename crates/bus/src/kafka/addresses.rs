//! A client that has lost the address of every broker gets those of the settings again.
//!
//! A cluster whose brokers are all fenced for a moment (they were held up for longer than their sessions, as on a laptop
//! that slept) still answers, with topics and no brokers. librdkafka then drops every address it has, and where the
//! answer comes at an unlucky moment it never goes back to those of the settings: it does nothing any more, for ever
//! (<https://github.com/confluentinc/librdkafka/issues/5301>).
#![allow(unsafe_code, reason = "librdkafka takes addresses only through its C interface")]

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::ClientContext;
use rdkafka::bindings as rd;
use rdkafka::client::Client;
use rdkafka::statistics::Statistics;

/// Whether one client knows the address of any broker, as its last statistics said.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    lost: AtomicBool,
}

impl Addresses {
    pub(crate) fn on_stats(&self, statistics: &Statistics) {
        // The others stand for no address of their own: the coordinator of a group, and what is not yet given to a broker.
        let is_known = |source: &str| matches!(source, "configured" | "learned");
        let known = statistics.brokers.values().any(|broker| is_known(&broker.source));
        self.lost.store(!known, Ordering::Relaxed);
    }

    /// True once for each statistics that said so.
    fn are_lost(&self) -> bool {
        self.lost.swap(false, Ordering::Relaxed)
    }

    /// Gives the client, known by this name in the log, those of the settings where it has lost all.
    pub(crate) fn find_again<C: ClientContext>(&self, client: &Client<C>, name: &str, brokers: &[String]) {
        if !self.are_lost() {
            return;
        }
        let Ok(brokers) = CString::new(brokers.join(",")) else { return };
        // SAFETY: the client lives for as long as it is borrowed, and copies the text.
        let added = unsafe { rd::rd_kafka_brokers_add(client.native_ptr(), brokers.as_ptr()) };
        tracing::warn!(
            client = name,
            added,
            "the client lost the addresses of all brokers, reconnecting with those of bus.kafka.brokers"
        );
        metrics::counter!("weir_kafka_addresses_lost_total", "client" => name.to_owned()).increment(1);
    }
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
