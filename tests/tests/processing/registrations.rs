//! The gRPC service: codes, revisions, pages, secrets, and a topic that says what the database says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::deadletter::v1::Replay;
use common::registration::v1::{
    DeleteRequest, GetRequest, ListRequest, PlainSecret, RegisterRequest, Registration, SealedSecret,
    registration::Kind,
};
use control::registrations::store::{Change, Page, Records, RegistrationStore, Scope, StoreError};
use futures_util::future::BoxFuture;
use service::seal::SealingKey;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use weir_tests::postgres;

use crate::stage::{LIMIT, Place, account, endpoint};
use crate::store::sqlite;

/// The latest state of every key of the topic.
pub(crate) async fn on_topic(place: &Place) -> BTreeMap<String, Registration> {
    let mut state = BTreeMap::new();
    for stored in place.read("registrations").await {
        let key = String::from_utf8(stored.key.clone().unwrap().to_vec()).unwrap();
        match &stored.payload {
            Some(_) => state.insert(key, stored.decode().unwrap()),
            None => state.remove(&key),
        };
    }
    state
}

fn secrets(registration: &Registration) -> &[SealedSecret] {
    let Some(Kind::Endpoint(endpoint)) = &registration.kind else { panic!("{registration:?}") };
    &endpoint.secrets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_is_on_the_topic_before_the_answer() {
    let place = Place::new("register");
    let stage = place.start_ready().await;
    let mut client = stage.registrations().await;
    let mut request = endpoint("app", "meta", "the secret");
    request.verify_token = Some(PlainSecret { value: "the token".into(), expires_at: None });
    let answer = client.register(request.clone()).await.unwrap().into_inner().registration.unwrap();
    let topic = on_topic(&place).await;
    let published = &topic["endpoint/app"];

    assert_eq!((answer.id.as_str(), answer.revision, answer.tenant.as_str()), ("endpoint/app", 1, "acme"));
    assert_eq!((published.revision, &published.metadata), (1, &answer.metadata));
    assert!(answer.created_at.is_some() && answer.created_at == answer.updated_at);
    assert!(secrets(&answer).iter().all(|secret| secret.sealed.is_empty()), "no answer holds a secret");
    let key = SealingKey::from_file(place.settings.secrets.key_file.as_ref().unwrap()).unwrap();
    assert!(key.unseal("endpoint/app", &secrets(published)[0]).is_ok());
    assert!(key.unseal("endpoint/other", &secrets(published)[0]).is_err(), "sealed for this registration only");
    assert!(!format!("{published:?}").contains("the secret"));

    // What is there already, exactly so, is still there already.
    let twice = client.register(request.clone()).await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    // An update that names no secrets keeps them.
    let update = RegisterRequest { expected_revision: 1, secrets: vec![], verify_token: None, ..request };
    let answer = client.register(update).await.unwrap().into_inner().registration.unwrap();
    assert_eq!(answer.revision, 2);
    let topic = on_topic(&place).await;
    assert_eq!(secrets(&topic["endpoint/app"])[0].sealed.len(), {
        key.unseal("endpoint/app", &secrets(&topic["endpoint/app"])[0]).unwrap();
        secrets(&topic["endpoint/app"])[0].sealed.len()
    });

    client.register(account("app", "7", "seven")).await.unwrap();
    assert_eq!(on_topic(&place).await.len(), 2);
    let delete = |id: &str, expected_revision| DeleteRequest { id: id.into(), expected_revision };
    assert_eq!(client.delete(delete("endpoint/app", 2)).await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(client.delete(delete("account/app/7", 9)).await.unwrap_err().code(), Code::Aborted);
    client.delete(delete("account/app/7", 1)).await.unwrap();
    client.delete(delete("endpoint/app", 2)).await.unwrap();
    assert!(on_topic(&place).await.is_empty(), "their tombstones are on the topic");
    assert_eq!(client.delete(delete("endpoint/app", 2)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.get(GetRequest { id: "endpoint/app".into() }).await.unwrap_err().code(), Code::NotFound);
    // The name stays with its first tenant.
    let mut stolen = endpoint("app", "meta", "s");
    stolen.registration.as_mut().unwrap().tenant = "thief".into();
    assert_eq!(client.register(stolen).await.unwrap_err().code(), Code::InvalidArgument);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_what_is_wrong_with_which_field() {
    let place = Place::new("fields");
    let stage = place.start_ready().await;
    let mut client = stage.registrations().await;
    let field = |status: &Status| {
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let violation = status.get_details_bad_request().unwrap().field_violations.remove(0);
        assert!(status.message().contains(&violation.field), "{}", status.message());
        violation.field
    };
    let wrong = client.register(endpoint("Bad Name", "meta", "s")).await.unwrap_err();
    assert_eq!(field(&wrong), "registration.endpoint.name");
    let wrong = client.register(endpoint("app", "myspace", "s")).await.unwrap_err();
    assert_eq!(field(&wrong), "registration.endpoint.source");
    let wrong = client.register(RegisterRequest { secrets: vec![], ..endpoint("app", "meta", "s") }).await.unwrap_err();
    assert_eq!(field(&wrong), "secrets");
    let wrong =
        client.list(ListRequest { page_token: "x".into(), id_prefix: "endpoint/".into(), ..ListRequest::default() });
    assert_eq!(field(&wrong.await.unwrap_err()), "page_token");
    let wrong = client.get(GetRequest::default()).await.unwrap_err();
    assert_eq!(field(&wrong), "id");
    // What only the source can judge, and never in the answer.
    for secret in ["whsec_s3cret!", "whsk_s3cret", " \n"] {
        let wrong = client.register(endpoint("app", "standard_webhooks", secret)).await.unwrap_err();
        assert_eq!(field(&wrong), "secrets[0].value");
        assert!(!format!("{wrong:?}").contains("s3cret"), "{wrong:?}");
    }
    let mut wrong = endpoint("app", "meta", "s");
    wrong.registration.as_mut().unwrap().tenant = "acme ".into();
    assert_eq!(field(&client.register(wrong).await.unwrap_err()), "registration.tenant");
    let orphan = client.register(account("nowhere", "1", "t")).await.unwrap_err();
    assert_eq!(orphan.code(), Code::FailedPrecondition);
    let violation = orphan.get_details_precondition_failure().unwrap().violations.remove(0);
    assert_eq!(violation.subject, "endpoint/nowhere");
    assert!(on_topic(&place).await.is_empty());

    // A secret that stays while the source becomes another has to be one for that, too.
    client.register(endpoint("moved", "github", "whsec_s3cret!")).await.unwrap();
    let moved = RegisterRequest { secrets: vec![], expected_revision: 1, ..endpoint("moved", "standard_webhooks", "") };
    assert_eq!(field(&client.register(moved.clone()).await.unwrap_err()), "secrets");
    let secret = PlainSecret { value: "whsec_c2VjcmV0".into(), expires_at: None };
    client.register(RegisterRequest { secrets: vec![secret], ..moved }).await.unwrap();

    client.register(endpoint("app", "meta", "s")).await.unwrap();
    for n in 0..5 {
        client.register(account("app", &n.to_string(), if n % 2 == 0 { "even" } else { "odd" })).await.unwrap();
    }
    let mut page = ListRequest { id_prefix: "account/app/".into(), page_size: 2, ..ListRequest::default() };
    let mut seen = Vec::new();
    loop {
        let answer = client.list(page.clone()).await.unwrap().into_inner();
        assert!(answer.registrations.len() <= 2);
        seen.extend(answer.registrations.into_iter().map(|registration| registration.id));
        if answer.next_page_token.is_empty() {
            break;
        }
        page.page_token = answer.next_page_token;
    }
    assert_eq!(seen, (0..5).map(|n| format!("account/app/{n}")).collect::<Vec<_>>());
    let odd = ListRequest { tenant: "odd".into(), ..ListRequest::default() };
    assert_eq!(client.list(odd).await.unwrap().into_inner().registrations.len(), 2);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_updates_of_one_revision_one_wins() {
    let mut place = Place::new("race");
    place.settings.registrations.database = postgres::shared().unwrap().database().unwrap();
    let (one, two) = (place.start_ready().await, place.start_another().await);
    let mut client = one.registrations().await;
    client.register(endpoint("app", "meta", "s")).await.unwrap();
    let mut revision = 1;
    for round in 0..10 {
        let mut updates = JoinSet::new();
        for (n, stage) in [&one, &two, &one, &two].into_iter().enumerate() {
            let mut client = stage.registrations().await;
            let mut request =
                RegisterRequest { expected_revision: revision, secrets: vec![], ..endpoint("app", "meta", "s") };
            let writer = format!("{round}-{n}");
            request.registration.as_mut().unwrap().metadata.insert("writer".into(), writer);
            updates.spawn(async move { client.register(request).await.map(|answer| answer.into_inner()) });
        }
        let outcomes = updates.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|lost| lost.as_ref().unwrap_err().code() == Code::Aborted), "{lost:?}");
        revision += 1;
        let winner = won.into_iter().next().unwrap().unwrap().registration.unwrap();
        let topic = on_topic(&place).await;
        assert_eq!((winner.revision, &winner.metadata), (revision, &topic["endpoint/app"].metadata));
    }
    // Two that make one thing at once: one makes it.
    let mut news = JoinSet::new();
    for stage in [&one, &two] {
        let mut client = stage.registrations().await;
        news.spawn(async move { client.register(endpoint("new", "meta", "s")).await.map_err(|status| status.code()) });
    }
    let outcomes = news.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(Code::AlreadyExists))));
    // In the order of its revisions, whoever published.
    let revisions: Vec<u64> = place
        .read("registrations")
        .await
        .iter()
        .filter_map(|stored| stored.decode::<Registration>().ok())
        .filter(|registration| registration.id == "endpoint/app")
        .map(|registration| registration.revision)
        .collect();
    assert_eq!(revisions, (1..=revision).collect::<Vec<_>>());
    one.stop().await;
    two.stop().await;
}

