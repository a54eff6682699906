//! What is done with activities. The driver of [`stage`] does the rest: batches, order, back-off, drain.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Ack, Incoming, Producer};
use common::activity::v1::Activity;
use common::event::v1::Context;
use common::identity::Id;
use service::{HopCounts, Taken, What, clock};
use stage::{COMES_AGAIN, Origin, RefusedRecord, Room, Stage};

use crate::STAGE;
use crate::health::Checks;
use crate::store::{Counted, Store};

const SECONDS_OF_A_DAY: i64 = 24 * 3600;
/// Ids are kept for so many days. A record comes again later only if somebody sets the group's offset so far back.
const DAYS: i64 = 30;
/// How many of the older ids are forgotten at once, and how often.
const FORGOTTEN: i64 = 10_000;
const FORGETS: Duration = Duration::from_secs(10);
/// Longer than any tenant's name. PostgreSQL has a limit for keys, and none of its texts has a zero byte.
const MAX_TENANT_BYTES: usize = 256;

/// Counts activities.
#[derive(Debug)]
pub(crate) struct Counting {
    pub(crate) store: Arc<Store>,
    pub(crate) producer: Producer,
    pub(crate) checks: Checks,
    pub(crate) counts: HopCounts,
}

/// A record, and what it says: the activity's id and what is counted of it, or why it is refused.
#[derive(Debug)]
pub(crate) struct Work {
    record: Incoming,
    context: Context,
    read: Result<(String, Counted), (&'static str, String)>,
}

impl Stage for Counting {
    type Work = Work;
    /// When older ids are forgotten next.
    type State = Instant;

    fn read(&self, record: Incoming, _too_much: Option<String>, _room: Room) -> Work {
        let activity = record.decode::<Activity>().map_err(|error| ("undecodable", error.to_string()));
        let context = activity.as_ref().ok().and_then(|activity| activity.context.clone()).unwrap_or_default();
        let read = activity.and_then(|activity| read(&activity, &context.tenant));
        Work { record, context, read }
    }

    async fn emit(&self, works: Vec<Work>, _: &mut Instant) -> ControlFlow<()> {
        let (mut activities, mut counted, mut refused) = (BTreeMap::new(), Vec::new(), Vec::new());
        for Work { record, context, read } in works {
            let taken = self.counts.take(&context.endpoint, context.received_at.as_ref(), 1, COMES_AGAIN);
            match read {
                Ok((id, what)) => {
                    activities.insert(id, what);
                    counted.push((record.ack, taken));
                }
                Err((reason, message)) => {
                    let Context { source, endpoint, tenant, delivery_id, received_at, .. } = context;
                    let origin = Origin { source, endpoint, tenant, delivery_id, received_at };
                    refused.push(RefusedRecord { record, origin, reason, message, taken });
                }
            }
        }
        if !activities.is_empty() {
            match self.store.count(&activities, today()).await {
                Ok(()) => self.checks.database_ok(),
                // Acks that are dropped fail their records. The consumer rewinds to the first one, and waits longer each
                // time. What is refused comes again with them, so that its dead letter is written once.
                Err(error) => {
                    self.checks.database_failed(&error);
                    return ControlFlow::Continue(());
                }
            }
        }
        counted.into_iter().for_each(done);
        // With their bytes as they came, and a reason.
        for refused in refused {
            refused.send(STAGE, &self.producer).await;
        }
        ControlFlow::Continue(())
    }

    fn due(&self, next: &Instant) -> Option<Instant> {
        Some(*next)
    }

    async fn tick(&self, next: &mut Instant) {
        if let Err(error) = self.store.forget_before(today() - DAYS, FORGOTTEN).await {
            tracing::warn!(%error, "the ids of old activities were not removed, retrying");
        }
        *next = Instant::now() + FORGETS;
    }
}

/// Days since 1970.
fn today() -> i64 {
    clock::timestamp().seconds / SECONDS_OF_A_DAY
}

/// What is counted of an activity, by a hash of its id: anybody may write activities, and an id may be any text. Pure.
fn read(activity: &Activity, tenant: &str) -> Result<(String, Counted), (&'static str, String)> {
    if activity.id.is_empty() {
        return Err(("no_id", "the activity has no id, so nobody can tell whether it was counted".to_owned()));
    }
    if tenant.len() > MAX_TENANT_BYTES || tenant.contains('\0') {
        return Err(("invalid_tenant", format!("its tenant has {} bytes, or a zero byte", tenant.len())));
    }
    let id = Id::of("activity", "", &[activity.id.as_bytes()]).to_string();
    Ok((id, Counted { tenant: tenant.to_owned(), verb: activity.verb().as_str_name() }))
}

fn done((ack, mut taken): (Ack, Taken)) {
    taken.end(What::SentOn, 1);
    ack.complete();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use common::activity::v1::Verb;

    use super::*;

    #[test]
    fn what_is_counted_of_an_activity() {
        let activity = |id: &str| Activity { id: id.into(), verb: Verb::Comment.into(), ..Activity::default() };
        let (id, counted) = read(&activity("e1-0"), "acme").unwrap();
        assert_eq!(counted, Counted { tenant: "acme".into(), verb: "VERB_COMMENT" });
        assert_eq!(id, read(&activity("e1-0"), "acme").unwrap().0);
        assert_ne!(id, read(&activity("e1-1"), "acme").unwrap().0);
        for (id, tenant, reason) in [("", "acme", "no_id"), ("e1-0", "a\0", "invalid_tenant")] {
            assert_eq!(read(&activity(id), tenant).unwrap_err().0, reason);
        }
        assert!(read(&activity(&"\0".repeat(100_000)), "acme").is_ok(), "an id may be any text");
    }
}
