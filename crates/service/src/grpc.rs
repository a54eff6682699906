//! What the gRPC server answers: health, reflection, the digest, and the services that are given to it. Its stack is in
//! `layers/grpc_server.rs`.

pub(crate) mod allow;
pub(crate) mod incoming;

use std::collections::BTreeSet;
use std::pin::Pin;

use axum::body::Body;
use common::health::v1::health_service_server::{HealthService, HealthServiceServer};
use common::health::v1::{GetDigestRequest, GetDigestResponse};
use futures_util::{Stream, stream};
use http::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::{Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthCheck, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::{GrpcSettings, Health};

/// Serving as long as it answers at all. Every other name follows readiness.
const LIVENESS: &str = "liveness";
const READINESS: &str = "readiness";
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";

/// Everything that is served: `routes` and what every service has.
pub(crate) async fn routes(routes: Routes, settings: &GrpcSettings, health: &Health) -> anyhow::Result<Routes> {
    let mut served = served(&routes).await?;
    served.insert(<HealthServer<Checks> as NamedService>::NAME.to_owned());
    served.insert(<HealthServiceServer<Digests> as NamedService>::NAME.to_owned());
    served.insert(REFLECTION.to_owned());

    let mut reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(common::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    for name in &served {
        reflection = reflection.with_service_name(name);
    }
    let checks = Checks { health: health.clone(), served };
    let limit = settings.max_message_bytes;
    Ok(routes
        .add_service(HealthServer::new(checks).max_decoding_message_size(limit))
        .add_service(HealthServiceServer::new(Digests(health.clone())).max_decoding_message_size(limit))
        .add_service(reflection.build_v1()?.max_decoding_message_size(limit))
        .prepare())
}

/// Marks the answer of a router that knows no such service.
#[derive(Clone, Copy, Debug)]
struct NotServed;

/// Which of the services of `proto/` are in `routes`. These do not tell, so each is asked for a method that no service
/// can have: the answer is that of its service, or that of the fallback.
async fn served(routes: &Routes) -> anyhow::Result<BTreeSet<String>> {
    let router = routes.clone().into_axum_router().fallback(async || axum::Extension(NotServed));
    let router = TowerToHyperService::new(router);
    let mut served = BTreeSet::new();
    for file in FileDescriptorSet::decode(common::DESCRIPTORS)?.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            let request = Request::post(format!("/{name}/-")).body(Body::empty())?;
            let answer = router.call(request).await?;
            if answer.extensions().get::<NotServed>().is_none() {
                served.insert(name);
            }
        }
    }
    Ok(served)
}

/// `weir.health.v1.HealthService`
struct Digests(Health);

#[tonic::async_trait]
impl HealthService for Digests {
    async fn get_digest(&self, _: tonic::Request<GetDigestRequest>) -> Result<Response<GetDigestResponse>, Status> {
        Ok(Response::new(GetDigestResponse { digest: Some(self.0.digest()) }))
    }
}

/// `grpc.health.v1.Health`
struct Checks {
    health: Health,
    served: BTreeSet<String>,
}

impl Checks {
    /// None: no such service.
    fn status(&self, service: &str) -> Option<Name> {
        match service {
            LIVENESS => Some(Name::Liveness),
            "" | READINESS => Some(Name::Readiness),
            name if self.served.contains(name) => Some(Name::Readiness),
            _ => None,
        }
    }
}

/// What a name asks for.
#[derive(Clone, Copy, Debug)]
enum Name {
    Liveness,
    Readiness,
}

impl Name {
    fn answer(self, health: &Health) -> HealthCheckResponse {
        let serving = match self {
            Name::Liveness => true,
            Name::Readiness => health.is_ready(),
        };
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        HealthCheckResponse { status: status.into() }
    }
}

type Watch = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl HealthCheck for Checks {
    async fn check(
        &self,
        request: tonic::Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match self.status(&service) {
            Some(name) => Ok(Response::new(name.answer(&self.health))),
            None => Err(Status::not_found(format!("there is no service {service:?} here"))),
        }
    }

    type WatchStream = Watch;

    async fn watch(&self, request: tonic::Request<HealthCheckRequest>) -> Result<Response<Watch>, Status> {
        let Some(name) = self.status(&request.into_inner().service) else {
            // The protocol: a service may come to be later, so the stream stays open.
            let unknown = HealthCheckResponse { status: ServingStatus::ServiceUnknown.into() };
            let shutdown = self.health.shutting_down().clone();
            let stream = stream::unfold(Some(unknown), move |next| {
                let shutdown = shutdown.clone();
                async move {
                    match next {
                        Some(answer) => Some((Ok(answer), None)),
                        None => {
                            shutdown.cancelled().await;
                            None
                        }
                    }
                }
            });
            return Ok(Response::new(Box::pin(stream)));
        };
        let watching = Watching { name, health: self.health.clone(), ready: self.health.subscribe(), last: None };
        Ok(Response::new(Box::pin(stream::unfold(watching, Watching::next))))
    }
}

/// One watcher: it is told the status at once, then each change, the last time at the shutdown.
struct Watching {
    name: Name,
    health: Health,
    ready: watch::Receiver<bool>,
    last: Option<HealthCheckResponse>,
}

impl Watching {
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Watching)> {
        loop {
            let ending = self.health.shutting_down().is_cancelled();
            // Before it is looked at, so that no change in between is missed.
            self.ready.mark_unchanged();
            let answer = self.name.answer(&self.health);
            if self.last != Some(answer) {
                self.last = Some(answer);
                return Some((Ok(answer), self));
            }
            if ending {
                return None;
            }
            let shutdown = self.health.shutting_down().clone();
            tokio::select! {
                changed = self.ready.changed() => changed.ok()?,
                () = shutdown.cancelled() => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
