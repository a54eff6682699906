use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use common::event::v1::Context;

use super::*;

/// What the fake service does.
#[derive(Clone)]
enum Does {
    /// Knows every object whose id does not begin with `x`.
    Answers,
    Hangs,
    Fails(Code),
    Short,
    Large,
}

struct Fake {
    does: Mutex<Does>,
    calls: AtomicUsize,
    keys: Mutex<Vec<Vec<String>>>,
}

impl Ask for Arc<Fake> {
    async fn ask(&self, request: LookUpRequest) -> Result<LookUpResponse, Status> {
        assert_eq!(request.lookup, "crm");
        self.calls.fetch_add(1, Ordering::Relaxed);
        let ids = request.keys.iter().map(|key| key.fields["object_id"].clone()).collect();
        self.keys.lock().unwrap().push(ids);
        let does = self.does.lock().unwrap().clone();
        let answer = |key: &Key, name: String| Answer {
            found: !key.fields["object_id"].starts_with('x'),
            attributes: [(name, key.fields["object_id"].clone())].into(),
        };
        let mut answers: Vec<Answer> = request.keys.iter().map(|key| answer(key, "id".to_owned())).collect();
        match does {
            Does::Answers => {}
            Does::Hangs => std::future::pending().await,
            Does::Fails(code) => return Err(Status::new(code, "broken")),
            Does::Short => drop(answers.pop()),
            Does::Large => {
                if let Some(first) = answers.first_mut() {
                    first.attributes.insert("large".to_owned(), "x".repeat(200));
                }
            }
        }
        Ok(LookUpResponse { answers })
    }

    fn is_here(&self) -> bool {
        false
    }
}

struct Tried {
    lookup: Lookup<Arc<Fake>>,
    fake: Arc<Fake>,
    seconds: Arc<AtomicU64>,
}

impl Tried {
    fn new(does: Does) -> Self {
        let settings = LookupSettings {
            timeout_ms: 30,
            batch: 3,
            cache_entries: 100,
            cache_bytes: 10_000,
            cache_ttl_ms: 60_000,
            negative_ttl_ms: 10_000,
            circuit_failures: 2,
            circuit_open_ms: 20_000,
            max_attributes: 2,
            max_attribute_bytes: 100,
            max_message_bytes: 1024,
        };
        let fake = Arc::new(Fake { does: Mutex::new(does), calls: AtomicUsize::new(0), keys: Mutex::default() });
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let clock: Clock = Box::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let key = ["tenant", "object_id"].map(|name| fields::by_name(name).unwrap()).to_vec();
        Self { lookup: Lookup::new(Arc::clone(&fake), "crm".to_owned(), key, &settings, clock), fake, seconds }
    }

    fn does(&self, does: Does) {
        *self.fake.does.lock().unwrap() = does;
    }

    fn at(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }

    fn calls(&self) -> usize {
        self.fake.calls.swap(0, Ordering::Relaxed)
    }

    /// What is found for objects with these ids.
    async fn find(&self, ids: &[&str]) -> Vec<String> {
        let activities: Vec<Activity> = ids
            .iter()
            .map(|id| Activity {
                context: Some(Context { tenant: "acme".into(), ..Context::default() }),
                object: Some(common::activity::v1::Object { id: (*id).to_owned(), ..Default::default() }),
                ..Activity::default()
            })
            .collect();
        let activities: Vec<Option<&Activity>> = activities.iter().map(Some).collect();
        let found = self.lookup.find(&activities).await;
        found
            .into_iter()
            .map(|found| match found {
                Found::Nothing => "-".to_owned(),
                Found::Attributes(attributes) => attributes["id"].clone(),
                Found::Failed(failure) => failure.as_str_name().trim_start_matches("STEP_FAILURE_").to_owned(),
            })
            .collect()
    }
}

