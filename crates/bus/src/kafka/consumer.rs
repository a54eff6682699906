//! The poll thread of a member of a group.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message as _, TopicPartitionList};
use tokio::sync::oneshot;

use super::client::unusable;
use super::fetching::{self, Fetching};
use super::lives::Lives;
use super::member::Member;
use super::message::Content;
use super::positions::commit;
use super::{Kafka, joining, thread};
use crate::intake::{Intake, TopicPartition};
use crate::{Coordinates, Error, Membership};

mod back;

const POLL: Duration = Duration::from_millis(100);
/// How long a broker may take to say who the log is.
const ASK: Duration = Duration::from_secs(1);
/// How long to wait for the end of a record that is tried, before looking again.
const TRY: Duration = Duration::from_millis(10);
/// How long a client that is replaced may take to leave its group.
const LEAVE: Duration = Duration::from_secs(5);
/// Before a client that stopped for good is made anew.
const REBUILD: Duration = Duration::from_secs(1);
/// How long going back to an offset may take.
const SEEK: Duration = Duration::from_secs(5);

/// Starts the thread. It ends when the intake is closed, and says how many records were left undone.
pub(crate) fn start(
    kafka: Arc<Kafka>,
    intake: Arc<Intake>,
    topics: Vec<Arc<str>>,
) -> Result<oneshot::Receiver<usize>, Error> {
    let (ended, receiver) = oneshot::channel();
    // Made here once, so that settings that do not do are told at once.
    let instance = joining::instance()?;
    let consumer = create(&kafka, &intake, &instance)?;
    let name = format!("weir-consume-{}", intake.group);
    thread(&name, move || {
        let mut poller = Poller {
            kafka,
            intake,
            topics,
            instance,
            log: None,
            full_since: None,
            paused: HashMap::new(),
            fetching: Fetching::default(),
        };
        let left = poller.run(consumer);
        poller.intake.closed();
        // Dropped without close: nobody waits.
        let _ = ended.send(left);
    })?;
    Ok(receiver)
}

fn create(kafka: &Arc<Kafka>, intake: &Arc<Intake>, instance: &str) -> Result<BaseConsumer<Member>, Error> {
    let settings = &intake.settings;
    let mut config = kafka.config()?;
    let session = kafka.settings.kafka.session_timeout_ms;
    config
        .set("group.id", &*intake.group)
        .set("group.instance.id", instance)
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", session.to_string())
        .set("heartbeat.interval.ms", joining::heartbeat_ms(session).to_string())
        .set("max.poll.interval.ms", session.max(300_000).to_string())
        .set("auto.offset.reset", "error")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("enable.auto.offset.store", "false")
        .set("queued.min.messages", fetching::AHEAD.to_string())
        .set("queued.max.messages.kbytes", fetching::ahead_kbytes(settings).to_string())
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.max.bytes", settings.fetch_ahead_bytes.max(1_048_576).to_string())
        // A response holds at least one batch, however large; it must be let in.
        .set(
            "receive.message.max.bytes",
            (kafka.settings.producer.max_record_bytes.max(settings.fetch_ahead_bytes) + 1_048_576).to_string(),
        );
    let member = Member::new(intake.clone(), Lives::watch(kafka, intake)?);
    config.create_with_context(member).map_err(|error| unusable("consumer", &error))
}

struct Poller {
    kafka: Arc<Kafka>,
    intake: Arc<Intake>,
    topics: Vec<Arc<str>>,
    /// What the group knows it by, whichever client it has.
    instance: String,
    log: Option<Arc<str>>,
    full_since: Option<Instant>,
    /// Not fetched, as the stage took nothing for long. With the epoch of that: what came back is not paused.
    paused: HashMap<TopicPartition, u64>,
    fetching: Fetching,
}

enum End {
    Closing,
    /// A broker that died had heard that it joins, and not answered: its name is taken, by itself.
    Replaced,
    /// Another client is made. `leaves`: what the group has decided does not do, so it has to decide again. A client with a name
    /// that only takes the place of its old self gets what that one had, and nobody decides anything.
    Fatal {
        reason: String,
        leaves: bool,
    },
}

impl End {
    fn stopped(reason: String) -> Self {
        Self::Fatal { reason, leaves: false }
    }

    fn fatal(code: RDKafkaErrorCode, reason: &str) -> Self {
        let replaced = code == RDKafkaErrorCode::FencedInstanceId;
        if replaced { Self::Replaced } else { Self::stopped(format!("{code}: {reason}")) }
    }
}

