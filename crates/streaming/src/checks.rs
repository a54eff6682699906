//! What the door depends on, looked at again and again for the health digest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bus, ProducerState, TopicProblem};
use common::few::few;
use service::{Action, CheckHandle, CheckSpec, FailureKind, Health, clock};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::arrivals::Arrivals;
use crate::door::Door;
use crate::meters;

/// Above this part of what may be in memory or in flight, senders will soon be told to come again.
const SATURATED: f64 = 0.8;
/// How long nothing may be acknowledged while something waits; the shortest deadline of a platform is 2 s.
const STALLED: Duration = Duration::from_secs(2);
/// After a start it takes a moment until the registrations are read: nobody is woken for that.
const READING: Duration = Duration::from_secs(10);
/// Between two attempts to prepare the topics, and between two looks at topics that have a problem.
const PREPARE_AGAIN: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Between two looks at topics that are as they should be: others alter them while the door runs.
const LOOK: Duration = Duration::from_secs(60);

/// The checks of the door.
pub(crate) struct Checks {
    kafka: CheckHandle,
    topics: CheckHandle,
    topic_settings: CheckHandle,
    registrations: CheckHandle,
    began: Instant,
    saturation: CheckHandle,
    endpoints: CheckHandle,
    storms: CheckHandle,
    http: CheckHandle,
}

impl Checks {
    /// All unknown at first: the door is not ready.
    pub(crate) fn new(health: &Health) -> Self {
        let check = |name, action, gates_readiness, unit, threshold| {
            health.check(CheckSpec { name, action, gates_readiness, unit, threshold })
        };
        let seconds = Some(STALLED.as_secs_f64());
        Self {
            kafka: check("streaming_kafka", Action::Page, true, "seconds", seconds),
            topics: check("streaming_topics", Action::Page, true, "", None),
            topic_settings: check("streaming_topic_settings", Action::Page, true, "", None),
            registrations: check("streaming_registrations", Action::Page, true, "", None),
            began: Instant::now(),
            saturation: check("streaming_saturation", Action::Ticket, false, "ratio", Some(SATURATED)),
            endpoints: check("streaming_endpoints", Action::Page, false, "", None),
            storms: check("streaming_storms", Action::Ticket, false, "", None),
            http: check("streaming_http", Action::Ticket, false, "", None),
        }
    }

    /// Looks at all but the topics, until the future is dropped.
    pub(crate) async fn run(&self, door: &Arc<Door>, bus: &Bus) {
        let every = Duration::from_millis(door.settings.check_interval_ms);
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut arrivals = Arrivals::default();
        for check in [&self.kafka, &self.registrations, &self.saturation, &self.endpoints, &self.storms, &self.http] {
            check.every(every);
        }
        loop {
            ticks.tick().await;
            match arrivals.look(self.began.elapsed(), door.watch.totals()) {
                Some(problem) => self.http.warn(problem),
                None => self.http.ok("connections lead to requests"),
            }
            self.registrations(door);
            self.endpoints(door);
            self.saturation(door, bus);
            self.storms(door);
            // Last, because it waits.
            self.kafka(door, bus).await;
        }
    }

    async fn kafka(&self, door: &Door, bus: &Bus) {
        let reached = bus.ping(STALLED).await;
        let state = door.producer.state();
        self.kafka.value(state.waiting_for.unwrap_or_default().as_secs_f64());
        let away = reached.as_ref().err();
        match log_verdict(away.map(ToString::to_string), &state) {
            LogVerdict::Fail(message) => {
                self.kafka.because(away.map_or(FailureKind::NotAcknowledged, bus::Error::failure));
                self.kafka.fail(message);
            }
            LogVerdict::Warn(message) => self.kafka.warn(message),
            LogVerdict::Ok => self.kafka.ok("acknowledges"),
        }
    }

    /// Nothing goes on without a topic; with a wrong setting of one it does.
    fn topics(&self, all: usize, problems: &[TopicProblem]) {
        let (missing, wrong): (Vec<_>, Vec<_>) = problems.iter().cloned().partition(|problem| problem.missing);
        if missing.is_empty() {
            self.topics.ok(format!("all {all} topics exist"));
        } else {
            self.topics.because(FailureKind::Missing);
            self.topics.fail(TopicProblem::text(&missing));
        }
        if wrong.is_empty() && !missing.is_empty() {
            // Nobody has seen those of the missing ones.
            self.topic_settings.stays();
        } else if wrong.is_empty() {
            self.topic_settings.ok("the settings of the topics are as they should be");
        } else if wrong.iter().any(|problem| problem.blocks) {
            self.topic_settings.fail(TopicProblem::text(&wrong));
        } else {
            self.topic_settings.warn(TopicProblem::text(&wrong));
        }
    }

    fn registrations(&self, door: &Door) {
        let (fixed, registered) = door.endpoints.count();
        if door.registrations.is_read() {
            self.registrations.ok(format!("{fixed} endpoints in the settings, {registered} registered"));
        } else {
            let message = "the topic registrations is not read to its end yet: registered endpoints answer 503";
            if self.began.elapsed() < READING {
                self.registrations.unknown(message);
            } else {
                self.registrations.fail(message);
            }
        }
    }

    fn endpoints(&self, door: &Door) {
        let problems = door.endpoints.problems(clock::now());
        if problems.is_empty() {
            return self.endpoints.ok("all endpoints can verify deliveries");
        }
        self.endpoints.fail(few(problems, "; "));
    }