#[tokio::test]
async fn each_key_is_asked_about_once_in_batches_and_remembered() {
    let tried = Tried::new(Does::Answers);
    assert_eq!(tried.find(&["a", "b", "a", "x", "c", "d", "b"]).await, ["a", "b", "a", "-", "c", "d", "b"]);
    assert_eq!(tried.calls(), 2);
    assert_eq!(*tried.fake.keys.lock().unwrap(), [vec!["a", "b", "x"], vec!["c", "d"]]);
    assert_eq!(tried.find(&["d", "x", "a"]).await, ["d", "-", "a"]);
    assert_eq!(tried.calls(), 0);
    tried.at(10);
    assert_eq!(tried.find(&["a", "x"]).await, ["a", "-"]);
    assert_eq!(tried.calls(), 1, "what was not known is asked about again first");
    tried.at(60);
    assert_eq!(tried.find(&["a", "b"]).await, ["a", "b"]);
    assert_eq!(tried.calls(), 1);
    assert_eq!(tried.lookup.health(), Ok("answers; 5 keys cached".to_owned()));
}

#[tokio::test]
async fn an_activity_with_nothing_to_ask_about_is_not_asked_about() {
    let tried = Tried::new(Does::Fails(Code::Internal));
    let found = tried.lookup.find(&[Some(&Activity::default()), None]).await;
    assert_eq!((found, tried.calls()), (vec![Found::Nothing; 2], 0));
}

#[tokio::test]
async fn the_time_limit_holds_for_the_batch_and_then_nobody_waits() {
    let tried = Tried::new(Does::Hangs);
    let ids: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let begun = std::time::Instant::now();
    assert_eq!(tried.find(&ids).await, vec!["TIMED_OUT"; 30]);
    assert_eq!(tried.calls(), 10);
    // Ten calls one after the other would take 300 ms.
    assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
    assert_eq!(tried.find(&ids).await, vec!["CIRCUIT_OPEN"; 30]);
    assert_eq!(tried.calls(), 0);
    let (message, failed) = tried.lookup.health().unwrap_err();
    assert!(failed && message.contains("no answer within 30ms"), "{message}");

    // One call tries; the others are not made.
    tried.at(20);
    let found = tried.find(&["1", "2", "3", "4"]).await;
    assert_eq!(found, ["TIMED_OUT", "TIMED_OUT", "TIMED_OUT", "CIRCUIT_OPEN"]);
    assert_eq!(tried.calls(), 1);
    tried.does(Does::Answers);
    tried.at(40);
    assert_eq!(tried.find(&["1"]).await, ["1"]);
    assert_eq!(tried.find(&["2", "3", "4", "5"]).await, ["2", "3", "4", "5"]);
    assert!(tried.lookup.health().is_ok());
}

#[tokio::test]
async fn failures_are_told_by_what_they_are() {
    for (does, failure) in [
        (Does::Fails(Code::Unavailable), "UNAVAILABLE"),
        (Does::Fails(Code::Internal), "UNAVAILABLE"),
        (Does::Fails(Code::DeadlineExceeded), "TIMED_OUT"),
        (Does::Fails(Code::OutOfRange), "INVALID_ANSWER"),
        (Does::Short, "INVALID_ANSWER"),
    ] {
        let tried = Tried::new(does);
        assert_eq!(tried.find(&["a", "b"]).await, [failure; 2]);
        assert!(!tried.lookup.health().unwrap_err().1, "one failure is no outage");
        assert_eq!(tried.find(&["a", "b"]).await, [failure; 2]);
        assert_eq!(tried.find(&["a", "b"]).await, ["CIRCUIT_OPEN"; 2]);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_harms_only_its_own_key() {
    let tried = Tried::new(Does::Large);
    for _ in 0..5 {
        assert_eq!(tried.find(&["a", "b"]).await[0], "INVALID_ANSWER");
    }
    assert_eq!(tried.find(&["b"]).await, ["b"]);
    assert!(tried.lookup.health().is_ok());
}

#[tokio::test]
async fn what_is_remembered_is_told_while_the_service_is_away() {
    let tried = Tried::new(Does::Answers);
    tried.find(&["a"]).await;
    tried.does(Does::Fails(Code::Unavailable));
    for _ in 0..3 {
        tried.find(&["b"]).await;
    }
    assert_eq!(tried.find(&["a", "b"]).await, ["a", "CIRCUIT_OPEN"]);
}