impl Poller {
    fn run(&mut self, first: BaseConsumer<Member>) -> usize {
        let mut consumer = Some(first);
        loop {
            let Some(current) = consumer.take().or_else(|| self.again()) else { return 0 };
            match self.consume(&current) {
                End::Closing => {
                    let left = self.drain(&current);
                    let deadline = self.intake.lock().closing.unwrap_or_else(Instant::now);
                    self.leave_group(&current, deadline);
                    self.end(current);
                    return left;
                }
                End::Replaced => {
                    tracing::info!(group = %self.intake.group, "the consumer joins its group again: it missed that it was in");
                    self.end(current);
                }
                End::Fatal { reason, leaves } => {
                    if leaves {
                        // Whatever the next client hears, or does not.
                        self.intake.told.part_is_lost();
                        self.leave_group(&current, Instant::now() + LEAVE);
                    }
                    let error = Error::Fatal { client: "consumer".into(), reason: reason.into() };
                    tracing::error!(group = %self.intake.group, %error, "the consumer stopped");
                    let group = self.intake.group.to_string();
                    metrics::counter!("weir_consumer_rebuilds_total", "group" => group).increment(1);
                    self.intake.report(&mut self.intake.lock(), error);
                    // The next client takes its place in the group, where it has not left.
                    self.end(current);
                }
            }
        }
    }

    /// Tells the others that it leaves: at most to the deadline, after which they wait for its session. A client with a name
    /// says so only when it gives up its topics, and not when it is closed.
    fn leave_group(&self, consumer: &BaseConsumer<Member>, deadline: Instant) {
        // Without the log's name it has not asked to join.
        if self.log.is_none() {
            return;
        }
        let joining = &consumer.context().joining;
        poll_until(consumer, deadline, |since| joining.can_leave(since));
        consumer.unsubscribe();
        poll_until(consumer, deadline, |since| joining.has_left(since));
    }

    /// Closes the client. The records that are out end in an epoch that nobody knows any more.
    fn end(&mut self, consumer: BaseConsumer<Member>) {
        let mut state = self.intake.lock();
        state.discard(|_| true);
        state.parts.clear();
        state.stopped.clear();
        self.paused.clear();
        let closes = state.closing.is_some();
        drop(state);
        Member::leave(consumer);
        if !closes {
            // After the last that the old one says.
            self.intake.told.set(Membership::Joining("another client begins".to_owned()), Instant::now());
        }
    }

    /// Another client, after a while. None: closing.
    fn again(&self) -> Option<BaseConsumer<Member>> {
        loop {
            let until = Instant::now() + REBUILD;
            let mut state = self.intake.lock();
            while state.closing.is_none() && Instant::now() < until {
                state = self.intake.wait(state, until.saturating_duration_since(Instant::now()));
            }
            if state.closing.is_some() {
                return None;
            }
            drop(state);
            match create(&self.kafka, &self.intake, &self.instance) {
                Ok(consumer) => return Some(consumer),
                Err(error) => tracing::error!(%error, "cannot create a consumer, retrying"),
            }
        }
    }

    fn consume(&mut self, consumer: &BaseConsumer<Member>) -> End {
        // Without the log's name no coordinates can be given out. It comes with the first answer of a broker.
        while self.log.is_none() {
            if self.intake.lock().closing.is_some() {
                return End::Closing;
            }
            self.log = self.kafka.identify(consumer.client(), POLL);
            consumer.poll(Duration::ZERO);
            self.kafka.find_again(consumer.client(), &consumer.context().events);
            if self.log.is_none()
                && let Err(error) = consumer.fetch_metadata(Some("weir.ping"), ASK)
            {
                // The answer to another question does not always come.
                tracing::debug!(group = %self.intake.group, %error, "the log did not report its identity, retrying");
            }
        }
        let stuck_after = joining::limit(self.kafka.settings.kafka.session_timeout_ms);
        let topics: Vec<&str> = self.topics.iter().map(AsRef::as_ref).collect();
        if let Err(error) = consumer.subscribe(&topics) {
            return End::stopped(error.to_string());
        }
        consumer.context().coverage.begins(Instant::now());
        loop {
            if self.intake.lock().closing.is_some() {
                return End::Closing;
            }
            self.kafka.find_again(consumer.client(), &consumer.context().events);
            consumer.context().begin_again(consumer);
            consumer.context().begin_waiting(consumer);
            self.go_back(consumer);
            consumer.context().store(consumer);
            let trying = consumer.context().try_suspects(consumer);
            if self.has_room(consumer) {
                match consumer.poll(if trying { Duration::ZERO } else { POLL }) {
                    Some(polled) => {
                        if let Err(end) = self.take(consumer, polled) {
                            return end;
                        }
                    }
                    None if trying => drop(self.intake.wait(self.intake.lock(), TRY)),
                    None => {}
                }
                if let Some(unfetched) = self.unfetched(trying) {
                    return End::stopped(unfetched);
                }
            }
            if let Some((code, reason)) = consumer.client().fatal_error() {
                return End::fatal(code, &reason);
            }
            if let Some(stuck) = consumer.context().joining.stuck(stuck_after, self.kafka.last_away(), Instant::now()) {
                return End::stopped(stuck);
            }
            let coverage = &consumer.context().coverage;
            if let Some(uncovered) = coverage.uncovered(&self.intake.group, &self.kafka, &self.topics) {
                return End::Fatal { reason: uncovered, leaves: true };
            }
        }
    }

