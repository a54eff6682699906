//! Asks everybody, again and again, and tells the model what came of it.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::health::v1::health_service_client::HealthServiceClient;
use common::health::v1::{Digest, GetDigestRequest};
use futures_util::future::join_all;
use platforms::PlatformAnswer;
use service::tls::Dial;
use service::{CallLimits, Channel, Health, Uri, clock};
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::errors::entry::{ErrorEntry, Series, entries_of};
use crate::pipeline::{Model, View};
use crate::probes::{self, Probes};
use crate::settings::{HealthCheckSettings, ServiceSettings, host_port};
use crate::stage::PROBES;
use crate::volume::History;

/// Hundreds of endpoints for a day of hours.
const LARGEST_DIGEST: usize = 64 * 1024 * 1024;

/// Where digests come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// This process has all of the services.
    Local(Arc<dyn Fn() -> Digest + Send + Sync>),
    /// Others are asked by gRPC.
    Remote(Vec<ServiceSettings>),
}

/// For how long a view is shown again: however many look at once, it is made once a second.
const SHOWN: Duration = Duration::from_secs(1);

/// A view, and when it was made.
type Shown = (Instant, Arc<View>);

/// What is known so far. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    model: Arc<Mutex<Model>>,
    shown: Arc<Mutex<Option<Shown>>>,
}

impl Known {
    pub(crate) fn new(model: Model) -> Self {
        Self { model: Arc::new(Mutex::new(model)), shown: Arc::default() }
    }

    /// What all who share it know of errors; none: it is not known.
    pub(crate) fn share(&self, errors: Option<Vec<Series>>) {
        self.with(|model| model.share(errors));
    }

