//! Whether all of the pipeline is healthy, on one page.
//!
//! ```text
//! every instance ─ gRPC GetDigest ─▶ collector ─▶ pipeline ─▶ status page /, /status.json, /check   (admin port)
//!                                                  (pure)  └▶ gRPC PipelineService, Prometheus
//! ```
//!
//! * [`settings`]: what can be set
//! * `collector`: asks everybody, at once and within a time
//! * [`pipeline`]: from digests over time to how the pipeline is; [`flow`]: totals over restarts, and rates
//! * [`errors`]: the errors of all workers within a window
//! * [`probes`]: programs that know nothing of Weir, and are asked all the same
//! * `asking`: the platforms of silent endpoints, whether their subscriptions are still there
//! * `sharing`: with other health-checks, what is known of errors
//! * `stage`: what of a digest is about which stage
//! * `measures`: what Prometheus reads of the stages
//! * [`problems`]: what is not as it should be, from which value on, in words
//! * `advice`: what to do about each
//! * `runbooks`: which page tells more of a check
//! * `canary`: whether canaries arrive, and where they stopped
//! * [`cause`]: what lies behind several problems
//! * [`history`]: the last hour and the last day
//! * `alerting`: what a round found, as alerts are told of it
//! * `healing`: what is done without a person, where that is allowed
//! * [`volume`]: whether as much comes in as usual, from thresholds mined from recorded weeks
//! * [`page`], [`json`], [`check`]: the result for people, programs, and Nagios

mod advice;
mod alerting;
mod asking;
mod canary;
pub mod cause;
pub mod check;
mod collector;
pub mod errors;
pub mod flow;
pub mod healing;
pub mod history;
pub mod json;
mod measures;
pub mod named;
pub mod page;
pub mod pipeline;
pub mod probes;
pub mod problems;
mod runbooks;
#[cfg(test)]
mod samples;
pub mod settings;
mod sharing;
mod stage;
pub mod urgency;
pub mod volume;

use std::sync::{Arc, Mutex, PoisonError};

use alerts::Delivery;
use axum::Router;
use axum::extract::Query;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use common::catalogue::{Answer, Description, Need, Runs, Scales};
use common::health::v1::pipeline_service_server::{PipelineService, PipelineServiceServer, SERVICE_NAME};
use common::health::v1::{GetPipelineRequest, GetPipelineResponse, State};
use common::time::to_millis;
use platforms::Platforms;
use service::{Action, CheckHandle, CheckSpec, Host, Service, clock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::asking::Asking;
use crate::collector::{Collector, Known, LOCAL, Source};
use crate::healing::Healing;
use crate::healing::audit::Audit;
use crate::history::History;
use crate::named::Named;
use crate::pipeline::{Model, View, Watched};
use crate::probes::Probes;
pub use crate::settings::{DEFAULTS, HEALTH_CHECK_DEFAULTS, HealthCheckSettings, Settings};
use crate::sharing::Sharing;
use crate::volume::keep::Keeper;
use crate::volume::{Asked, Watch};

/// What it does.
pub const ABOUT: &str = "Asks every service for its health, and says whether the whole pipeline is healthy";

const RUNS: Runs = Runs {
    scales: Scales::Fixed(1),
    cpu: "50m",
    memory: ["32Mi", "128Mi"],
    needs: &[Need::Targets],
    answers: &[Answer::Pages, Answer::Grpc(SERVICE_NAME)],
    dials: &[],
};

/// What health-check is.
#[must_use]
pub fn description() -> Description {
    Description { name: "health-check", about: ABOUT, topics: Vec::new(), refuses: false, replays: false, runs: RUNS }
}

/// The last hour and the last day, which each round adds to.
type Past = Arc<Mutex<History>>;

/// Health-check, not yet asking.
pub struct HealthCheck {
    collector: Collector,
    known: Known,
    history: Past,
    check: Option<CheckHandle>,
    probes: Option<Probes>,
    asking: Option<Asking>,
    alerts: Option<Delivery>,
    runbooks: String,
    sharing: Option<Sharing>,
    keeper: Option<Keeper>,
    healing: Option<Healing>,
    audit: Audit,
    /// Tells that a round is over.
    rounds: watch::Sender<()>,
    shutdown: CancellationToken,
    refresh_ms: u64,
    max_message_bytes: usize,
}

impl std::fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HealthCheck").field("known", &self.known).finish_non_exhaustive()
    }
}

impl HealthCheck {
    /// For the services of the settings, which are asked by gRPC; where all are in this process, for that. Waits for nobody.
    #[must_use]
    pub fn new(settings: &Settings, host: &Host) -> Self {
        if host.held().is_some() {
            let health = host.health().clone();
            let watched = vec![Watched { service: LOCAL.to_owned(), expected: 1 }];
            return Self::with(settings, host, watched, Source::Local(Arc::new(move || health.digest())), None);
        }
        let check = host.health().check(CheckSpec {
            name: "health_check_collector",
            action: Action::Ticket,
            gates_readiness: false,
            unit: "",
            threshold: None,
        });
        let (watched, services) = (settings.health_check.watched(), settings.health_check.services.clone());
        Self::with(settings, host, watched, Source::Remote(services), Some(check))
    }

