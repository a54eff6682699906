//! What is done with activities. The driver of [`stage`] does the rest: batches, order, back-off, drain.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bus::dead_letters;
use bus::{Ack, AckOutcome, Incoming, Producer};
use common::activity::v1::Activity;
use common::event::v1::Context;
use service::{HopCounts, Taken, What, clock};
use stage::{Room, Stage};

use crate::STAGE;
use crate::health::Checks;
use crate::store::{Counted, Store};

/// Why what was taken in has no end: its record comes again.
const COMES_AGAIN: &str = "comes_again";
const SECONDS_OF_A_DAY: i64 = 24 * 3600;
/// Ids are kept for longer than `activities` keeps its records.
const DAYS: i64 = 9;

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
    /// The day, since 1970, on which ids were last forgotten.
    type State = i64;

    fn read(&self, record: Incoming, _too_much: Option<String>, _room: Room) -> Work {
        let activity = record.decode::<Activity>().map_err(|error| ("undecodable", error.to_string()));
        let context = activity.as_ref().ok().and_then(|activity| activity.context.clone()).unwrap_or_default();
        let read = activity.and_then(|activity| read(activity, &context.tenant));
        Work { record, context, read }
    }

    async fn emit(&self, works: Vec<Work>, forgotten: &mut i64) -> ControlFlow<()> {
        let day = clock::timestamp().seconds / SECONDS_OF_A_DAY;
        let (mut activities, mut waiting) = (BTreeMap::new(), Vec::with_capacity(works.len()));
        for Work { record, context, read } in works {
            let taken = self.counts.take(&context.endpoint, context.received_at.as_ref(), 1, COMES_AGAIN);
            match read {
                Ok((id, counted)) => {
                    activities.insert(id, counted);
                    waiting.push((record.ack, taken));
                }
                Err((reason, message)) => self.refuse(record, &context, reason, message, taken).await,
            }
        }
        match self.store.count(&activities, day).await {
            Ok(()) => {
                self.checks.database_ok();
                waiting.into_iter().for_each(done);
            }
            // An ack that is dropped fails its record. The consumer goes back to it, and waits longer each time.
            Err(error) => {
                self.checks.database_failed(&error);
                return ControlFlow::Continue(());
            }
        }
        if *forgotten < day && self.store.forget_before(day - DAYS).await.is_ok() {
            *forgotten = day;
        }
        ControlFlow::Continue(())
    }
}

/// What is counted of an activity. Pure.
fn read(activity: Activity, tenant: &str) -> Result<(String, Counted), (&'static str, String)> {
    if activity.id.is_empty() {
        return Err(("no_id", "the activity has no id, so nobody can tell whether it was counted".to_owned()));
    }
    let verb = activity.verb().as_str_name();
    Ok((activity.id, Counted { tenant: tenant.to_owned(), verb }))
}

fn done((ack, mut taken): (Ack, Taken)) {
    taken.end(What::SentOn, 1);
    ack.complete();
}

impl Counting {
    /// A record that cannot be counted becomes a dead letter: with its bytes as they came, and a reason.
    async fn refuse(
        &self,
        record: Incoming,
        context: &Context,
        reason: &'static str,
        message: String,
        mut taken: Taken,
    ) {
        let Incoming { coordinates, payload, headers, ack, .. } = record;
        let draft = dead_letters::Draft {
            stage: STAGE,
            reason,
            message,
            at: &coordinates,
            index: 0,
            source: &context.source,
            endpoint: &context.endpoint,
            tenant: &context.tenant,
            delivery_id: &context.delivery_id,
            payload: payload.unwrap_or_default(),
            content_type: "application/protobuf",
            failed_at: clock::timestamp(),
            attempts: headers.attempts.saturating_add(1),
            traceparent: headers.traceparent,
        };
        let ack = ack.watched(move |ended| {
            if ended == AckOutcome::Completed {
                taken.end(What::DeadLettered, 1);
            }
        });
        if let Err(error) = self.producer.send_letter(draft, ack).await {
            tracing::warn!(%error, "a dead letter was not sent, its record will be read again");
        }
    }
}

#[cfg(test)]
mod tests {
    use common::activity::v1::Verb;

    use super::*;

    #[test]
    fn an_activity_is_counted_by_tenant_and_verb_and_one_without_an_id_is_refused() {
        let activity = Activity { id: "e1-0".into(), verb: Verb::Comment.into(), ..Activity::default() };
        let counted = Counted { tenant: "acme".into(), verb: "VERB_COMMENT" };
        assert_eq!(read(activity.clone(), "acme"), Ok(("e1-0".to_owned(), counted)));
        let refused = read(Activity { id: String::new(), ..activity }, "acme");
        assert!(matches!(refused, Err(("no_id", _))), "{refused:?}");
    }
}
