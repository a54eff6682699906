//! What the services say that they did with what they took in.

use std::collections::BTreeMap;

/// The counts of one stage, of all instances that run.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    pub(crate) taken_in: u64,
    pub(crate) sent_on: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) dropped: BTreeMap<String, u64>,
}

impl Balance {
    /// Adds what one instance says on /health.
    pub(crate) fn add(&mut self, hop: &str, health: &str) {
        let digest: serde_json::Value = serde_json::from_str(health).unwrap();
        for count in digest["counts"].as_array().unwrap().iter().filter(|count| count["hop"] == hop) {
            let number = |name: &str| count[name].as_u64().unwrap();
            self.taken_in += number("taken_in");
            self.sent_on += number("sent_on");
            self.dead_lettered += number("dead_lettered");
            for (reason, n) in count["dropped"].as_object().unwrap() {
                *self.dropped.entry(reason.clone()).or_default() += n.as_u64().unwrap();
            }
        }
    }

    /// Nothing is in work any more, and everything has its end.
    pub(crate) fn holds(&self) {
        let out = self.sent_on + self.dead_lettered + self.dropped.values().sum::<u64>();
        assert!(self.taken_in > 0, "{self:?}");
        assert_eq!(self.taken_in, out, "taken in = sent on + dead letters + dropped: {self:?}");
    }
}
