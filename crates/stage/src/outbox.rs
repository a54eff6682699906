//! From what was read to what is on the log: claims, then records, in order. Retries and dead letters are decided here and
//! nowhere else.

mod resent;
mod tally;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use bus::{Ack, Claim, Error, Prepared, Producer, Receipt, Rejection, Verdict};
use common::reasons::{TOO_LARGE, UNKNOWN_TOPIC};
use prost_types::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::StageClaims;
use crate::ends::{DUPLICATE, Letter, Reasons, counted};
use crate::output::{Item, Refusals, RefusedItem, Work};
use crate::pace::Pace;
use resent::Resent;
use tally::Tally;

const FULL_PAUSE: Duration = Duration::from_millis(2);

/// What the outputs of a stage go through.
#[derive(Debug)]
pub struct Outbox {
    /// The stage's name in claims, dead letters and metrics.
    pub stage: &'static str,
    /// Where records go.
    pub producer: Producer,
    /// The claims of the stage.
    pub claims: StageClaims,
    /// How fast events may pass.
    pub pace: Pace,
    /// What is told of what is refused.
    pub refusals: Refusals,
    /// The process ends.
    pub shutdown: CancellationToken,
    /// The stage ends.
    pub stop: CancellationToken,
    /// Those that the end of the process waits for.
    pub tasks: TaskTracker,
}

/// A record whose outputs are on their way.
#[derive(Debug)]
pub struct Emitted<T> {
    /// The place of its work in the batch.
    pub n: usize,
    /// Its hold: to be completed once what the stage itself makes of it is durable too.
    pub ack: Ack,
    /// How many of its events were sent, or failed: not those that were dropped or refused.
    pub sent: usize,
    /// What the stage wanted to have back.
    pub with: T,
}

impl Outbox {
    /// Claims and sends a batch, as fast as it may, and gives back each record once its outputs are on their way, or have
    /// failed: such a one comes again, whatever is done with its ack. `None`: the process or the stage ends.
    pub async fn emit<T>(&self, batch: Vec<Work<T>>, mut emitted: impl FnMut(Emitted<T>)) -> Option<()> {
        let (mut part, mut first) = (Vec::with_capacity(batch.len()), 0);
        for (n, mut work) in batch.into_iter().enumerate() {
            self.refuse_too_large(&mut work);
            let endpoint = work.origin.endpoint.clone();
            let mut admit = pin!(self.pace.admit(&endpoint, work.events()));
            let at_once = poll_fn(|context| Poll::Ready(admit.as_mut().poll(context).is_ready())).await;
            if !at_once {
                // What stands before the one that has to wait does not wait with it.
                self.part(std::mem::take(&mut part), first, &mut emitted).await?;
                first = n;
                let started = Instant::now();
                self.shutdown.run_until_cancelled(admit).await?;
                metrics::histogram!("weir_paced_seconds", "stage" => self.stage).record(started.elapsed());
            }
            part.push(work);
        }
        self.part(part, first, &mut emitted).await
    }

    /// Claims and sends what may go now.
    async fn part<T>(&self, batch: Vec<Work<T>>, first: usize, emitted: &mut impl FnMut(Emitted<T>)) -> Option<()> {
        if batch.is_empty() {
            return Some(());
        }
        let mut verdicts = self.claim(&batch).await?.into_iter();
        let mut tally = Tally::new(self.stage);
        // The last record with an event tells how old events are when they are durable. What was replayed is as old as it
        // was left lying.
        let probe = batch.iter().rposition(|work| work.attempts == 1 && work.events() > 0);
        let mut resent = Vec::new();
        for (n, work) in batch.into_iter().enumerate() {
            let verdicts: Vec<Verdict> = verdicts.by_ref().take(work.events()).collect();
            if verdicts.contains(&Verdict::Again) {
                match Resent::send(first + n, work, &verdicts, self).await {
                    Ok(sent) => resent.push(sent),
                    Err(failed) => emitted(failed),
                }
            } else {
                emitted(self.one(first + n, work, &verdicts, probe == Some(n), &mut tally).await);
            }
        }
        // All of them are on their way: together they take as long as one.
        for resent in resent {
            emitted(resent.end(&mut tally, self).await);
        }
        tally.count();
        Some(())
    }

    /// What can never be written becomes a dead letter before it is claimed.
    fn refuse_too_large<T>(&self, work: &mut Work<T>) {
        let refuses = |records: &[Prepared]| records.iter().find_map(|record| self.producer.check(record).err());
        let items = work.items.iter().enumerate();
        let refused: Vec<_> = items
            .filter_map(|(n, item)| match item {
                Item::Event(event) => refuses(&event.records).map(|error| (n, event.index, error)),
                Item::Refused(_) => None,
            })
            .collect();
        if refused.is_empty() {
            return;
        }
        let why = refused.iter().map(|(_, index, error)| (*index, TOO_LARGE, error.to_string()));
        let letters = self.refused(work.payload.as_ref(), why.collect());
        for ((n, ..), letter) in refused.into_iter().zip(letters) {
            if let Some(item) = work.items.get_mut(n) {
                *item = Item::Refused(letter);
            }
        }
    }

