//! Asks everybody, again and again, and tells the model what came of it.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::health::v1::health_service_client::HealthServiceClient;
use common::health::v1::{Digest, GetDigestRequest, State};
use futures_util::future::join_all;
use service::tls::Dial;
use service::{CallLimits, Channel, Health, Uri, clock};
use tokio::net::lookup_host;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::pipeline::{Model, View};
use crate::probes::{self, Probes};
use crate::settings::{HealthCheckSettings, ServiceSettings, host_port};
use crate::stage::PROBES;
use crate::volume::{History, door};

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
    pub(crate) fn history(&self) -> History {
        self.with(|model| model.volume().map(|watch| watch.history().clone()).unwrap_or_default())
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
        Self { source, probes, known, interval, timeout, dial, channels: HashMap::new() }
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
        self.known.with(|model| {
            let mut present = BTreeSet::new();
            for (service, address, outcome) in answers {
                present.insert((service.clone(), address.clone()));
                model.observe(&service, &address, outcome, now);
            }
            model.end_round(&present, now);
            model.volume().into_iter().for_each(|watch| door::metrics(watch.summary()));
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

/// What Prometheus reads of the stages, after each round.
pub(crate) fn metrics(view: &View) {
    let number = |state| match state {
        State::Ok => 0.0,
        State::Warning => 1.0,
        State::Failing => 2.0,
        State::Unknown | State::Unspecified => 3.0,
    };
    // So that it can be seen from outside that rounds end: whoever stands still changes nothing of the rest.
    metrics::counter!("weir_pipeline_rounds_total").increment(1);
    metrics::gauge!("weir_pipeline_state").set(number(view.pipeline.state()));
    for hop in &view.pipeline.hops {
        let labels = [("hop", hop.service.clone())];
        metrics::gauge!("weir_pipeline_hop_state", &labels).set(number(hop.state()));
        metrics::gauge!("weir_pipeline_hop_instances", &labels).set(hop.instances);
        metrics::gauge!("weir_pipeline_hop_expected", &labels).set(hop.expected);
        // What is not known is not a number: no rule compares with it, and no sum has it for nothing.
        let known = |value: f64, unknown: bool| if unknown { f64::NAN } else { value };
        metrics::gauge!("weir_pipeline_hop_lag_records", &labels).set(known(hop.lag as f64, hop.lag_unknown));
        metrics::gauge!("weir_pipeline_hop_in_per_second", &labels).set(known(hop.in_per_second, hop.rates_unknown));
        metrics::gauge!("weir_pipeline_hop_out_per_second", &labels).set(known(hop.out_per_second, hop.rates_unknown));
        metrics::gauge!("weir_pipeline_hop_age_seconds", &labels).set(hop.age_seconds.unwrap_or(f64::NAN));
    }
}

/// Says what they are.
pub(crate) fn describe() {
    door::describe();
    metrics::describe_counter!("weir_pipeline_rounds_total", "rounds in which health-check has asked all instances");
    metrics::describe_gauge!("weir_pipeline_state", "state of the worst stage: 0 ok, 1 warning, 2 failing, 3 unknown");
    metrics::describe_gauge!("weir_pipeline_hop_state", "0 ok, 1 warning, 2 failing, 3 unknown");
    metrics::describe_gauge!("weir_pipeline_hop_instances", "instances of a stage that answer");
    metrics::describe_gauge!("weir_pipeline_hop_expected", "instances of a stage that should answer");
    metrics::describe_gauge!("weir_pipeline_hop_lag_records", "lag of a stage, in records");
    metrics::describe_gauge!(
        "weir_pipeline_hop_in_per_second",
        "units per second that a stage took in, over the last minute"
    );
    metrics::describe_gauge!(
        "weir_pipeline_hop_out_per_second",
        "units per second that a stage sent on, over the last minute"
    );
    metrics::describe_gauge!(
        "weir_pipeline_hop_age_seconds",
        "time from the door to the end of the stage, 99th percentile"
    );
}