    fn with(
        settings: &Settings,
        host: &Host,
        mut watched: Vec<Watched>,
        source: Source,
        check: Option<CheckHandle>,
    ) -> Self {
        collector::describe();
        let platforms = Platforms::new(&settings.platforms);
        let settings = &settings.health_check;
        let probes = Probes::open(settings, host);
        if let Some(probes) = &probes {
            host.health().show(probes.health());
        }
        watched.extend(probes.iter().map(|_| Watched { service: stage::PROBES.to_owned(), expected: 1 }));
        let (watch, keeper) = watching(settings, host);
        let watch = watch.map(|watch| watch.asking(asked(&platforms)));
        let model = Model::new(watched, settings.limits()).stale_after(settings.stale_after()).called(&settings.name);
        let model = model.with_errors(settings.errors.window(), settings.errors.limits()).watching(watch);
        let known = Known::new(if let Some(held) = host.held() { model.in_order(held) } else { model });
        let asking = Asking::new(platforms, known.clone());
        let shown = known.clone();
        host.health().measure(move |page| measures::write(page, &shown.view()));
        let own = probes.as_ref().map(Probes::health);
        let mut collector = Collector::new(settings, source, own, known.clone(), host.dial());
        let sharing = settings.errors.redis_url.as_ref().and_then(|url| {
            let check = host.health().check(CheckSpec {
                name: "health_check_errors",
                action: Action::Ticket,
                gates_readiness: false,
                unit: "",
                threshold: None,
            });
            let (window, limit, told) = (settings.errors.window(), settings.timeout(), collector.told_errors());
            let sharing = Sharing::open(url, &settings.name, window, limit, told, known.clone(), check.clone());
            sharing.inspect_err(|error| check.fail(format!("health_check.errors.redis_url: {error}"))).ok()
        });
        let refresh_ms = settings.interval_ms.max(1000);
        let max_message_bytes = host.settings().grpc.max_message_bytes;
        let history = Past::new(Mutex::new(History::new(settings.interval())));
        let (alerts, runbooks) = (None, String::new());
        let (audit, rounds) = (Audit::default(), watch::Sender::default());
        let healing = Healing::open(&settings.healing, known.clone(), host, audit.clone(), rounds.subscribe());
        Self {
            collector,
            known,
            history,
            check,
            probes,
            asking,
            alerts,
            runbooks,
            sharing,
            keeper,
            healing,
            audit,
            rounds,
            shutdown: host.shutdown().clone(),
            refresh_ms,
            max_message_bytes,
        }
    }

    /// What is to be mounted on the admin server: the status page at `/`, `/status.json`, `/check`.
    fn status_pages(&self) -> Router {
        let page = page::Page::new(self.refresh_ms).with_audit(self.audit.clone());
        let audit = self.audit.clone();
        let history = Arc::clone(&self.history);
        let (html, json, check) = (self.known.clone(), self.known.clone(), self.known.clone());
        Router::new()
            .route(
                "/",
                get(async move || {
                    let mut headers = content_type("text/html; charset=utf-8");
                    headers.insert(CONTENT_SECURITY_POLICY, page.policy());
                    let view = html.view();
                    let history = history.lock().unwrap_or_else(PoisonError::into_inner);
                    (headers, page.html(&view, &history))
                }),
            )
            .route(
                "/status.json",
                get(async move || {
                    let view = json::ViewJson::from(View::clone(&json.view())).with_healing(&audit);
                    (content_type("application/json"), serde_json::to_string(&view).unwrap_or_default())
                }),
            )
            .route(
                "/check",
                get(async move |Query(of): Query<Of>| {
                    let view = check.view();
                    let pipeline = &view.pipeline;
                    let (state, text) = match &of.name {
                        None => (pipeline.state(), check::text(pipeline)),
                        Some(name) => match Named::find(pipeline, name) {
                            Ok(Named { state, line }) => (state, line + "\n"),
                            Err(problem) => (State::Unknown, format!("UNKNOWN {problem}\n")),
                        },
                    };
                    let mut headers = content_type("text/plain; charset=utf-8");
                    let code = HeaderValue::from(u16::from(check::exit_code(state)));
                    headers.insert(HeaderName::from_static("x-check-status"), code);
                    (headers, text)
                }),
            )
    }

