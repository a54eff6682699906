//! Whether a client gets into its group, and whether it can leave it.
//!
//! A client can wait for its group for ever, with its connections up and without a word. It tells in its statistics where
//! it stands: one that waits for longer than any rebalance takes is closed, and another one is made.
//!
//! A client that is closed while its group is being shared out tells nobody that it leaves (librdkafka 2.12.1): the others
//! wait for it until its session has expired, and all partitions stand still. So it is closed when that is over.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::statistics::ConsumerGroup;

use super::lock;
use crate::Error;

/// Where a member stands in its group.
#[derive(Debug)]
pub(crate) struct Joining {
    /// Just before the client was made, which tells its age.
    made: Instant,
    /// Since when it is not in its group, and where it stands.
    outside: Mutex<Option<(Instant, String)>>,
    /// When it last said that it can leave.
    could_leave: Mutex<Option<Instant>>,
    /// When it last said that it is in no group and does not ask for one.
    was_out: Mutex<Option<Instant>>,
}

impl Default for Joining {
    fn default() -> Self {
        Self {
            made: Instant::now(),
            outside: Mutex::default(),
            could_leave: Mutex::default(),
            was_out: Mutex::default(),
        }
    }
}

impl Joining {
    /// What the statistics say of the group; none: no broker is connected, and nothing can be said. `age`: how old the
    /// client was then; they may have waited to be read.
    pub(super) fn look(&self, group: Option<&ConsumerGroup>, age: Duration, now: Instant) {
        // Waiting for the others, or for what the one who shares out says.
        let is_shared_out =
            |group: &ConsumerGroup| group.state == "up" && ["wait-join", "wait-sync"].contains(&&*group.join_state);
        if !group.is_some_and(is_shared_out) {
            *lock(&self.could_leave) = Some(self.made + age);
        }
        if !group.is_some_and(|group| group.state == "up" && group.join_state != "init") {
            *lock(&self.was_out) = Some(self.made + age);
        }
        let mut joining = lock(&self.outside);
        *joining = group.filter(|group| group.state != "up" || group.join_state != "steady").map(|group| {
            let since = joining.take().map_or(now, |(since, _)| since);
            (since, format!("{}, {}", group.state, group.join_state))
        });
    }

    /// Whether it said after this moment that it can leave, or that no broker would hear it.
    pub(crate) fn can_leave(&self, since: Instant) -> bool {
        lock(&self.could_leave).is_some_and(|said| said >= since)
    }

    /// Whether it said after this moment that it is out, or that no broker would hear it.
    pub(crate) fn has_left(&self, since: Instant) -> bool {
        lock(&self.was_out).is_some_and(|said| said >= since)
    }

    /// A member that is not in its group for longer than this, while the log answers: where it stands. `away`: when the
    /// log was last known not to answer. Who waits for a coordinator that hangs is not stuck, and its connection may be up.
    pub(crate) fn stuck(&self, limit: Duration, away: Option<Instant>, now: Instant) -> Option<String> {
        let joining = lock(&self.outside);
        let (since, stands) = joining.as_ref()?;
        let since = away.map_or(*since, |away| away.max(*since));
        let waited = now.saturating_duration_since(since);
        (waited > limit).then(|| format!("it has not joined its group for {} s ({stands})", waited.as_secs()))
    }
}

/// The name by which a group knows a member for as long as its process lives (`group.instance.id`), and that no other has.
///
/// A member that was away for longer than its session joins under a new id. With this name it takes the place of its old self,
/// and the others do not wait for that one's session.
///
/// # Errors
/// The system gives no random numbers.
pub(crate) fn instance() -> Result<String, Error> {
    let mut name = [0; 16];
    let failed = |error: getrandom::Error| Error::Fatal { client: "consumer".into(), reason: error.to_string().into() };
    getrandom::fill(&mut name).map_err(failed)?;
    Ok(name.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether it is such a name.
pub(super) fn is_instance(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Longer than the others wait for a member that was killed, and give back what they had.
pub(crate) fn limit(session_timeout_ms: u32) -> Duration {
    Duration::from_millis(u64::from(session_timeout_ms) * 3).max(Duration::from_secs(30))
}

/// How often a member tells that it lives. One that asks a coordinator that is not ready asks again only then: where
/// replacing the coordinator takes most of a short session, the rest of it must have room for more than one.
pub(crate) fn heartbeat_ms(session_timeout_ms: u32) -> u32 {
    (session_timeout_ms / 12).clamp(1, 3000)
}

#[cfg(test)]
#[path = "joining_tests.rs"]
mod tests;