    /// Processing pages for it; here it is told what is done about it.
    fn storms(&self, door: &Door) {
        let held = door.storms.held(clock::now());
        if held.is_empty() {
            return self.storms.ok("no endpoint is held back");
        }
        self.storms.warn(format!("held back, because most of their deliveries cannot be read: {}", few(held, ", ")));
    }

    fn saturation(&self, door: &Door, bus: &Bus) {
        let state = door.producer.state();
        let limits = &bus.settings().producer;
        let buffered = door.budget.used();
        meters::buffered().set(buffered);
        let shares = [
            ("memory for bodies", buffered),
            ("records in flight", ratio(state.in_flight_records, limits.max_in_flight_records)),
            ("bytes in flight", ratio(state.in_flight_bytes, limits.max_in_flight_bytes)),
        ];
        let fullest = shares.iter().fold(shares[0], |most, share| if share.1 > most.1 { *share } else { most });
        self.saturation.value(fullest.1);
        let requests = door.in_flight.load(std::sync::atomic::Ordering::Relaxed);
        let message = format!("{} at {:.0}%, {requests} requests in flight", fullest.0, fullest.1 * 100.0);
        if fullest.1 >= SATURATED { self.saturation.warn(message) } else { self.saturation.ok(message) }
    }

    /// Creates or checks the topics, and goes on looking at them. A door that has been ready stays so: what others do to its
    /// topics is told, and must not stop what still goes on.
    pub(crate) async fn prepare_topics(&self, bus: &Bus) {
        let topics = crate::description().needed();
        let mut prepared = false;
        for check in [&self.topics, &self.topic_settings] {
            check.every(LOOK);
        }
        loop {
            let looked = if prepared { bus.check_topics(&topics).await } else { bus.prepare_topics(&topics).await };
            let again = match looked {
                // That the log does not answer is told by another check.
                Err(_) if prepared => {
                    self.topics.stays();
                    self.topic_settings.stays();
                    LOOK_AGAIN
                }
                Err(error) => {
                    self.topics.because(error.failure());
                    self.topics.fail(error.to_string());
                    PREPARE_AGAIN
                }
                Ok(problems) => {
                    let blocked = problems.iter().any(|problem| problem.blocks);
                    self.topics(topics.len(), &problems);
                    if !blocked && !prepared {
                        prepared = true;
                        self.topics.gates_readiness(false);
                        self.topic_settings.gates_readiness(false);
                    }
                    match (problems.is_empty(), prepared) {
                        (true, _) => LOOK,
                        (false, true) => LOOK_AGAIN,
                        // It is not ready because of them.
                        (false, false) => PREPARE_AGAIN,
                    }
                }
            };
            sleep(again).await;
        }
    }
}

/// What the door says of the log.
#[derive(Debug, PartialEq, Eq)]
enum LogVerdict {
    Ok,
    Warn(String),
    Fail(String),
}

/// A client that was built anew is known to work only once a record was acknowledged, and a door that is not ready gets
/// no records: where the log answers, the rebuild is a warning, and the next request shows whether it helped.
fn log_verdict(away: Option<String>, state: &ProducerState) -> LogVerdict {
    if let Some(reason) = away {
        LogVerdict::Fail(match &state.fatal {
            Some(fatal) => format!("{reason}; the producer was recreated: {fatal}"),
            None => reason,
        })
    } else if state.waiting_for.is_some_and(|waiting| waiting > STALLED) {
        LogVerdict::Fail(format!(
            "stalled: {} records are in flight, and none was acknowledged",
            state.in_flight_records
        ))
    } else if let Some(fatal) = &state.fatal {
        LogVerdict::Warn(format!("answers; the producer was recreated, nothing was sent since: {fatal}"))
    } else {
        LogVerdict::Ok
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share for people and thresholds")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_built_anew_does_not_hold_readiness_back() {
        let seconds = |s| Some(Duration::from_secs(s));
        let fail = |m: &str| LogVerdict::Fail(m.to_owned());
        let stalled = "stalled: 3 records are in flight, and none was acknowledged";
        let rebuilt = "answers; the producer was recreated, nothing was sent since: fenced";
        let table = [
            (None, None, None, LogVerdict::Ok),
            (None, seconds(2), None, LogVerdict::Ok),
            (None, seconds(3), None, fail(stalled)),
            (None, None, Some("fenced"), LogVerdict::Warn(rebuilt.to_owned())),
            (None, seconds(1), Some("fenced"), LogVerdict::Warn(rebuilt.to_owned())),
            (None, seconds(3), Some("fenced"), fail(stalled)),
            (Some("away"), None, None, fail("away")),
            (Some("away"), None, Some("fenced"), fail("away; the producer was recreated: fenced")),
        ];
        for (away, waiting_for, fatal, expected) in table {
            let fatal = fatal.map(str::to_owned);
            let state = ProducerState { in_flight_records: 3, in_flight_bytes: 9, waiting_for, fatal, brokers_up: 1 };
            assert_eq!(log_verdict(away.map(str::to_owned), &state), expected, "{state:?}");
        }
    }

    #[test]
    fn ratios() {
        assert!((ratio(1, 4) - 0.25).abs() < f64::EPSILON);
        assert!(ratio(0, 0).abs() < f64::EPSILON);
    }
}