/// A database that can lose what it was told to commit.
#[derive(Debug)]
pub(crate) struct Lossy {
    pub(crate) store: Arc<dyn RegistrationStore>,
    pub(crate) lose: Arc<AtomicBool>,
    /// Asked for its revisions, it panics.
    pub(crate) breaks: Arc<AtomicBool>,
}

struct LossyChange {
    change: Box<dyn Change>,
    lose: Arc<AtomicBool>,
}

impl RegistrationStore for Lossy {
    fn prepare(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.prepare()
    }
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.ping()
    }
    fn get<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        self.store.get(id)
    }
    fn list<'a>(&'a self, page: &'a Page) -> BoxFuture<'a, Result<Vec<Registration>, StoreError>> {
        self.store.list(page)
    }
    fn revisions(&self) -> BoxFuture<'_, Result<Vec<(String, u64)>, StoreError>> {
        assert!(!self.breaks.load(Ordering::SeqCst), "as it was told");
        self.store.revisions()
    }
    fn begin<'a>(&'a self, scope: Scope<'a>) -> BoxFuture<'a, Result<Box<dyn Change>, StoreError>> {
        Box::pin(async move {
            let change = self.store.begin(scope).await?;
            Ok(Box::new(LossyChange { change, lose: Arc::clone(&self.lose) }) as Box<dyn Change>)
        })
    }
    fn put_replay<'a>(&'a self, replay: &'a Replay) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.put_replay(replay)
    }
    fn replays(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Replay>, StoreError>> {
        self.store.replays(limit)
    }
    fn replayed(&self) -> BoxFuture<'_, Result<(u64, u64), StoreError>> {
        self.store.replayed()
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.store.close()
    }
}