    /// What the client does not fetch.
    fn unfetched(&mut self, trying: bool) -> Option<String> {
        let now = Instant::now();
        if trying || !self.fetching.is_due(now) {
            return None;
        }
        let mut behind = self.intake.lock().behind(now);
        behind.retain(|(place, _)| !self.paused.contains_key(place));
        self.fetching.look(behind, self.kafka.last_away(), now)
    }

    /// Whether to poll. While there is no room it waits for some; after long it pauses fetching, and polls.
    fn has_room(&mut self, consumer: &BaseConsumer<Member>) -> bool {
        let mut state = self.intake.lock();
        if self.intake.admit(&mut state) {
            self.full_since = None;
            let resumed = std::mem::take(&mut self.paused);
            // A partition that is going back is resumed when its time has come.
            let resumed: Vec<_> = resumed
                .into_keys()
                .filter(|place| state.parts.get(place).is_some_and(|part| part.retry_at.is_none()))
                .collect();
            drop(state);
            if !resumed.is_empty()
                && let Err(error) = consumer.resume(&list(&resumed))
            {
                tracing::warn!(group = %self.intake.group, %error, "cannot resume fetching");
            }
            return true;
        }
        let since = *self.full_since.get_or_insert_with(Instant::now);
        if since.elapsed() < Duration::from_millis(u64::from(self.intake.settings.pause_after_ms)) {
            drop(self.intake.wait(state, POLL));
            return false;
        }
        let epochs = state.parts.iter().map(|(place, part)| (place.clone(), part.tracker.epoch()));
        let fresh: HashMap<_, _> = epochs.filter(|(place, epoch)| self.paused.get(place) != Some(epoch)).collect();
        drop(state);
        if !fresh.is_empty() {
            tracing::debug!(group = %self.intake.group, "the stage took no records for too long, pausing fetching");
            match consumer.pause(&list(&fresh.keys().cloned().collect::<Vec<_>>())) {
                Ok(()) => self.paused.extend(fresh),
                Err(error) => tracing::warn!(group = %self.intake.group, %error, "cannot pause fetching"),
            }
        }
        true
    }

    /// What the client gave. An error is the client's end.
    fn take(
        &self,
        consumer: &BaseConsumer<Member>,
        polled: Result<rdkafka::message::BorrowedMessage<'_>, KafkaError>,
    ) -> Result<(), End> {
        let message = match polled {
            Ok(message) => message,
            Err(KafkaError::MessageConsumptionFatal(code)) => return Err(End::fatal(code, "while it consumed")),
            Err(error) => return self.bear(consumer, &error).map_err(End::stopped),
        };
        let Some(log) = self.log.clone() else { return Ok(()) };
        let topic = self.topics.iter().find(|topic| ***topic == *message.topic()).cloned();
        let at = Coordinates {
            log,
            topic: topic.unwrap_or_else(|| message.topic().into()),
            partition: message.partition(),
            offset: message.offset(),
        };
        let mut state = self.intake.lock();
        self.intake.take(&mut state, at, Content::of(&message));
        Ok(())
    }

    fn bear(&self, consumer: &BaseConsumer<Member>, error: &KafkaError) -> Result<(), String> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => match consumer.context().find_out_of_range(consumer) {
                Ok(true) => Ok(()),
                // Which partition it was cannot be told: a new client looks at all of them from the beginning.
                Ok(false) => Err("a partition has no valid offset".to_owned()),
                Err(error) => {
                    Err(format!("a partition has no valid offset, and the log did not report which one: {error}"))
                }
            },
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                tracing::warn!(group = %self.intake.group, topics = ?self.topics, "a topic does not exist, waiting for it");
                Ok(())
            }
            _ => {
                tracing::debug!(group = %self.intake.group, %error, "the consumer continues after an error");
                Ok(())
            }
        }
    }

    /// Waits for what is out, stores and commits. The group is left when the client is dropped.
    fn drain(&self, consumer: &BaseConsumer<Member>) -> usize {
        let mut state = self.intake.lock();
        state.discard(|_| true);
        let deadline = state.closing.unwrap_or_else(Instant::now);
        while state.awaited(|_| true) > 0 && Instant::now() < deadline {
            state = self.intake.wait(state, deadline.saturating_duration_since(Instant::now()));
        }
        let left = state.unfinished(|_| true);
        drop(state);
        consumer.context().store(consumer);
        commit(consumer);
        consumer.context().settle(consumer, |_| true);
        left
    }
}

/// Until something is so that was not at the beginning, or the deadline.
fn poll_until(consumer: &BaseConsumer<Member>, deadline: Instant, done: impl Fn(Instant) -> bool) {
    let since = Instant::now();
    // Records that still come are nobody's: whoever gets the partition gets them.
    while Instant::now() < deadline && !done(since) {
        drop(consumer.poll(TRY));
    }
}

fn list(places: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in places {
        list.add_partition(topic, *partition);
    }
    list
}
