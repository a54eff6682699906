//! Delivers what the router says, to one receiver at a time each, and remembers what was delivered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::backoff::Backoff;
use service::{Action, CheckHandle, CheckSpec, Health, Uri, clock};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::alert::{Alert, Class};
use crate::message::Message;
use crate::policy::Policy;
use crate::router::Router;
use crate::settings::AlertsSettings;
use crate::silences::{self, Silences};
use crate::sinks::{self, Http, NotDelivered, Sink};

/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What the last round found; none: there was none yet.
pub type LastRound = Option<Arc<Vec<Alert>>>;

/// Tells the receivers. Made by [`open`](Self::open), ended by dropping the future of [`run`](Self::run).
pub struct Delivery {
    policy: Policy,
    router: Router,
    receivers: BTreeMap<String, Receiver>,
    state_file: PathBuf,
    silences_file: PathBuf,
    limit: Duration,
    heartbeat: Option<Heartbeat>,
    check: CheckHandle,
    sending: JoinSet<Sent>,
}

/// A receiver, and how it goes with it.
pub(crate) struct Receiver {
    sink: Arc<dyn Sink>,
    /// Where it stands in the settings.
    setting: String,
    backoff: Backoff,
    /// Not before then.
    wait: Option<Instant>,
    is_busy: bool,
    /// What it was not told, and why.
    failed: Option<(Class, NotDelivered)>,
}

struct Heartbeat {
    url: Uri,
    http: Http,
    interval: Duration,
    next: Instant,
    is_busy: bool,
    failed: Option<String>,
}

enum Sent {
    Message(Box<Message>, Result<(), String>),
    Heartbeat(Result<(), String>),
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("receivers", &self.receivers.keys()).finish_non_exhaustive()
    }
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
        let retry = Duration::from_millis(settings.retry_ms);
        let backoff = Backoff::new(FIRST_PAUSE.min(retry), retry);
        let setting = format!("alerts.receivers[{n}].{key}");
        let receiver = Receiver { sink: Arc::from(sink), setting, backoff, wait: None, is_busy: false, failed: None };
        receivers.insert(name, receiver);
    }
    Ok(receivers)
}

/// Tells one receiver that it can be told.
///
/// # Errors
/// It is not there, or was not reached in time.
pub async fn test(settings: &AlertsSettings, name: &str) -> Result<(), NotDelivered> {
    let receivers = receivers(settings)?;
    let Some(receiver) = receivers.get(name) else {
        let names = receivers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let problem = format!("there is no such receiver; known: {names}");
        return Err(NotDelivered { receiver: name.to_owned(), setting: "alerts.receivers".to_owned(), problem });
    };
    let now_ms = now_ms();
    // Each test is a story of its own, which ends.
    let group = format!("test/{now_ms}");
    let alert = Alert {
        stage: "test".to_owned(),
        check: "test".to_owned(),
        class: Class::Log,
        instances: Vec::new(),
        text: "this is a test: nothing is wrong".to_owned(),
        advice: "Nothing to do: this receiver can be told.".to_owned(),
        runbook: String::new(),
        since_ms: now_ms,
    };
    let mut message = Message {
        id: crate::alert::digest(&[&group, name], 16),
        receiver: name.to_owned(),
        group,
        cause: "test".to_owned(),
        firing: vec![alert],
        resolved: Vec::new(),
        acknowledged_by: None,
        at_ms: now_ms,
    };
    receiver.told(&message, settings.timeout()).await.map_err(|problem| receiver.not_delivered(name, problem))?;
    message.resolved = std::mem::take(&mut message.firing);
    message.id = crate::alert::digest(&[&message.id, "over"], 16);
    receiver.told(&message, settings.timeout()).await.map_err(|problem| receiver.not_delivered(name, problem))
}

impl Receiver {
    async fn told(&self, message: &Message, limit: Duration) -> Result<(), String> {
        told(&*self.sink, message, limit).await
    }

    fn not_delivered(&self, name: &str, problem: String) -> NotDelivered {
        NotDelivered { receiver: name.to_owned(), setting: self.setting.clone(), problem }
    }
}

