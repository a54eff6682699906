//! A service as its process sees it: opened, then answering, then running. A process of its own has one, `weir up` all.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::Router;
use common::catalogue::Description;
use tonic::service::Routes;

use crate::{Host, Settings, main};

/// A service.
pub trait Service: Sized + Send + 'static {
    /// Everything that a process of its own reads.
    type Settings: Settings + Send + Sync;

    /// The defaults of all of it: TOML texts.
    const DEFAULTS: &'static [&'static str];

    /// What it is.
    fn description() -> Description;

    /// Of each topic that it reads the consumer group by these settings, all without prefix.
    fn groups(_settings: &Self::Settings) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Opens what is local; waits for nobody.
    ///
    /// # Errors
    /// When a setting does not do; the message names it.
    fn open(settings: &Self::Settings, host: &Host) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// What it answers by gRPC, beside what is there.
    fn add_to(&self, routes: Routes) -> Routes {
        routes
    }

    /// Its pages on the admin server.
    fn pages(&self) -> Option<Router> {
        None
    }

    /// Where it answers to strangers, if it does.
    fn door(&self) -> Option<SocketAddr> {
        None
    }

    /// Runs until the host shuts down. What is away is waited for, and health says so.
    ///
    /// # Errors
    /// When something that has to run all the time ended by itself.
    fn run(self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The `main` of a process with one service: see [`main`].
pub fn main_of<S: Service>() -> ExitCode {
    let Description { name, about, .. } = S::description();
    main(name, about, S::DEFAULTS, |settings: S::Settings, host| async move {
        let service = Box::pin(S::open(&settings, &host)).await?;
        host.serve_with(service.add_to(Routes::default()), service.pages()).await?;
        Box::pin(service.run()).await
    })
}