    /// What events become that cannot be written: never what was made of them, but the bytes as they came.
    fn refused(
        &self,
        payload: Option<&bytes::Bytes>,
        events: Vec<(u32, &'static str, String)>,
    ) -> impl Iterator<Item = RefusedItem> {
        let positions = events.iter().map(|(index, ..)| *index).collect();
        let mut sent = (self.refusals.sent)(payload, &positions);
        let content_type = self.refusals.content_type;
        events.into_iter().map(move |(index, reason, message)| {
            let payload = sent.remove(&index).unwrap_or_default();
            RefusedItem { index, reason, message, content_type: content_type(&payload), payload }
        })
    }

    /// Claims all events of a batch; waits for the store as long as it takes.
    async fn claim<T>(&self, batch: &[Work<T>]) -> Option<Vec<Verdict>> {
        let claims: Vec<Claim<'_>> = batch.iter().flat_map(Work::claims).collect();
        let claiming = async {
            for work in batch.iter().filter(|work| !work.instead_of.is_empty()) {
                self.claims.take_over(work.claims(), &work.instead_of).await;
            }
            self.claims.claim(&claims).await
        };
        tokio::select! {
            verdicts = claiming => Some(verdicts),
            () = self.shutdown.cancelled() => None,
            () = self.stop.cancelled() => None,
        }
    }

    /// Sends everything of one record.
    async fn one<T>(
        &self,
        n: usize,
        work: Work<T>,
        verdicts: &[Verdict],
        probe: bool,
        tally: &mut Tally,
    ) -> Emitted<T> {
        let Work { at, ack, origin, items, taken, span, traceparent, attempts, with, room: _room, .. } = work;
        let duplicates = verdicts.iter().filter(|verdict| **verdict == Verdict::Duplicate).count();
        let sent = verdicts.len() - duplicates;
        let reasons = items.iter().filter_map(|item| match item {
            Item::Refused(refused) => Some(refused.reason),
            Item::Event(_) => None,
        });
        let ack = counted(ack, taken, sent, duplicates, Reasons::of(self.stage, &origin, reasons));
        let letter = Letter { stage: self.stage, at: &at, origin: &origin, traceparent, attempts };
        tally.took(items.len());
        let mut verdicts = verdicts.iter();
        let last = items.iter().rposition(|item| matches!(item, Item::Event(_)));
        for (m, item) in items.into_iter().enumerate() {
            match item {
                Item::Refused(refused) => {
                    tally.refused(refused.reason);
                    letter.send(refused, ack.clone(), &self.producer).await;
                }
                Item::Event(_) if verdicts.next() == Some(&Verdict::Duplicate) => {
                    tally.dropped(DUPLICATE);
                }
                Item::Event(event) => {
                    for (k, record) in event.records.into_iter().enumerate() {
                        tally.sent(&record.topic);
                        if probe && k == 0 && last == Some(m) {
                            self.measured(record, ack.clone(), origin.received_at).await;
                        } else if let Err(error) = self.producer.send(record, ack.clone()).await {
                            // The ack has failed: the record comes again.
                            tracing::warn!(parent: &span, stage = self.stage, %error, "sending an event failed: its record is read again");
                        }
                    }
                }
            }
        }
        Emitted { n, ack, sent, with }
    }

    /// Sends a record and tells how old its event is when it is durable.
    async fn measured(&self, record: Prepared, ack: Ack, received_at: Option<Timestamp>) {
        let Some(received_at) = received_at else {
            return drop(self.producer.send(record, ack).await);
        };
        let (stage, topic) = (self.stage, record.topic.clone());
        match self.producer.try_send(record.clone()) {
            Ok(receipt) => {
                self.tasks.spawn(async move {
                    match receipt.await {
                        Ok(_) => {
                            ack.complete();
                            let age = age(received_at, service::clock::now());
                            metrics::histogram!("weir_event_age_seconds", "stage" => stage, "topic" => topic.to_string())
                                .record(age);
                        }
                        Err(error) => ack.fail(&error),
                    }
                });
            }
            Err(_) => drop(self.producer.send(record, ack).await),
        }
    }

    async fn receipts(&self, records: &[Prepared]) -> Result<Vec<Receipt>, Error> {
        let mut receipts = Vec::with_capacity(records.len());
        for record in records {
            loop {
                match self.producer.try_send(record.clone()) {
                    Err(Error::Full) => tokio::time::sleep(FULL_PAUSE).await,
                    other => break receipts.push(other?),
                }
            }
        }
        Ok(receipts)
    }

    /// The reason code of what will be refused however often it is tried.
    fn for_good(&self, error: &Error) -> Option<&'static str> {
        match error.refusal()? {
            Rejection::TooLarge => Some(TOO_LARGE),
            Rejection::NoTopic => self.refusals.without_topic.then_some(UNKNOWN_TOPIC),
        }
    }
}

/// From the door to the log, in seconds; a clock that is behind the door's makes it zero.
fn age(received_at: Timestamp, now: SystemTime) -> f64 {
    let Ok(received_at) = SystemTime::try_from(received_at) else { return 0.0 };
    now.duration_since(received_at).unwrap_or_default().as_secs_f64()
}
