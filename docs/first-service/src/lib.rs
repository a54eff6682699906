#![doc = include_str!("../README.md")]

mod health;
mod pipeline;
/// What is compiled from `proto/counts.proto`.
#[allow(missing_docs, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod proto {
    tonic::include_proto!("weir.counts.v1");
}
mod settings;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::catalogue::{Answer, Description, Need, Runs, Scales, TopicUse, Use};
use common::topics::{ACTIVITIES, DEAD_LETTERS};
use service::{Host, Service};
use stage::{Driver, Lane, Memory, Opened};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::health::Checks;
use crate::pipeline::Counting;
use crate::proto::count_service_server::{CountService, CountServiceServer, SERVICE_NAME};
use crate::proto::{CountRequest, CountResponse};
pub use crate::settings::{COUNTS_DEFAULTS, CountsSettings, DEFAULTS, Settings};
use crate::store::Store;

/// The name of the service, of its hop and of its stage.
const STAGE: &str = "counts";

/// How it runs on a cluster.
const RUNS: Runs = Runs {
    scales: Scales::Fixed(2),
    cpu: "100m",
    memory: ["64Mi", "256Mi"],
    needs: &[Need::Database(STAGE)],
    answers: &[Answer::Grpc(SERVICE_NAME)],
    dials: &[],
};

/// Before the database is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// The counts, opened and not yet running.
#[derive(Debug)]
pub struct ActivityCounts {
    settings: Settings,
    opened: Opened,
    store: Arc<Store>,
    checks: Checks,
}

impl Service for ActivityCounts {
    type Settings = Settings;
    const DEFAULTS: &'static [&'static str] = DEFAULTS;

    fn description() -> Description {
        let topics = vec![
            TopicUse::of(&ACTIVITIES, Use::Input, "its input"),
            TopicUse::of(&DEAD_LETTERS, Use::Output, "what it refuses"),
        ];
        let about = "Counts the activities of each tenant";
        Description { name: STAGE, about, topics, refuses: true, replays: false, runs: RUNS }
    }

    fn groups(settings: &Settings) -> BTreeMap<String, String> {
        BTreeMap::from([(ACTIVITIES.name().to_owned(), settings.counts.group.clone())])
    }

    async fn open(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        let (deadline, every) = (settings.shutdown.deadline_ms, settings.counts.health_interval_ms);
        let (deadline, every) = (Duration::from_millis(deadline), Duration::from_millis(every));
        let opened = Opened::open(STAGE, &settings.bus, host, deadline, every)?;
        let store = Arc::new(Store::open(&settings.counts)?);
        let checks = Checks::new(host.health(), Duration::from_millis(settings.counts.stalled_after_ms));
        Ok(Self { settings: settings.clone(), opened, store, checks })
    }

    fn add_to(&self, routes: Routes) -> Routes {
        let counts = CountServiceServer::new(Answers(Arc::clone(&self.store)));
        routes.add_service(counts.max_decoding_message_size(self.settings.grpc.max_message_bytes))
    }

    async fn run(self) -> anyhow::Result<()> {
        let (opened, store) = (self.opened.clone(), Arc::clone(&self.store));
        let mut tasks = JoinSet::new();
        opened.watch_log(self.checks.log.clone(), &mut tasks);
        let ended = opened.run(Box::pin(self.consume()), tasks).await;
        store.close().await;
        ended
    }
}

impl ActivityCounts {
    /// Waits for the log and the database, then consumes until the shutdown.
    async fn consume(self) -> anyhow::Result<()> {
        let Self { settings, opened, store, checks } = self;
        let shutdown = opened.host.shutdown().clone();
        let prepare = async {
            checks.log.prepare(&opened.bus, &Self::description().needed()).await;
            while let Err(error) = store.migrate().await {
                checks.database_failed(&error);
                tokio::time::sleep(RETRY).await;
            }
            checks.database_ok();
        };
        if Box::pin(shutdown.run_until_cancelled(prepare)).await.is_none() {
            return Ok(());
        }
        let topics = [ACTIVITIES.name().to_owned()];
        let consumer = opened.consumer_of_batches(&settings.counts.group, &topics)?;
        let (state, queues) = (consumer.state(), consumer.state());
        opened.host.counts().watch_consumer(move || queues.told(STAGE));
        let (watched, database, every, after) =
            (checks.clone(), Arc::clone(&store), opened.every, opened.after.clone());
        opened.tasks().spawn(async move {
            let consumers = [("activities", state)];
            let watching =
                async { tokio::join!(watched.progress.watch(&consumers, every), watched.database(&database, every)) };
            after.run_until_cancelled(watching).await;
        });
        let driver = Driver {
            stage: STAGE,
            shutdown,
            stop: CancellationToken::new(),
            tasks: opened.tasks().clone(),
            memory: Memory::unlimited(),
            drain: opened.drain,
        };
        let counts = opened.host.counts().hop(STAGE);
        let counting = Counting { store, producer: opened.producer.clone(), checks, counts };
        let lane = Lane { name: "activities", consumer, ahead: 2, readers: 1 };
        driver.run(Arc::new(counting), Instant::now(), lane, []).await
    }
}

/// Answers by gRPC.
#[derive(Debug)]
struct Answers(Arc<Store>);

#[tonic::async_trait]
impl CountService for Answers {
    async fn count(&self, request: Request<CountRequest>) -> Result<Response<CountResponse>, Status> {
        let CountRequest { tenant } = request.into_inner();
        if tenant.is_empty() {
            return Err(Status::invalid_argument("tenant is empty: name the tenant whose activities to count"));
        }
        match self.0.of(&tenant).await {
            Ok(activities) => Ok(Response::new(CountResponse { activities })),
            Err(error) => {
                // What a database says is for operators.
                tracing::warn!(%error, "counts cannot be read");
                Err(Status::unavailable("the database is unavailable: retry in a second"))
            }
        }
    }
}