async fn told(sink: &dyn Sink, message: &Message, limit: Duration) -> Result<(), String> {
    timeout(limit, sink.send(message)).await.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

impl Delivery {
    /// Ready to tell; none where nobody is to be told.
    ///
    /// # Errors
    /// The settings of a receiver cannot work.
    pub async fn open(settings: &AlertsSettings, health: &Health) -> anyhow::Result<Option<Self>> {
        if !settings.are_on() {
            return Ok(None);
        }
        describe();
        let receivers = receivers(settings)?;
        let heartbeat = match &settings.heartbeat.url {
            Some(url) => Some(Heartbeat {
                url: url.expose().parse().map_err(|_| anyhow::anyhow!("alerts.heartbeat.url is not a URL"))?,
                http: sinks::client(settings),
                interval: Duration::from_millis(settings.heartbeat.interval_ms),
                next: Instant::now(),
                is_busy: false,
                failed: None,
            }),
            None => None,
        };
        let check = health.check(CheckSpec {
            name: "alerts_delivery",
            action: Action::Page,
            gates_readiness: false,
            unit: "",
            threshold: None,
        });
        check.ok("nothing to deliver so far");
        let mut router = read_state(&settings.state_file).await;
        router.forget_receivers(|name| receivers.contains_key(name));
        Ok(Some(Self {
            policy: settings.policy(),
            router,
            receivers,
            state_file: settings.state_file.clone(),
            silences_file: settings.silences_file.clone(),
            limit: settings.timeout(),
            heartbeat,
            check,
            sending: JoinSet::new(),
        }))
    }

    /// Tells, after each round, until the future is dropped or there are no more rounds.
    pub async fn run(mut self, mut rounds: watch::Receiver<LastRound>) {
        loop {
            tokio::select! {
                changed = rounds.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.read_silences().await;
                    self.beat();
                }
                Some(Ok(sent)) = self.sending.join_next() => self.after(sent).await,
            }
            let found = rounds.borrow_and_update().clone();
            if let Some(found) = found {
                self.dispatch(&found).await;
            }
            self.tell_health();
        }
    }

    /// Begins to deliver what is due, but nothing to those who are being told, or have failed a moment ago.
    async fn dispatch(&mut self, found: &[Alert]) {
        let before = self.router.clone();
        let due = self.router.round(&self.policy, found.to_vec(), now_ms());
        if self.router != before {
            self.save().await;
        }
        for (name, receiver) in &mut self.receivers {
            // What was not delivered, and is over now, is nobody's loss any more.
            if !receiver.is_busy && !due.iter().any(|message| message.receiver == *name) {
                receiver.failed = None;
            }
        }
        let now = Instant::now();
        for message in due {
            let Some(receiver) = self.receivers.get_mut(&message.receiver) else { continue };
            if receiver.is_busy || receiver.wait.is_some_and(|until| now < until) {
                continue;
            }
            receiver.is_busy = true;
            let (sink, limit) = (Arc::clone(&receiver.sink), self.limit);
            self.sending.spawn(async move {
                let result = told(&*sink, &message, limit).await;
                Sent::Message(Box::new(message), result)
            });
        }
    }

    async fn after(&mut self, sent: Sent) {
        match sent {
            Sent::Message(message, result) => self.after_message(&message, result).await,
            Sent::Heartbeat(result) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.is_busy = false;
                    heartbeat.failed = result.err();
                }
            }
        }
    }

    async fn after_message(&mut self, message: &Message, result: Result<(), String>) {
        let Some(receiver) = self.receivers.get_mut(&message.receiver) else { return };
        receiver.is_busy = false;
        let labels = [("receiver", message.receiver.clone())];
        match result {
            Ok(()) => {
                receiver.backoff.reset();
                receiver.wait = None;
                receiver.failed = None;
                metrics::counter!("weir_alerts_delivered_total", &labels).increment(1);
                tracing::info!(receiver = message.receiver, group = message.group, title = message.title(), "told");
                self.router.delivered(message, now_ms());
                self.save().await;
            }
            Err(problem) => {
                let pause = receiver.backoff.pause();
                receiver.wait = Some(Instant::now() + pause);
                metrics::counter!("weir_alerts_failures_total", &labels).increment(1);
                let failed = receiver.not_delivered(&message.receiver, problem);
                tracing::warn!(error = %failed, group = message.group, ?pause, "not delivered: it is tried again");
                // That something is over wakes nobody.
                let class = if message.is_over() { Class::Log } else { message.class() };
                let worst = receiver.failed.as_ref().map_or(Class::Log, |(class, _)| *class).max(class);
                receiver.failed = Some((worst, failed));
            }
        }
    }

    /// Calls whoever watches health-check, after a round.
    fn beat(&mut self) {
        let now = Instant::now();
        let Some(heartbeat) = self.heartbeat.as_mut().filter(|it| !it.is_busy && now >= it.next) else { return };
        heartbeat.is_busy = true;
        heartbeat.next = now + heartbeat.interval;
        let (http, url, limit) = (heartbeat.http.clone(), heartbeat.url.clone(), self.limit);
        self.sending.spawn(async move {
            let called = timeout(limit, http.get(&url)).await;
            Sent::Heartbeat(called.unwrap_or_else(|_| Err(format!("no answer within {limit:?}"))))
        });
    }

    fn tell_health(&self) {
        let failed: Vec<_> = self.receivers.values().filter_map(|receiver| receiver.failed.as_ref()).collect();
        let mut texts: Vec<_> = failed.iter().map(|(_, failed)| failed.to_string()).collect();
        let heartbeat = self.heartbeat.as_ref().and_then(|heartbeat| heartbeat.failed.as_ref());
        texts.extend(heartbeat.map(|problem| format!("heartbeat (alerts.heartbeat.url): {problem}")));
        // Who was to be woken sleeps.
        if failed.iter().any(|(class, _)| *class == Class::Page) {
            self.check.fail(texts.join("; "));
        } else if texts.is_empty() {
            self.check.ok("everybody who is to be told can be told");
        } else {
            self.check.warn(texts.join("; "));
        }
    }

    async fn read_silences(&mut self) {
        if self.silences_file.as_os_str().is_empty() {
            return;
        }
        let read = match tokio::fs::read_to_string(&self.silences_file).await {
            Ok(text) => silences::read(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Silences::default()),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(Silences { silences, acknowledgements }) => {
                (self.policy.silences, self.policy.acknowledgements) = (silences, acknowledgements);
            }
            // What was read before counts.
            Err(problem) => {
                let file = self.silences_file.display();
                tracing::warn!(%file, problem, "cannot read the silences (setting alerts.silences_file)");
            }
        }
    }

    async fn save(&self) {
        if self.state_file.as_os_str().is_empty() {
            return;
        }
        if let Err(error) = write_state(&self.state_file, &self.router).await {
            let file = self.state_file.display();
            tracing::warn!(%file, %error, "cannot keep what was told (setting alerts.state_file)");
        }
    }
}

