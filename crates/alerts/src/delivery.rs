//! Delivers what the router says, to one receiver at a time each, and remembers what was delivered.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use service::{Action, CheckHandle, CheckSpec, Health, Uri, clock};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::access::Access;
use crate::alert::{Alert, Class};
use crate::message::Message;
use crate::policy::Policy;
use crate::receiver::{Receiver, receivers, told};
use crate::router::Router;
use crate::settings::AlertsSettings;
use crate::silences::{self, Silences};
use crate::sinks::{self, Http, NotDelivered, NotTaken};

/// The check that says whether everybody can be told.
const CHECK: &str = "alerts_delivery";

/// What the last round found; none: there was none yet.
pub type LastRound = Option<Arc<Vec<Alert>>>;

/// Tells the receivers. Made by [`open`](Self::open), ended by dropping the future of [`run`](Self::run).
pub struct Delivery {
    policy: Policy,
    router: Router,
    /// As the file has it.
    saved: Router,
    receivers: BTreeMap<String, Receiver>,
    state_file: PathBuf,
    silences_file: PathBuf,
    state: Access<Router>,
    silences: Access<Silences>,
    limit: Duration,
    heartbeat: Option<Heartbeat>,
    check: CheckHandle,
    sending: JoinSet<Result<(), NotTaken>>,
    /// What each of them is.
    calls: HashMap<Id, Call>,
}

struct Heartbeat {
    url: Uri,
    http: Http,
    interval: Duration,
    next: Instant,
    is_busy: bool,
    failed: Option<String>,
}

enum Call {
    Message(Box<Message>),
    Heartbeat,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("receivers", &self.receivers.keys()).finish_non_exhaustive()
    }
}

/// Tells one receiver that it can be told.
///
/// # Errors
/// It is not there, or was not reached in time.
pub async fn test(settings: &AlertsSettings, installation: &str, name: &str) -> Result<(), NotDelivered> {
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
        subjects: Vec::new(),
        text: "this is a test: nothing is wrong".to_owned(),
        advice: "Nothing to do: this receiver can be told.".to_owned(),
        runbook: String::new(),
        since_ms: now_ms,
    };
    let mut message = Message {
        id: crate::alert::digest(&[&group, name], 16),
        installation: installation.to_owned(),
        receiver: name.to_owned(),
        group,
        cause: "test".to_owned(),
        firing: vec![alert],
        resolved: Vec::new(),
        muted: Vec::new(),
        acknowledged_by: None,
        after_ms: None,
        at_ms: now_ms,
    };
    let failed = |failed: NotTaken| receiver.not_delivered(name, failed.problem);
    told(&*receiver.sink, &message, settings.timeout()).await.map_err(failed)?;
    message.resolved = std::mem::take(&mut message.firing);
    message.id = crate::alert::digest(&[&message.id, "over"], 16);
    told(&*receiver.sink, &message, settings.timeout()).await.map_err(failed)
}

