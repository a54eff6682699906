//! How it goes with one receiver: which message it gets next, and what it did not take.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::backoff::Backoff;
use tokio::time::{Instant, timeout};

use crate::alert::Class;
use crate::message::Message;
use crate::settings::AlertsSettings;
use crate::sinks::{self, NotDelivered, NotTaken, Sink};

/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A receiver. It is told one message at a time.
pub(crate) struct Receiver {
    pub(crate) sink: Arc<dyn Sink>,
    /// Where it stands in the settings.
    setting: String,
    /// The longest pause.
    longest: Duration,
    pub(crate) is_busy: bool,
    /// What it did not take, by group: one message that is refused holds up no other.
    failing: BTreeMap<String, Refused>,
}

/// A message that was not taken.
struct Refused {
    class: Class,
    why: NotDelivered,
    backoff: Backoff,
    /// Not before then.
    wait: Instant,
    at_ms: i64,
}

/// Every receiver of the settings by its name.
///
/// # Errors
/// The settings of one cannot work.
pub(crate) fn receivers(settings: &AlertsSettings) -> Result<BTreeMap<String, Receiver>, NotDelivered> {
    let http = sinks::client(settings);
    let mut receivers = BTreeMap::new();
    for (n, receiver) in settings.receivers.iter().enumerate() {
        let name = receiver.name.clone();
        let (sink, key) = sinks::open(receiver, settings, &http).map_err(|problem| NotDelivered {
            receiver: name.clone(),
            setting: format!("alerts.receivers[{n}]"),
            problem,
        })?;
        // Alertmanager forgets what it is not told in time.
        let longest_ms =
            if receiver.alertmanager.is_some() { settings.retry_ms.min(settings.resend_ms) } else { settings.retry_ms };
        let setting = format!("alerts.receivers[{n}].{key}");
        receivers.insert(name, Receiver::new(Arc::from(sink), setting, Duration::from_millis(longest_ms)));
    }
    Ok(receivers)
}

/// Delivers a message within a time.
pub(crate) async fn told(sink: &dyn Sink, message: &Message, limit: Duration) -> Result<(), NotTaken> {
    let late = |_| Err(NotTaken::perhaps(format!("no answer within {limit:?}")));
    timeout(limit, sink.send(message)).await.unwrap_or_else(late)
}

impl Receiver {
    pub(crate) fn new(sink: Arc<dyn Sink>, setting: String, longest: Duration) -> Self {
        Self { sink, setting, longest, is_busy: false, failing: BTreeMap::new() }
    }

    pub(crate) fn not_delivered(&self, name: &str, problem: String) -> NotDelivered {
        NotDelivered { receiver: name.to_owned(), setting: self.setting.clone(), problem }
    }

    /// The message that it gets now: the most urgent, and of those what has waited longest since it was last tried.
    pub(crate) fn next<'a>(&self, due: impl Iterator<Item = &'a Message>, now: Instant) -> Option<&'a Message> {
        if self.is_busy {
            return None;
        }
        let may = |message: &&Message| self.failing.get(&message.group).is_none_or(|refused| refused.wait <= now);
        let tried =
            |message: &Message| self.failing.get(&message.group).map(|refused| refused.at_ms).max(message.after_ms);
        due.filter(may).min_by_key(|message| (Reverse(message.urgency()), tried(message)))
    }

    /// What is not due any more is nobody's loss.
    pub(crate) fn keep(&mut self, is_due: impl Fn(&str) -> bool) {
        self.failing.retain(|group, _| is_due(group));
    }

    /// It took a message: so it is there, and what it did not take is tried again.
    pub(crate) fn took(&mut self, message: &Message, now: Instant) {
        self.failing.remove(&message.group);
        self.failing.values_mut().for_each(|refused| refused.wait = now);
    }

    /// It did not take a message. Answers when it is tried again, and what is to be said.
    pub(crate) fn refused(&mut self, message: &Message, problem: String, now: Instant) -> (Duration, NotDelivered) {
        let why = self.not_delivered(&message.receiver, problem);
        let (longest, class) = (self.longest, message.urgency());
        let refused = self.failing.entry(message.group.clone()).or_insert_with(|| Refused {
            class,
            why: why.clone(),
            backoff: Backoff::new(FIRST_PAUSE.min(longest), longest),
            wait: now,
            at_ms: message.at_ms,
        });
        let pause = refused.backoff.pause();
        (refused.class, refused.why, refused.at_ms, refused.wait) = (class, why.clone(), message.at_ms, now + pause);
        (pause, why)
    }

    /// The worst of what it did not take.
    pub(crate) fn failed(&self) -> Option<(Class, &NotDelivered)> {
        self.failing.values().map(|refused| (refused.class, &refused.why)).max_by_key(|(class, _)| *class)
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