/// What was told before; nothing where it cannot be read.
async fn read_state(file: &Path) -> Router {
    if file.as_os_str().is_empty() {
        return Router::default();
    }
    let read = match tokio::fs::read(file).await {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(std::io::Error::other),
        Err(error) => Err(error),
    };
    read.unwrap_or_else(|error| {
        if error.kind() != std::io::ErrorKind::NotFound {
            let file = file.display();
            tracing::warn!(%file, %error, "cannot read what was told (setting alerts.state_file): it is told again");
        }
        Router::default()
    })
}

/// As a whole, or not at all.
async fn write_state(file: &Path, router: &Router) -> std::io::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let bytes = serde_json::to_vec(router).map_err(std::io::Error::other)?;
    tokio::fs::write(&new, bytes).await?;
    tokio::fs::rename(&new, file).await
}

/// What is open, as the file of the state has it.
///
/// # Errors
/// The file cannot be read.
pub async fn state(file: &Path) -> std::io::Result<Router> {
    serde_json::from_slice(&tokio::fs::read(file).await?).map_err(std::io::Error::other)
}

fn now_ms() -> i64 {
    let since = clock::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn describe() {
    metrics::describe_counter!("weir_alerts_delivered_total", "messages that a receiver took");
    metrics::describe_counter!("weir_alerts_failures_total", "attempts to deliver a message that failed");
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
