//! Rebuilding the claims from what came out, where their store is empty and the topics are not.
//!
//! An empty store would let every redelivery pass as new. Each output names in its headers the record that it came from,
//! and that is all a claim says.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bus::{Bus, Claims, Coordinates, Error, Headers, Producer, Start};
use common::identity::Id;

const AT_ONCE: usize = 1000;
/// Topics that are read at once, of those on which there is anything. Each may have a client of its own that reads ahead
/// by tens of megabytes.
const TOPICS_AT_ONCE: usize = 4;
/// For how long the log is waited for in the middle of it, before all of it begins anew.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(200);

/// What was claimed for a record with these headers: the full protobuf name of its message, and its id. Others may write to
/// a topic: none for what the stage did not.
pub type Claimed = fn(&Headers) -> Option<(Cow<'static, str>, Id)>;

/// What a stage emits, and how its claims are read from it.
#[derive(Debug)]
pub struct Outputs {
    /// Where it emits to.
    pub bus: Bus,
    /// What this process has sent is waited for: its claims are lost too, and it is not yet to be read.
    pub producer: Producer,
    /// For how long it is waited for.
    pub drain: Duration,
    /// Whose records were claimed.
    pub topics: Vec<String>,
    /// How a claim is read from what came out.
    pub claimed: Claimed,
}

impl Outputs {
    /// Enters a claim for every record; how many there were.
    pub(crate) async fn rebuild(&self, stage: &str, claims: &Claims) -> Result<u64, Error> {
        self.producer.flush(self.drain).await?;
        let topics = self.bus.topics_with_records(&self.topics).await?;
        let mut entered = 0;
        for topics in topics.chunks(TOPICS_AT_ONCE) {
            entered += self.restore_with_patience(stage, claims, topics).await?;
        }
        claims.restored().await?;
        Ok(entered)
    }

    /// What was read already is not read again where a broker is lost meanwhile. Claims that are entered twice are one, and
    /// a store that was emptied again refuses to be called whole.
    async fn restore_with_patience(&self, stage: &str, claims: &Claims, topics: &[String]) -> Result<u64, Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.restore(stage, claims, topics).await {
                Err(error @ Error::Unavailable { .. }) if Instant::now() < until => {
                    tracing::info!(stage, %error, "rebuilding the claims waits for the log");
                    tokio::time::sleep(AGAIN).await;
                }
                done => return done,
            }
        }
    }

    async fn restore(&self, stage: &str, claims: &Claims, topics: &[String]) -> Result<u64, Error> {
        let mut reader = self.bus.reader(topics, Start::Beginning).await?;
        let mut found: Vec<(Cow<'static, str>, Id, Coordinates)> = Vec::with_capacity(AT_ONCE);
        let mut entered = 0;
        loop {
            let stored = reader.next_until_end().await?;
            let at_end = stored.is_none();
            if let Some(stored) = stored
                && let Some((ce_type, id)) = (self.claimed)(&stored.headers)
                && let Some(from) = stored.headers.from
            {
                found.push((ce_type, id, from));
            }
            if found.len() >= AT_ONCE || at_end {
                let events: Vec<_> = found.iter().map(|(ce_type, id, from)| (&**ce_type, *id, from)).collect();
                claims.restore(stage, &events).await?;
                entered += found.len() as u64;
                found.clear();
            }
            if at_end {
                return Ok(entered);
            }
        }
    }
}
