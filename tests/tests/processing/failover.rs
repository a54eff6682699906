//! What becomes of the registrations database when another server takes its place, and the old one lives on.

use std::time::{Duration, Instant};

use common::registration::v1::{Endpoint, Registration, registration::Kind};
use control::registrations::store::{RegistrationStore as _, Scope, StoreError};
use control::registrations::stored::Stored;
use database::Error;
use weir_tests::ports;
use weir_tests::postgres::Postgres;
use weir_tests::proxy::{Mode, Proxy};

use crate::store::stored;

const LOCK: Duration = Duration::from_secs(5);

/// A database behind a proxy, with its schema.
async fn behind_proxy(server: &Postgres) -> (Stored, Proxy) {
    let proxy = Proxy::start(ports::free().unwrap(), server.port()).await.unwrap();
    let url = server.url().replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let store = stored(&url, LOCK, Duration::from_secs(30));
    store.prepare().await.unwrap();
    (store, proxy)
}

fn endpoint(name: &str) -> Registration {
    let kind = Kind::Endpoint(Endpoint { name: name.to_owned(), source: "meta".to_owned(), ..Endpoint::default() });
    let (id, tenant) = (format!("endpoint/{name}"), "acme".to_owned());
    Registration { id, revision: 1, tenant, kind: Some(kind), ..Registration::default() }
}

async fn register(store: &Stored, name: &str) -> Result<(), StoreError> {
    let registration = endpoint(name);
    let mut change = store.begin(Scope::One(&registration.id)).await?;
    change.get(&registration.id).await?;
    change.put(&registration).await?;
    change.commit().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_read_only_is_left_for_the_one_in_its_place() {
    let server = Postgres::start().unwrap();
    let (store, proxy) = behind_proxy(&server).await;
    let standby = server.standby().unwrap();
    register(&store, "before").await.unwrap();

    server.make_read_only().unwrap();
    let refused = register(&store, "meanwhile").await.unwrap_err();
    assert!(matches!(refused, StoreError::Database(Error::ReadOnly { .. })), "{refused}");
    assert!(
        matches!(store.ping().await, Err(StoreError::Database(Error::ReadOnly { .. }))),
        "health would say that it is well"
    );

    standby.promote().unwrap();
    proxy.turn_to(standby.port());
    register(&store, "after").await.unwrap();
    store.ping().await.unwrap();
    for name in ["before", "after"] {
        assert!(store.get(&format!("endpoint/{name}")).await.unwrap().is_some(), "{name} is not there");
    }
    assert!(store.get("endpoint/meanwhile").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_waits_for_a_replica_which_is_gone_is_not_waited_for() {
    let server = Postgres::start().unwrap();
    let (store, proxy) = behind_proxy(&server).await;
    let standby = server.standby().unwrap();
    standby.promote().unwrap();

    let began = Instant::now();
    let unanswered = register(&store, "waits").await.unwrap_err();
    assert!(matches!(unanswered, StoreError::Database(Error::Silent { .. })), "{unanswered}");
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());

    proxy.turn_to(standby.port());
    server.make_read_only().unwrap();
    register(&store, "goes-on").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_silent_are_given_up() {
    let server = Postgres::start().unwrap();
    let (store, proxy) = behind_proxy(&server).await;
    proxy.set(Mode::Silent);
    // Each of them has a connection of its own, and gives it back in the end.
    let began = Instant::now();
    let all = tokio::join!(store.ping(), store.ping(), store.ping(), store.ping());
    for outcome in [all.0, all.1, all.2, all.3] {
        assert!(outcome.is_err());
    }
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    proxy.set(Mode::Cut);
    proxy.set(Mode::Pass);
    register(&store, "goes-on").await.unwrap();
}
