//! One suite for every database of registrations.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::deadletter::v1::Replay;
use common::registration::v1::{Account, Endpoint, Registration, registration::Kind};
use control::registrations::store::{Page, RegistrationStore, Scope, StoreError};
use control::registrations::stored::Stored;
use database::{Error, Location, Options};
use prost::Message as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use weir_tests::postgres;
use weir_tests::scratch::Scratch;

/// For how long a lock is waited for where it becomes free: the disk of a busy machine may take its time.
const PATIENT: Duration = Duration::from_secs(30);
/// And where it does not.
const HURRIED: Duration = Duration::from_millis(500);

/// A database of registrations, with so much patience for locks and for changes that stand still.
pub(crate) fn stored(database: &str, lock_timeout: Duration, silent: Duration) -> Stored {
    let location = Location::parse(database).unwrap();
    let options = Options {
        name: "registrations",
        location,
        password_file: Default::default(),
        connections: 4,
        lock_timeout,
        silent,
    };
    Stored::open(options).unwrap()
}

/// In a file.
pub(crate) fn sqlite(file: &Path) -> Stored {
    stored(&format!("sqlite://{}", file.display()), Duration::from_secs(5), Duration::from_secs(30))
}

fn open(database: &str, lock: Duration) -> Arc<dyn RegistrationStore> {
    Arc::new(stored(database, lock, Duration::from_secs(30)))
}

fn endpoint(name: &str, revision: u64, tenant: &str) -> Registration {
    let kind = Kind::Endpoint(Endpoint { name: name.into(), source: "meta".into(), ..Endpoint::default() });
    registration(format!("endpoint/{name}"), revision, tenant, kind)
}

fn account(endpoint: &str, account_id: &str, tenant: &str) -> Registration {
    let kind = Kind::Account(Account { endpoint: endpoint.into(), account_id: account_id.into() });
    registration(format!("account/{endpoint}/{account_id}"), 1, tenant, kind)
}

fn registration(id: String, revision: u64, tenant: &str, kind: Kind) -> Registration {
    let metadata = BTreeMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]);
    Registration { id, revision, tenant: tenant.into(), kind: Some(kind), metadata, ..Registration::default() }
}

async fn put(store: &dyn RegistrationStore, registration: &Registration) {
    let mut change = store.begin(Scope::One(&registration.id)).await.unwrap();
    change.put(registration).await.unwrap();
    change.commit().await.unwrap();
}

async fn ids(store: &dyn RegistrationStore, page: Page) -> Vec<String> {
    store.list(&page).await.unwrap().into_iter().map(|registration| registration.id).collect()
}

/// Everything that every database does alike. `open` opens the same database once more, with so much patience.
async fn suite(open: impl Fn(Duration) -> Arc<dyn RegistrationStore>) {
    let (store, again, hurried) = (open(PATIENT), open(PATIENT), open(HURRIED));
    // Two instances that start at once make one schema.
    let (first, second) = tokio::join!(store.prepare(), again.prepare());
    first.unwrap();
    second.unwrap();
    store.prepare().await.unwrap();
    store.ping().await.unwrap();

    writes_and_reads(store.as_ref(), again.as_ref()).await;
    lists_in_pages(store.as_ref()).await;
    keeps_replays(store.as_ref(), again.as_ref()).await;
    keeps_the_first_tenant(store.as_ref()).await;
    locks(&store, &again, hurried.as_ref()).await;
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Database(Error::Failed { .. }))));
    again.close().await;
    hurried.close().await;
}