    /// How the pipeline is, as of this moment or the last second.
    pub(crate) fn view(&self) -> Arc<View> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, view)) = shown.as_ref().filter(|(at, _)| at.elapsed() < SHOWN) {
            return Arc::clone(view);
        }
        let view = Arc::new(self.with(|model| model.view(clock::now())));
        *shown = Some((Instant::now(), Arc::clone(&view)));
        view
    }

    /// What came in, of the last weeks.
    pub(crate) fn volume_history(&self) -> History {
        self.with(|model| model.volume().map(|watch| watch.history().clone()).unwrap_or_default())
    }

    /// Goes on with what was read of the last weeks.
    pub(crate) fn restore_volumes(&self, history: History) {
        self.with(|model| model.restore_volumes(history));
    }

    /// Of which silent endpoints the platform is to be asked now.
    pub(crate) fn platforms_to_ask(&self) -> Vec<String> {
        self.with(|model| model.platforms_to_ask(clock::now()))
    }

    /// What the platform says of one of them.
    pub(crate) fn platform_answered(&self, endpoint: &str, answer: PlatformAnswer) {
        self.with(|model| model.platform_answered(endpoint, answer, clock::now()));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Model) -> T) -> T {
        // Nothing panics while it is held; and health has to be told even then.
        act(&mut self.model.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct Collector {
    source: Source,
    /// Where the probes tell what they found.
    probes: Option<Health>,
    known: Known,
    interval: Duration,
    timeout: Duration,
    dial: Dial,
    /// Who shares errors with others.
    sharing: Option<watch::Sender<Vec<ErrorEntry>>>,
    /// By the name that is asked for, because its certificate has to be that of the name, and by where it leads.
    channels: HashMap<(String, SocketAddr), Channel>,
}

impl Collector {
    pub(crate) fn new(
        settings: &HealthCheckSettings,
        source: Source,
        probes: Option<Health>,
        known: Known,
        dial: Dial,
    ) -> Self {
        let (interval, timeout) = (settings.interval(), settings.timeout());
        Self { source, probes, known, interval, timeout, dial, sharing: None, channels: HashMap::new() }
    }

    /// What each round was told of errors, from now on.
    pub(crate) fn told_errors(&mut self) -> watch::Receiver<Vec<ErrorEntry>> {
        self.sharing.insert(watch::Sender::default()).subscribe()
    }

    /// Until the future is dropped. `after` is told after each round.
    pub(crate) async fn run(mut self, after: impl Fn(&View)) {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.round().await;
            after(&self.known.view());
        }
    }

    async fn round(&mut self) {
        let mut answers = match self.source.clone() {
            Source::Local(digest) => vec![(LOCAL.to_owned(), "this process".to_owned(), Ok(digest()))],
            Source::Remote(services) => self.ask_all(&services).await,
        };
        if let Some(found) = self.probes.as_ref().map(Probes::told) {
            answers.push((PROBES.to_owned(), probes::HERE.to_owned(), Ok(found)));
        }
        let now = clock::now();
        if let Some(sharing) = &self.sharing {
            let told = answers.iter().filter_map(|(.., outcome)| outcome.as_ref().ok());
            sharing.send_replace(told.flat_map(|digest| entries_of(digest, now)).collect());
        }
        self.known.with(|model| {
            let mut present = BTreeSet::new();
            for (service, address, outcome) in answers {
                present.insert((service.clone(), address.clone()));
                model.observe(&service, &address, outcome, now);
            }
            model.end_round(&present, now);
        });
        // What was shown is of the round before.
        *self.known.shown.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn ask_all(&mut self, services: &[ServiceSettings]) -> Vec<(String, String, Result<Digest, String>)> {
        let configured = services.iter().flat_map(|service| service.addresses.iter().map(move |at| (service, at)));
        let limit = self.timeout;
        let resolved =
            join_all(configured.map(|(service, at)| async move { (service, at, resolve(at, limit).await) })).await;
        let mut asked = Vec::new();
        let mut answers = Vec::new();
        for (service, address, resolved) in resolved {
            match resolved {
                Err(error) => answers.push((service.name.clone(), address.clone(), Err(error))),
                Ok(places) => asked
                    .extend(places.into_iter().map(|(name, at)| (service.name.clone(), name, (address.clone(), at)))),
            }
        }
        self.channels.retain(|to, _| asked.iter().any(|(_, _, other)| other == to));
        let asking: Vec<_> = asked
            .into_iter()
            .map(|(service, name, to)| {
                let dial = &self.dial;
                let channel = self.channels.entry(to).or_insert_with_key(|(url, at)| connect(dial, url, *at, limit));
                let channel = channel.clone();
                async move { (service, name, ask(channel).await) }
            })
            .collect();
        answers.extend(join_all(asking).await);
        answers
    }
}

/// The service of a process that has all of them.
pub(crate) const LOCAL: &str = "weir";

/// The places that an address stands for, each with its name for people.
async fn resolve(address: &str, limit: Duration) -> Result<Vec<(String, SocketAddr)>, String> {
    let Some(host_port) = host_port(address) else { return Err("not a gRPC address".to_owned()) };
    let found = match timeout(limit, lookup_host(host_port)).await {
        Err(_) => return Err(format!("name resolution timed out after {limit:?}")),
        Ok(Err(error)) => return Err(format!("name resolution failed: {error}")),
        Ok(Ok(found)) => found.collect::<BTreeSet<_>>(),
    };
    // A name may have an address of each family where one listens: that of the family that works is told by the answer.
    let alone = found.len() == 1;
    let name = |at: &SocketAddr| if alone { address.to_owned() } else { format!("{address} ({at})") };
    if found.is_empty() {
        return Err("the name resolves to no address".to_owned());
    }
    Ok(found.iter().map(|at| (name(at), *at)).collect())
}

fn connect(dial: &Dial, url: &str, at: SocketAddr, limit: Duration) -> Channel {
    // That it is a URL was found when it was resolved.
    let to: Uri = url.parse().unwrap_or_default();
    dial.connect_lazy_at(to, at, CallLimits { connect: limit, call: Some(limit) })
}

async fn ask(channel: Channel) -> Result<Digest, String> {
    let mut client = HealthServiceClient::new(channel).max_decoding_message_size(LARGEST_DIGEST);
    match client.get_digest(GetDigestRequest {}).await {
        Err(status) => Err(reason(&status)),
        Ok(answer) => answer.into_inner().digest.ok_or_else(|| "the answer has no digest".to_owned()),
    }
}

/// The innermost cause says most: "connection refused" rather than "transport error".
pub(crate) fn reason(status: &tonic::Status) -> String {
    let mut cause: &dyn std::error::Error = status;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, status) { status.message().to_owned() } else { cause.to_string() }
}

/// A round is over: it can be seen from outside that rounds end.
pub(crate) fn count_round() {
    metrics::counter!("weir_pipeline_rounds_total").increment(1);
}

/// Says what it is.
pub(crate) fn describe() {
    metrics::describe_counter!("weir_pipeline_rounds_total", "rounds in which health-check has asked all instances");
}
