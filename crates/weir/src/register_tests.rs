use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::registration::v1::registration_service_server::{RegistrationService, RegistrationServiceServer};
use common::registration::v1::{
    DeleteRequest, DeleteResponse, GetRequest, GetResponse, ListResponse, RegisterResponse,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::{Request, Response};

use super::*;
use simulate::Endpoints;

/// As much of the service as it takes: revisions, pages, refusals.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<BTreeMap<String, Registration>>>);

#[tonic::async_trait]
impl RegistrationService for Fake {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterResponse>, Status> {
        let request = request.into_inner();
        let mut registration = request.registration.unwrap();
        let id = id_of(registration.kind.as_ref().unwrap());
        let mut there = self.0.lock().unwrap();
        let revision = there.get(&id).map_or(0, |found| found.revision);
        if revision != request.expected_revision {
            return Err(if request.expected_revision == 0 {
                Status::already_exists("it is there")
            } else {
                Status::aborted("another revision")
            });
        }
        registration.id.clone_from(&id);
        registration.revision = revision + 1;
        there.insert(id, registration.clone());
        Ok(Response::new(RegisterResponse { registration: Some(registration) }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let found = self.0.lock().unwrap().get(&request.into_inner().id).cloned();
        Ok(Response::new(GetResponse { registration: Some(found.ok_or_else(|| Status::not_found("nobody"))?) }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let request = request.into_inner();
        let there = self.0.lock().unwrap();
        let mut matching = there
            .values()
            .filter(|found| found.id.starts_with(&request.id_prefix) && found.id > request.page_token)
            .cloned();
        let registrations: Vec<_> = matching.by_ref().take(7).collect();
        let more = matching.next().is_some();
        let next_page_token = registrations.last().filter(|_| more).map(|last| last.id.clone()).unwrap_or_default();
        Ok(Response::new(ListResponse { registrations, next_page_token }))
    }

    async fn delete(&self, _: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        Err(Status::failed_precondition("it has accounts"))
    }
}

async fn serve() -> (Fake, String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let fake = Fake::default();
    let service = RegistrationServiceServer::new(fake.clone());
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    });
    (fake, url, tasks)
}

#[tokio::test]
async fn registrations_become_as_wanted_and_stay_so() {
    let (fake, url, _tasks) = serve().await;
    let mut client = connect(&url).await.unwrap();
    let endpoints = Endpoints::for_tests();
    let done = reconcile(&mut client, endpoints.registrations(10)).await.unwrap();
    assert_eq!(done, Reconciled { new: 23, changed: 0, same: 0 });
    let done = reconcile(&mut client, endpoints.registrations(12)).await.unwrap();
    assert_eq!(done, Reconciled { new: 4, changed: 0, same: 23 });

    // Other secrets, and an account of another tenant.
    let other = Endpoints::generate().unwrap();
    let account = "account/sim-meta/104000000000000";
    fake.0.lock().unwrap().get_mut(account).unwrap().tenant = "stranger".into();
    let done = reconcile(&mut client, other.registrations(12)).await.unwrap();
    assert_eq!(done, Reconciled { new: 0, changed: 4, same: 23 });
    assert_eq!(fake.0.lock().unwrap()[account].tenant, "alder");
    assert_eq!(list(&mut client, "account/", "").await.unwrap().len(), 24);

    fake.0.lock().unwrap().get_mut("endpoint/sim-meta").unwrap().tenant = "stranger".into();
    let error = reconcile(&mut client, other.registrations(12)).await.unwrap_err();
    assert!(matches!(error, Error::Tenant { .. }), "{error}");
}

#[tokio::test]
async fn what_is_refused_is_explained() {
    let (_fake, url, _tasks) = serve().await;
    let mut client = connect(&url).await.unwrap();
    let status = client.get(GetRequest { id: "endpoint/x".into() }).await.unwrap_err();
    let text = Error::refused("cannot get endpoint/x")(status).to_string();
    assert_eq!(text, "cannot get endpoint/x: nobody (weir register list shows the existing ones)");
}

#[tokio::test]
async fn nobody_there_is_told_with_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let text = connect(&format!("http://{free}")).await.unwrap_err().to_string();
    assert!(text.contains("grpc.listen") && text.contains("refused"), "{text}");
    for url in ["127.0.0.1:9090", "", "ftp://x", "http://"] {
        assert!(connect(url).await.is_err(), "{url}");
    }
}
