//! The door: takes what platforms push, and says thank you once it is durable.
//!
//! ```text
//! POST /webhooks/{endpoint}
//!   route ─▶ endpoint ─▶ encoding, size, time ─▶ body ─▶ signature ─▶ limit ─▶ raw.<source> ─▶ ack ─▶ 200
//!              │ unknown                                   │ no fit     │ over: 429, or raw.<source>.bulk
//!              └──── the registrations, once more ◀────────┘     or held back: processing says so
//! ```
//!
//! * `layers`: the way above as one stack, from a request to its response; each step is a layer
//! * `door`: what all requests share
//! * `answer`: the decisions that need no I/O, and every answer there is
//! * `record`: what of a delivery is written
//! * `endpoints`: which endpoints are open, with which secrets; follows the `registrations` topic
//! * `catch_up`: one look at that topic for all who wait for one
//! * `body`: a body in one buffer, within limits of size, time and memory
//! * `limit`: how many deliveries per second, and what becomes of the rest
//! * `storms`: which endpoints are held back, because what they deliver cannot be read
//! * `pending`: waits for an acknowledgement, and counts it however late it comes
//! * `canary`: sends canaries the way of deliveries
//! * `arrivals`: whether those who connect come to a request
//! * `checks`, `meters`: what health and metrics say
//! * [`Settings`]: what can be set

mod answer;
mod arrivals;
mod body;
mod canary;
mod catch_up;
mod checks;
mod door;
mod endpoints;
mod layers;
mod limit;
mod meters;
mod pending;
mod record;
mod settings;
mod storms;

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, Table};
use common::catalogue::{Answer, Description, Need, Runs, Scales, TopicUse, Use};
use common::registration::v1::Registration;
use common::topics::{self, DEAD_LETTERS, REGISTRATIONS, STORMS};
use service::seal::SealingKey;
use service::tls::ServerTls;
use service::{Host, Service};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub use settings::{DEFAULTS, EndpointSettings, STREAMING_DEFAULTS, Settings, StreamingSettings};

use crate::checks::Checks;
use crate::door::Door;

/// The name of this hop in the digest's counts.
const HOP: &str = "streaming";
/// What the producer may take, beyond its time limit, to say that it has given a record up.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// What it does.
pub const ABOUT: &str = "Takes webhooks, and acknowledges each delivery once it is durable on the log.";

const RUNS: Runs = Runs {
    scales: Scales::Cpu,
    cpu: "250m",
    memory: ["128Mi", "384Mi"],
    needs: &[Need::SealingKey],
    answers: &[Answer::Public { path: "/webhooks/", listen: "streaming.listen" }],
    dials: &[],
};

/// What the door is.
#[must_use]
pub fn description() -> Description {
    let mut used = Vec::new();
    for source in sources::all() {
        used.push(TopicUse::of(&topics::raw(source.name()), Use::Output, "deliveries"));
        used.push(TopicUse::of(&topics::raw_bulk(source.name()), Use::Output, "deliveries"));
    }
    used.extend([
        TopicUse::of(&REGISTRATIONS, Use::LookUp, "which endpoints are open, with which secrets"),
        TopicUse::of(&STORMS, Use::LookUp, "which endpoints to hold back"),
        TopicUse::of(&DEAD_LETTERS, Use::Check, "that refused deliveries can be kept"),
    ]);
    Description { name: HOP, about: ABOUT, topics: used, refuses: false, replays: false, runs: RUNS }
}

/// What is left of the shutdown's deadline for what comes after the last record.
const LAST_MOMENT: Duration = Duration::from_millis(250);

/// The service, listening and not yet answering.
pub struct Streaming {
    listener: TcpListener,
    tls: Option<ServerTls>,
    address: SocketAddr,
    host: Host,
    bus: Bus,
    table: Table<Registration>,
    door: Arc<Door>,
    checks: Checks,
}