impl Change for LossyChange {
    fn get<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<Option<Registration>, StoreError>> {
        self.change.get(id)
    }
    fn all(&mut self) -> BoxFuture<'_, Result<Records, StoreError>> {
        self.change.all()
    }
    fn has_accounts<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.change.has_accounts(endpoint)
    }
    fn first_tenant<'a>(&'a mut self, endpoint: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.change.first_tenant(endpoint)
    }
    fn put<'a>(&'a mut self, registration: &'a Registration) -> BoxFuture<'a, Result<(), StoreError>> {
        self.change.put(registration)
    }
    fn remove<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.change.remove(id)
    }
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        if self.lose.swap(false, Ordering::SeqCst) {
            drop(self.change);
            return Box::pin(async { Err(database::Error::Locked { name: "registrations" }.into()) });
        }
        self.change.commit()
    }
}

pub(crate) async fn until_topic(place: &Place, what: &str, holds: impl Fn(&BTreeMap<String, Registration>) -> bool) {
    let begun = Instant::now();
    while !holds(&on_topic(place).await) {
        assert!(begun.elapsed() < LIMIT, "{what}: {:?}", on_topic(place).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_after_its_record_is_put_right() {
    let place = Place::new("lossy");
    let file = place.folder().join("registrations.db");
    let lose = Arc::new(AtomicBool::new(false));
    let store = Arc::new(sqlite(&file));
    let stage = place.start_with(Arc::new(Lossy { store, lose: Arc::clone(&lose), breaks: Arc::default() })).await;
    stage.ready().await;
    stage.until("is compared", |stage| stage.check("registrations_published").1.contains("agree")).await;
    let mut client = stage.registrations().await;
    client.register(endpoint("kept", "meta", "s")).await.unwrap();

    lose.store(true, Ordering::SeqCst);
    let lost = client.register(endpoint("lost", "meta", "s")).await.unwrap_err();
    assert_eq!(lost.code(), Code::Unavailable, "{lost:?}");
    until_topic(&place, "what was not committed goes", |topic| topic.keys().eq(["endpoint/kept"])).await;
    let published = place.read("registrations").await;
    let lost = published.iter().filter(|stored| stored.key.as_deref() == Some(b"endpoint/lost")).count();
    assert_eq!(lost, 2, "its record was on the topic, then its tombstone");

    lose.store(true, Ordering::SeqCst);
    let delete = DeleteRequest { id: "endpoint/kept".into(), expected_revision: 1 };
    assert_eq!(client.delete(delete).await.unwrap_err().code(), Code::Unavailable);
    until_topic(&place, "what was not removed comes back", |topic| topic.contains_key("endpoint/kept")).await;
    client.register(endpoint("lost", "meta", "s")).await.unwrap();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_start_the_topic_is_brought_to_what_the_database_says() {
    let place = Place::new("reconcile");
    let stage = place.start_ready().await;
    let mut client = stage.registrations().await;
    client.register(endpoint("app", "meta", "s")).await.unwrap();
    client.register(endpoint("two", "github", "s")).await.unwrap();
    stage.stop().await;

    // As a process that died between publish and commit leaves it.
    let producer = place.bus.producer().unwrap();
    let ghost =
        Registration { id: "endpoint/ghost".into(), revision: 1, tenant: "acme".into(), ..Registration::default() };
    let topic = common::topics::REGISTRATIONS;
    let headers = bus::Headers::default();
    producer.try_send(bus::Record::new(&topic, "endpoint/ghost", &ghost, headers)).unwrap().await.unwrap();
    producer.try_send(bus::Record::tombstone(&topic, "endpoint/two")).unwrap().await.unwrap();
    assert!(!on_topic(&place).await.contains_key("endpoint/two"));

    let stage = place.start_ready().await;
    until_topic(&place, "database wins", |topic| topic.keys().eq(["endpoint/app", "endpoint/two"])).await;
    // Also while it runs.
    producer.try_send(bus::Record::tombstone(&topic, "endpoint/two")).unwrap().await.unwrap();
    until_topic(&place, "database wins again", |topic| topic.keys().eq(["endpoint/app", "endpoint/two"])).await;
    stage.stop().await;
}