async fn writes_and_reads(store: &dyn RegistrationStore, again: &dyn RegistrationStore) {
    let one = endpoint("app", 1, "acme");
    assert_eq!(store.get(&one.id).await.unwrap(), None);
    let mut change = store.begin(Scope::One(&one.id)).await.unwrap();
    assert_eq!(change.get(&one.id).await.unwrap(), None);
    change.put(&one).await.unwrap();
    assert_eq!(change.get(&one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(again.get(&one.id).await.unwrap(), None, "nobody sees what is not committed");
    drop(change);
    assert_eq!(store.get(&one.id).await.unwrap(), None, "dropped, nothing has changed");

    put(store, &one).await;
    assert_eq!(again.get(&one.id).await.unwrap().as_ref(), Some(&one));
    let two = Registration { revision: 2, ..one };
    put(store, &two).await;
    put(store, &account("app", "7", "page-owner")).await;
    let mut revisions = again.revisions().await.unwrap();
    revisions.sort();
    assert_eq!(revisions, [("account/app/7".to_owned(), 1), ("endpoint/app".to_owned(), 2)]);

    let mut change = store.begin(Scope::All).await.unwrap();
    assert!(change.has_accounts("app").await.unwrap());
    assert!(!change.has_accounts("other").await.unwrap());
    let all = change.all().await.unwrap();
    assert_eq!(all[0].0, "account/app/7");
    assert_eq!(all[1], ("endpoint/app".to_owned(), two.encode_to_vec()));
    change.commit().await.unwrap();

    let mut change = store.begin(Scope::One("account/app/7")).await.unwrap();
    assert!(change.get("endpoint/app").await.unwrap().is_some());
    change.remove("account/app/7").await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(store.get("account/app/7").await.unwrap(), None);
}

async fn lists_in_pages(store: &dyn RegistrationStore) {
    put(store, &endpoint("list", 1, "acme")).await;
    for (account_id, tenant) in [("10", "a"), ("2", "b"), ("ä", "a"), ("Z", "b"), ("_", "a"), ("%", "b")] {
        put(store, &account("list", account_id, tenant)).await;
    }
    let page = |limit, after: &str, tenant: &str| Page {
        prefix: "account/list/".into(),
        tenant: tenant.into(),
        after: after.into(),
        limit,
    };
    // In the order of their bytes, and % and _ are letters like others.
    let all = ["%", "10", "2", "Z", "_", "ä"].map(|id| format!("account/list/{id}"));
    assert_eq!(ids(store, page(100, "", "")).await, all);
    assert_eq!(ids(store, page(2, "", "")).await, all[..2]);
    assert_eq!(ids(store, page(2, &all[1], "")).await, all[2..4]);
    assert_eq!(ids(store, page(100, "", "a")).await, [&all[1], &all[4], &all[5]].map(Clone::clone));
    assert_eq!(ids(store, page(100, &all[5], "")).await, Vec::<String>::new());
    let everything = Page { limit: 100, ..Page::default() };
    assert_eq!(ids(store, everything).await.len(), 8);
    let endpoints = Page { prefix: "endpoint/".into(), limit: 100, ..Page::default() };
    assert_eq!(ids(store, endpoints).await, ["endpoint/app", "endpoint/list"]);
}

async fn keeps_replays(store: &dyn RegistrationStore, again: &dyn RegistrationStore) {
    assert_eq!(store.replayed().await.unwrap(), (0, 0));
    let replay = |id: &str, second: i64, sent: u64| Replay {
        id: id.into(),
        requested_by: "ada".into(),
        started_at: Some(common::time::from_seconds(second)),
        selected: 5,
        sent,
        ..Replay::default()
    };
    for (id, second) in [("a", 100), ("b", 300), ("c", 200)] {
        store.put_replay(&replay(id, second, 0)).await.unwrap();
    }
    let ended = Replay { ended_at: Some(common::time::from_seconds(900)), ..replay("c", 200, 4) };
    again.put_replay(&ended).await.unwrap();
    again.put_replay(&replay("a", 100, 3)).await.unwrap();
    let found = store.replays(2).await.unwrap();
    assert_eq!(found, [replay("b", 300, 0), ended]);
    assert_eq!(again.replays(10).await.unwrap().len(), 3);
    assert_eq!(store.replayed().await.unwrap(), (3, 7));
    // They are no registrations.
    assert!(store.revisions().await.unwrap().iter().all(|(id, _)| !["a", "b", "c"].contains(&id.as_str())));
}

async fn keeps_the_first_tenant(store: &dyn RegistrationStore) {
    put(store, &endpoint("gone", 1, "acme")).await;
    let mut change = store.begin(Scope::One("endpoint/gone")).await.unwrap();
    change.remove("endpoint/gone").await.unwrap();
    change.commit().await.unwrap();
    let mut change = store.begin(Scope::One("endpoint/gone")).await.unwrap();
    assert_eq!(change.get("endpoint/gone").await.unwrap(), None);
    assert_eq!(change.first_tenant("gone").await.unwrap().as_deref(), Some("acme"));
    assert_eq!(change.first_tenant("never").await.unwrap(), None);
}

/// Whoever comes second waits, sees what the first has done, or is told that it took too long.
async fn locks(
    store: &Arc<dyn RegistrationStore>,
    again: &Arc<dyn RegistrationStore>,
    hurried: &dyn RegistrationStore,
) {
    // Also where there is no row yet.
    let first = store.begin(Scope::One("endpoint/new")).await.unwrap();
    let Err(error) = hurried.begin(Scope::One("endpoint/new")).await else { panic!("two hold one lock") };
    assert!(error.is_locked(), "{error}");
    drop(first);

    let mut first = store.begin(Scope::One("endpoint/new")).await.unwrap();
    let (asked, waits) = oneshot::channel();
    let mut tasks = JoinSet::new();
    let other = Arc::clone(again);
    tasks.spawn(async move {
        asked.send(()).unwrap();
        let mut second = other.begin(Scope::One("endpoint/new")).await.unwrap();
        second.get("endpoint/new").await.unwrap()
    });
    waits.await.unwrap();
    first.put(&endpoint("new", 1, "acme")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(tasks.try_join_next().is_none(), "the second does not wait");
    first.commit().await.unwrap();
    let seen = tasks.join_next().await.unwrap().unwrap();
    assert_eq!(seen.map(|registration| registration.revision), Some(1));

    // Everything excludes each.
    let all = store.begin(Scope::All).await.unwrap();
    assert!(hurried.begin(Scope::One("endpoint/any")).await.is_err_and(|error| error.is_locked()));
    drop(all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_make_one_file() {
    let scratch = Scratch::new("sqlite-new").unwrap();
    // SQLite refuses one of two that make a file in one moment, about once in 300: enough files to see it.
    for file in 0..500 {
        let database = format!("sqlite://{}", scratch.path().join(format!("{file}.db")).display());
        let (first, second) = (open(&database, PATIENT), open(&database, PATIENT));
        let (one, two) = tokio::join!(first.prepare(), second.prepare());
        one.unwrap();
        two.unwrap();
        first.close().await;
        second.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_passes_the_suite() {
    let scratch = Scratch::new("sqlite").unwrap();
    let path = scratch.path().join("a folder/registrations.db");
    let database = format!("sqlite://{}", path.display());
    suite(|lock| open(&database, lock)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_passes_the_suite() {
    let url = postgres::shared().unwrap().database().unwrap();
    suite(|lock| open(&url, lock)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_of_one_endpoint_do_not_wait_for_each_other() {
    let url = postgres::shared().unwrap().database().unwrap();
    let store = open(&url, HURRIED);
    store.prepare().await.unwrap();
    put(store.as_ref(), &endpoint("app", 1, "acme")).await;
    let mut one = store.begin(Scope::One("account/app/1")).await.unwrap();
    one.get("endpoint/app").await.unwrap();
    let mut two = store.begin(Scope::One("account/app/2")).await.unwrap();
    two.get("endpoint/app").await.unwrap();
    // But their endpoint cannot vanish under them.
    assert!(store.begin(Scope::One("endpoint/app")).await.is_err_and(|error| error.is_locked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_a_newer_version_is_left_alone() {
    let server = postgres::shared().unwrap();
    let url = server.database().unwrap();
    let store = open(&url, PATIENT);
    store.prepare().await.unwrap();
    server.sql(&url, "INSERT INTO weir_registrations_schema (version) VALUES (99)").unwrap();
    let refused = open(&url, PATIENT).prepare().await;
    assert!(matches!(refused, Err(StoreError::Database(Error::Newer { found: 99, .. }))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_ends_a_change_that_stands_still() {
    let url = postgres::shared().unwrap().database().unwrap();
    let store = stored(&url, PATIENT, Duration::from_millis(300));
    store.prepare().await.unwrap();
    let mut frozen = store.begin(Scope::One("endpoint/app")).await.unwrap();
    frozen.put(&endpoint("app", 1, "acme")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut other = store.begin(Scope::One("endpoint/app")).await.unwrap();
    other.put(&endpoint("app", 1, "other")).await.unwrap();
    other.commit().await.unwrap();
    assert!(frozen.commit().await.is_err(), "its lock was taken away, so it must not commit");
    assert_eq!(store.get("endpoint/app").await.unwrap().unwrap().tenant, "other");
}