    /// Asks until the host shuts down.
    ///
    /// # Errors
    /// None so far.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { collector, known, history, check, probes, asking, alerts, runbooks, sharing, keeper, .. } = self;
        let (healing, audit, ended, shutdown) = (self.healing, self.audit, self.rounds, self.shutdown);
        let (rounds, found) = watch::channel(None);
        let are_told = alerts.is_some();
        let after = |view: &View| {
            collector::count_round();
            history.lock().unwrap_or_else(PoisonError::into_inner).record(view, clock::now());
            if are_told {
                let now_ms = view.pipeline.at.as_ref().map_or(0, to_millis);
                let mut found = alerting::found(view, &runbooks, now_ms);
                found.extend(audit.alerts(now_ms));
                rounds.send_replace(Some(Arc::new(found)));
            }
            ended.send_replace(());
            if let Some(check) = &check {
                told(check, view);
            }
        };
        let watching = perhaps(probes.map(Probes::run));
        let asking = perhaps(asking.map(Asking::run));
        let telling = perhaps(alerts.map(|alerts| alerts.run(found)));
        let sharing = perhaps(sharing.map(Sharing::run));
        let healing = perhaps(healing.map(Healing::run));
        let all = async { tokio::join!(collector.run(after), watching, asking, telling, sharing, healing) };
        let keeping = async {
            if let Some(keeper) = keeper {
                let restore = |history| known.restore_volumes(history);
                keeper.run(|| known.volume_history(), restore, &shutdown).await;
            }
        };
        let _ = tokio::join!(shutdown.run_until_cancelled(Box::pin(all)), keeping);
        Ok(())
    }
}

/// What is not configured does nothing.
async fn perhaps(task: Option<impl Future<Output = ()>>) {
    if let Some(task) = task {
        task.await;
    }
}

/// Whose platform can be asked once it is silent.
fn asked(platforms: &Platforms) -> Asked {
    let limit = i64::try_from(platforms.limit().as_millis().div_ceil(1000)).unwrap_or(600);
    Asked::new(platforms.endpoints().map(str::to_owned), limit)
}

/// What watches the volume, and what keeps its history.
fn watching(settings: &HealthCheckSettings, host: &Host) -> (Option<Watch>, Option<Keeper>) {
    let settings = &settings.volume;
    if !settings.enabled {
        return (None, None);
    }
    let open = |path: &std::path::PathBuf| {
        let check = host.health().check(CheckSpec {
            name: "health_check_history",
            action: Action::Ticket,
            gates_readiness: false,
            unit: "",
            threshold: None,
        });
        Keeper::open(path.clone(), check)
    };
    if settings.file.is_none() && host.held().is_none() {
        tracing::warn!("health_check.volume.file is not set: each restart begins another history of volumes");
    }
    let (keeper, history) = settings.file.as_ref().map(open).unzip();
    let (rules, most) = (settings.rules(), settings.endpoints as usize);
    (Some(Watch::new(rules, most, settings.ignore.clone(), history.unwrap_or_default())), keeper)
}

/// What health-check says of itself: whether it can ask. How the others are is not its own health.
fn told(check: &CheckHandle, view: &View) {
    let asked = view.pipeline.instances.iter().filter(|instance| instance.address != probes::HERE);
    let instances: Vec<_> = asked.collect();
    let answered = instances.iter().filter(|instance| instance.error.is_empty()).count();
    let message = format!("{answered} of {} addresses answer", instances.len());
    if answered == 0 { check.fail(message) } else { check.ok(message) }
}

/// Which check is asked for; none: all together.
#[derive(Debug, serde::Deserialize)]
struct Of {
    name: Option<String>,
}

/// Beside the headers that every page of the admin server has.
fn content_type(content_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))])
}

/// `weir.health.v1.PipelineService`
struct Answers(Known);

#[tonic::async_trait]
impl PipelineService for Answers {
    async fn get_pipeline(&self, _: Request<GetPipelineRequest>) -> Result<Response<GetPipelineResponse>, Status> {
        Ok(Response::new(GetPipelineResponse { pipeline: Some(self.0.view().pipeline.clone()) }))
    }
}

impl Service for HealthCheck {
    type Settings = Settings;
    const DEFAULTS: &'static [&'static str] = DEFAULTS;

    fn description() -> Description {
        description()
    }

    async fn open(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        let (name, interval) = (&settings.health_check.name, settings.health_check.interval());
        let alerts = Delivery::open(&settings.alerts, name, interval, host.health()).await?;
        Ok(Self { alerts, runbooks: settings.alerts.runbooks_url.clone(), ..Self::new(settings, host) })
    }

    fn add_to(&self, routes: Routes) -> Routes {
        let pipeline = PipelineServiceServer::new(Answers(self.known.clone()));
        routes.add_service(pipeline.max_decoding_message_size(self.max_message_bytes))
    }

    fn pages(&self) -> Option<Router> {
        Some(self.status_pages())
    }

    async fn run(self) -> anyhow::Result<()> {
        Self::run(self).await
    }
}