impl Delivery {
    /// Ready to tell; none where nobody is to be told. `installation`: what it is called. `interval`: between two rounds.
    ///
    /// # Errors
    /// The settings of a receiver cannot work.
    pub async fn open(
        settings: &AlertsSettings,
        installation: &str,
        interval: Duration,
        health: &Health,
    ) -> anyhow::Result<Option<Self>> {
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
            name: CHECK,
            action: Action::Page,
            gates_readiness: false,
            unit: "",
            threshold: None,
        });
        let limit = settings.timeout();
        check.ok("nothing to deliver so far");
        // After each round, and what is done with files before.
        check.every(interval + 2 * limit);
        let mut router = read_state(&settings.state_file, limit).await;
        router.forget_receivers(|name| receivers.contains_key(name));
        Ok(Some(Self {
            saved: router.clone(),
            policy: Policy { installation: installation.to_owned(), ..settings.policy() },
            router,
            receivers,
            state_file: settings.state_file.clone(),
            silences_file: settings.silences_file.clone(),
            state: Access::within(limit),
            silences: Access::within(limit),
            limit,
            heartbeat,
            check,
            sending: JoinSet::new(),
            calls: HashMap::new(),
        }))
    }

    /// Tells, after each round, until the future is dropped or there are no more rounds.
    pub async fn run(mut self, mut rounds: watch::Receiver<LastRound>) {
        loop {
            let is_new = tokio::select! {
                changed = rounds.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.read_silences().await;
                    true
                }
                Some(done) = self.sending.join_next_with_id() => {
                    self.after(done);
                    false
                }
            };
            let found = rounds.borrow().clone();
            if let Some(found) = found {
                self.dispatch(&found).await;
            }
            if is_new {
                self.beat();
            }
            self.tell_health();
        }
    }

    /// Begins to deliver what is due, but nothing to those who are being told, or have failed a moment ago.
    async fn dispatch(&mut self, found: &[Alert]) {
        let due = self.router.round(&self.policy, found.to_vec(), now_ms());
        let now = Instant::now();
        let mut chosen: Vec<Message> = Vec::new();
        let is_failing = !self.problems().is_empty();
        for (name, receiver) in &mut self.receivers {
            receiver.keep(|group| due.iter().any(|message| message.receiver == *name && message.group == group));
            // No receiver is told of its own failure, and nobody of one that is over: the round may be older than that.
            let may = |message: &&Message| !is_of_delivery(message) || (is_failing && receiver.failed().is_none());
            let of_it = due.iter().filter(|message| message.receiver == *name).filter(may);
            chosen.extend(receiver.next(of_it, now).cloned());
        }
        // Written before it is sent: whoever may have been told hears the end, also from the process after this one.
        chosen.iter().for_each(|message| self.router.sending(message));
        self.save().await;
        for message in chosen {
            let Some(receiver) = self.receivers.get_mut(&message.receiver) else { continue };
            receiver.is_busy = true;
            let (sink, limit, sent) = (Arc::clone(&receiver.sink), self.limit, message.clone());
            let task = self.sending.spawn(async move { told(&*sink, &sent, limit).await });
            self.calls.insert(task.id(), Call::Message(Box::new(message)));
        }
    }

    /// A call is over, and be it that its task panicked.
    fn after(&mut self, done: Result<(Id, Result<(), NotTaken>), JoinError>) {
        let (id, result) = done.unwrap_or_else(|error| {
            (error.id(), Err(NotTaken::perhaps("telling it ended in a panic, which the log has".to_owned())))
        });
        match self.calls.remove(&id) {
            Some(Call::Message(message)) => self.after_message(&message, result),
            Some(Call::Heartbeat) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.is_busy = false;
                    heartbeat.failed = result.err().map(|failed| failed.problem);
                }
            }
            None => {}
        }
    }

    /// What it changes is saved with the round that follows.
    fn after_message(&mut self, message: &Message, result: Result<(), NotTaken>) {
        let Some(receiver) = self.receivers.get_mut(&message.receiver) else { return };
        receiver.is_busy = false;
        let labels = [("receiver", message.receiver.clone())];
        match result {
            Ok(()) => {
                receiver.took(message, Instant::now());
                metrics::counter!("weir_alerts_delivered_total", &labels).increment(1);
                tracing::info!(receiver = message.receiver, group = message.group, title = message.title(), "told");
                self.router.delivered(message, now_ms());
            }
            Err(NotTaken { problem, perhaps }) => {
                metrics::counter!("weir_alerts_failures_total", &labels).increment(1);
                let (pause, failed) = receiver.refused(message, problem, Instant::now());
                tracing::warn!(error = %failed, group = message.group, ?pause, "not delivered: it is tried again");
                if !perhaps {
                    self.router.not_taken(message);
                }
            }
        }
    }

    /// Calls whoever watches health-check, after a round. Not while a page is not delivered: then somebody else has to tell.
    fn beat(&mut self) {
        let now = Instant::now();
        if self.is_page_undelivered() {
            return;
        }
        let Some(heartbeat) = self.heartbeat.as_mut().filter(|it| !it.is_busy && now >= it.next) else { return };
        heartbeat.is_busy = true;
        heartbeat.next = now + heartbeat.interval;
        let (http, url, limit) = (heartbeat.http.clone(), heartbeat.url.clone(), self.limit);
        let task = self.sending.spawn(async move {
            let called = timeout(limit, http.get(&url)).await;
            called.unwrap_or_else(|_| Err(NotTaken::perhaps(format!("no answer within {limit:?}"))))
        });
        self.calls.insert(task.id(), Call::Heartbeat);
    }

    /// Whether somebody who was to be woken sleeps.
    fn is_page_undelivered(&self) -> bool {
        self.receivers.values().filter_map(Receiver::failed).any(|(class, _)| class == Class::Page)
    }

    /// What was not delivered, and why, and what else goes wrong.
    fn problems(&self) -> Vec<String> {
        let failed = self.receivers.values().filter_map(Receiver::failed);
        let mut texts: Vec<_> = failed.map(|(_, failed)| failed.to_string()).collect();
        let heartbeat = self.heartbeat.as_ref().and_then(|heartbeat| heartbeat.failed.as_ref());
        texts.extend(heartbeat.map(|problem| format!("heartbeat (alerts.heartbeat.url): {problem}")));
        texts.extend(self.silences.problem.iter().chain(&self.state.problem).cloned());
        texts
    }

    fn tell_health(&self) {
        let texts = self.problems();
        if self.is_page_undelivered() {
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
        let (file, now_ms) = (self.silences_file.clone(), now_ms());
        let read = move || match std::fs::read_to_string(&file) {
            Ok(text) => silences::read(&text, now_ms).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Silences::default()),
            Err(error) => Err(error),
        };
        // If it cannot be read, what was read before counts.
        if let Some(Silences { silences, acknowledgements }) = self.silences.run("alerts.silences_file", read).await {
            (self.policy.silences, self.policy.acknowledgements) = (silences, acknowledgements);
        }
    }

    async fn save(&mut self) {
        if self.state_file.as_os_str().is_empty() || self.saved == self.router {
            return;
        }
        let (file, router) = (self.state_file.clone(), self.router.clone());
        let write = move || write_state(&file, &router).map(|()| router);
        if let Some(router) = self.state.run("alerts.state_file", write).await {
            self.saved = router;
        }
    }
}

/// Whether it tells that somebody cannot be told.
fn is_of_delivery(message: &Message) -> bool {
    !message.firing.is_empty() && message.firing.iter().all(|alert| alert.check == CHECK)
}

/// What was told before; nothing where it cannot be read.
async fn read_state(file: &Path, limit: Duration) -> Router {
    if file.as_os_str().is_empty() {
        return Router::default();
    }
    let file = file.to_owned();
    let read = move || match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Router::default()),
        Err(error) => Err(error),
    };
    // Else all that lasts is told again.
    Access::within(limit).run("alerts.state_file", read).await.unwrap_or_default()
}

/// As a whole, or not at all.
fn write_state(file: &Path, router: &Router) -> io::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, serde_json::to_vec(router).map_err(io::Error::other)?)?;
    std::fs::rename(&new, file)
}

/// What is open, as the file of the state has it.
///
/// # Errors
/// The file cannot be read.
pub async fn state(file: &Path) -> io::Result<Router> {
    serde_json::from_slice(&tokio::fs::read(file).await?).map_err(io::Error::other)
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