impl std::fmt::Debug for Streaming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streaming").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Streaming {
    /// Reads the key file, opens the bus and listens. Waits for nobody.
    ///
    /// # Errors
    /// A key file that cannot be used, a port that is taken, settings that the bus cannot use.
    pub async fn new(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        meters::describe();
        let key =
            match &settings.secrets.key_file {
                Some(file) => Some(SealingKey::from_file(file).with_context(|| {
                    format!("cannot use the key file {} (setting secrets.key_file)", file.display())
                })?),
                None => None,
            };
        let streaming = &settings.streaming;
        let mut to_the_log = settings.bus.clone();
        let records = &mut to_the_log.producer.max_in_flight_records;
        *records = streaming.max_in_flight.min(*records);
        let bus = Bus::open(&to_the_log)?;
        if !bus.settings().is_embedded() {
            host.ends_when_the_clock_is_set_back();
        }
        host.watch_certificate("bus.kafka.certificate_file", bus.settings().kafka.certificate_file.as_ref());
        let producer = bus.producer()?;
        let table = bus.table(&REGISTRATIONS);
        let counts = host.counts().hop(HOP);
        // By then the producer has given up what the log does not acknowledge.
        counts.limit(Duration::from_millis(u64::from(settings.bus.kafka.delivery_timeout_ms)) + GIVEN_UP);
        let door = Door {
            endpoints: endpoints::Endpoints::new(&streaming.endpoints, key, host.counts().clone()),
            registrations: table.handle(),
            catch_up: catch_up::CatchUp::new(
                Duration::from_millis(streaming.catch_up_timeout_ms),
                Duration::from_millis(streaming.catch_up_pause_ms),
            ),
            producer,
            storms: storms::Storms::default(),
            budget: body::Budget::new(streaming.max_buffered_bytes),
            in_flight: AtomicUsize::new(0),
            counts,
            tasks: host.tasks().clone(),
            watch: service::http::Watch::new(meters::unserved),
            settings: streaming.clone(),
        };
        let checks = Checks::new(host.health());
        let tls = ServerTls::http("streaming.tls", &streaming.tls)?;
        host.watch_certificate("streaming.tls.certificate_file", &streaming.tls.certificate_file);
        let listener = service::bind("streaming.listen", &streaming.listen).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, tls, address, host: host.clone(), bus, table, door: Arc::new(door), checks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the host shuts down; then lets requests under way end, and waits until all that was sent is
    /// acknowledged or the host's deadline is near.
    ///
    /// # Errors
    /// When the registrations cannot be followed any more, or records were left at the deadline.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { listener, tls, address: _, host, bus, table, door, checks } = self;
        let whole = Duration::from_millis(host.settings().shutdown.deadline_ms);
        let delay = Duration::from_millis(door.settings.stop_delay_ms);

        let background = Background::start(&door, &bus, checks);
        // Not cancelled by the shutdown: requests under way may need newer registrations until they end.
        let following = CancellationToken::new();
        let index = Arc::clone(&door);
        let mut follow = JoinSet::new();
        follow.spawn(table.follow(move |id, registration| index.endpoints.apply(id, registration), following.clone()));

        let closing = CancellationToken::new();
        let stopped_at = OnceLock::new();
        let close = async {
            // From here on health says "not ready", and nobody new should come.
            host.shutdown().cancelled().await;
            stopped_at.get_or_init(Instant::now);
            sleep(delay).await;
            closing.cancel();
            std::future::pending::<()>().await;
        };
        // A quarter of what is left after the delay is for the producer.
        let drain = whole.saturating_sub(delay) / 4 * 3;
        let mut serve = Box::pin(layers::serve(listener, tls, Arc::clone(&door), drain, closing.clone()));
        let failed = tokio::select! {
            () = &mut serve => None,
            () = close => None,
            ended = follow.join_next() => {
                // Without the registrations the door would refuse what it should take.
                closing.cancel();
                serve.await;
                ended
            }
        };

        let end = *stopped_at.get_or_init(Instant::now) + whole.saturating_sub(LAST_MOMENT);
        let flushed = door.producer.flush(end.saturating_duration_since(Instant::now())).await;
        following.cancel();
        drop(background);
        if let Some(ended) = failed {
            ended
                .context("the task that reads topic registrations failed")?
                .context("topic registrations cannot be read")?;
            anyhow::bail!("topic registrations is not read any more");
        }
        flushed.context("stopped with deliveries in flight: their senders were told to re-send them")
    }
}

/// What goes on beside the requests; ends when it is dropped.
struct Background {
    _tasks: JoinSet<()>,
}

impl Background {
    fn start(door: &Arc<Door>, bus: &Bus, checks: Checks) -> Self {
        let checks = Arc::new(checks);
        let mut tasks = JoinSet::new();
        let topics = (Arc::clone(&checks), bus.clone());
        tasks.spawn(async move { topics.0.prepare_topics(&topics.1).await });
        let looking = (Arc::clone(door), bus.clone());
        tasks.spawn(async move { checks.run(&looking.0, &looking.1).await });
        let following = (Arc::clone(door), bus.clone());
        tasks.spawn(async move { following.0.storms.follow(&following.1).await });
        if let Some(every) = door.settings.canary_interval() {
            tasks.spawn(canary::run(Arc::clone(door), bus.clone(), every));
        }
        let door = Arc::clone(door);
        tasks.spawn(async move {
            let limit = door.catch_up.limit();
            let look = || async {
                let looked = door.registrations.catch_up(limit).await;
                if let Err(error) = &looked {
                    tracing::debug!(%error, "catching up with topic registrations failed");
                }
                looked.is_ok()
            };
            door.catch_up.run(look).await;
        });
        Self { _tasks: tasks }
    }
}

impl Service for Streaming {
    type Settings = Settings;
    const DEFAULTS: &'static [&'static str] = DEFAULTS;

    fn description() -> Description {
        description()
    }

    fn door(&self) -> Option<SocketAddr> {
        Some(self.address)
    }

    async fn open(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        Self::new(settings, host).await
    }

    async fn run(self) -> anyhow::Result<()> {
        Self::run(self).await
    }
}
