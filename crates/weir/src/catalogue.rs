//! Every service there is. What is to be said of all of them is made from here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use common::catalogue::{Description, Dial, Need, Runs, Scales, TopicUse, Use};
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS};
use enricher::Enricher;
use futures_util::future::BoxFuture;
use health_check::HealthCheck;
use loader::Loader;
use processing::Processing;
use service::{Host, Service, SettingsError};
use streaming::Streaming;
use tonic::service::Routes;

use crate::settings::Settings;

/// A service.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What it is.
    pub description: fn() -> Description,
    /// Of each topic that it reads the consumer group, all without prefix.
    pub groups: fn(&Settings) -> BTreeMap<String, String>,
    /// Reads the settings of a process of its own, from a file and from environment variables, and says what is wrong.
    pub load: Load,
    /// What it reads of the settings: an object with a member for each section, secrets hidden.
    pub settings: fn(&Settings) -> serde_json::Result<serde_json::Value>,
    /// Opens it in a process that has all services.
    pub open: Open,
}

/// Reads settings.
pub type Load = fn(Option<&Path>, Vec<(String, String)>) -> Result<(), SettingsError>;

/// Opens a service. Waits for nobody.
pub type Open = for<'a> fn(&'a Settings, &'a Host) -> BoxFuture<'a, anyhow::Result<Box<dyn Opened>>>;

/// A service that is open, whichever it is: see [`Service`].
pub trait Opened: Send {
    /// What it answers by gRPC, beside what is there.
    fn add_to(&self, routes: Routes) -> Routes;
    /// Its pages on the admin server.
    fn pages(&self) -> Option<Router>;
    /// Where it answers to strangers, if it does.
    fn door(&self) -> Option<SocketAddr>;
    /// Runs until the host shuts down.
    fn run(self: Box<Self>) -> BoxFuture<'static, anyhow::Result<()>>;
}

impl<S: Service> Opened for S {
    fn add_to(&self, routes: Routes) -> Routes {
        Service::add_to(self, routes)
    }

    fn pages(&self) -> Option<Router> {
        Service::pages(self)
    }

    fn door(&self) -> Option<SocketAddr> {
        Service::door(self)
    }

    fn run(self: Box<Self>) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(Service::run(*self))
    }
}

/// Every service, in the order of the data's way.
pub const SERVICES: [Entry; 5] =
    [entry::<Streaming>(), entry::<Processing>(), entry::<Enricher>(), entry::<Loader>(), entry::<HealthCheck>()];

const fn entry<S: Service>() -> Entry
where
    S::Settings: for<'a> From<&'a Settings>,
{
    Entry {
        description: S::description,
        groups: |settings| S::groups(&settings.into()),
        load: |file, environment| service::load::<S::Settings>(S::DEFAULTS, file, environment).map(drop),
        settings: |settings| serde_json::to_value(S::Settings::from(settings)),
        open: |settings, host| {
            Box::pin(async move {
                let service = S::open(&settings.into(), host).await?;
                Ok(Box::new(service) as Box<dyn Opened>)
            })
        },
    }
}

/// What the services are.
pub fn descriptions() -> impl Iterator<Item = Description> {
    SERVICES.into_iter().map(|service| (service.description)())
}

/// Of the scheduled jobs only what they need counts: how they run is in `k8s/base/jobs.yaml`.
const JOBS: Runs = Runs {
    scales: Scales::Fixed(0),
    cpu: "100m",
    memory: ["256Mi", "1Gi"],
    needs: &[Need::Lake],
    answers: &[],
    dials: &[Dial { service: "processing", setting: None }],
};

/// The scheduled jobs. `weir job conservation` compares topics; the others ask processing and the lake.
pub fn jobs() -> Description {
    let compared = "whether accepted deliveries reached the lake";
    let topics = vec![
        TopicUse::of(&ACTIVITIES, Use::LookUp, compared),
        TopicUse::of(&ACTIVITIES_ENRICHED, Use::LookUp, compared),
        TopicUse::of(&DEAD_LETTERS, Use::LookUp, "which items were refused"),
    ];
    let about = "Compares, cleans up and exports on a schedule";
    Description { name: "jobs", about, topics, refuses: false, replays: false, runs: JOBS }
}

/// What whoever replays does with the inputs of all that refuse: reads the originals, and sends them again.
pub fn replays() -> Vec<TopicUse> {
    let refusing = descriptions().filter(|description| description.refuses);
    let inputs: Vec<TopicUse> = refusing.flat_map(|one| one.used(Use::Input).cloned().collect::<Vec<_>>()).collect();
    let each = |used, why| inputs.iter().map(move |input| TopicUse { used, why, ..input.clone() });
    each(Use::LookUp, "replay: reads the original of a dead letter")
        .chain(each(Use::Tell, "replay: re-sends it to its topic"))
        .collect()
}

/// The stages that refuse: whose names stand in dead letters.
pub fn refusing() -> impl Iterator<Item = &'static str> {
    descriptions().filter(|one| one.refuses).map(|one| one.name)
}

/// The message, by its full name, in the records that a stage reads.
pub fn message_read_by(stage: &str) -> Option<String> {
    let description = descriptions().find(|description| description.name == stage)?;
    description.used(Use::Input).next().map(|input| input.message.clone())
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
