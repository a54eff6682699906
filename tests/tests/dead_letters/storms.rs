//! One endpoint's storm: held back at the door, the others unharmed, and over by itself.

use std::time::{Duration, Instant};

use base64::Engine as _;
use common::health::v1::State;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use streaming::Streaming;
use weir_tests::github::{SIGNATURE, send, signature};
use weir_tests::running::Running;

use crate::place::{LIMIT, Log, Place, decode_delivery};

const SECRET: &str = "correct horse battery staple";

/// A door in this process.
struct Door {
    running: Running,
    url: String,
}

impl Door {
    async fn open(place: &Place) -> Self {
        let endpoint = |name: &str, source: &str| {
            format!(
                "[[streaming.endpoints]]\nname = \"{name}\"\nsource = \"{source}\"\ntenant = \"acme\"\nsecrets = [\"{SECRET}\"]\n"
            )
        };
        let endpoints =
            [endpoint("bad", "standard_webhooks"), endpoint("good", "standard_webhooks"), endpoint("hub", "github")];
        let file = place.folder().join("door.toml");
        std::fs::write(&file, endpoints.concat()).unwrap();
        let env = ["ADMIN", "GRPC", "STREAMING"].map(|of| (format!("WEIR__{of}__LISTEN"), "127.0.0.1:0".to_owned()));
        let mut settings: streaming::Settings = service::load(streaming::DEFAULTS, Some(&file), env).unwrap();
        settings.bus = place.settings.bus.clone();
        settings.streaming.check_interval_ms = 100;
        let running = Running::start::<Streaming>(&settings).await;
        running.ready().await;
        let url = format!("http://{}/webhooks", running.door.unwrap());
        Self { running, url }
    }

    /// The status, and after how many seconds it may be tried again.
    async fn post(&self, endpoint: &str, id: u32, body: String) -> (u16, Option<u64>) {
        let request = http::Request::post(format!("{}/{endpoint}", self.url));
        let request = if endpoint == "hub" {
            request
                .header(SIGNATURE, signature(SECRET, body.as_bytes()))
                .header("x-github-event", "ping")
                .header("x-github-delivery", format!("00000000-0000-0000-0000-{id:012}"))
        } else {
            let (id, at) = (format!("msg_{id}"), service::clock::timestamp().seconds.to_string());
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(format!("{id}.{at}.{body}").as_bytes());
            let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
            request
                .header("webhook-id", id)
                .header("webhook-timestamp", at)
                .header("webhook-signature", format!("v1,{signature}"))
        };
        let answer = send(request.body(Full::new(bytes::Bytes::from(body))).unwrap()).await.unwrap();
        let after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        (answer.status().as_u16(), after)
    }

    /// Posts until it is answered so; the answer.
    async fn until(&self, status: u16, endpoint: &str, id: u32, body: &str) -> (u16, Option<u64>) {
        let began = Instant::now();
        loop {
            let answer = self.post(endpoint, id, body.to_owned()).await;
            if answer.0 == status {
                return answer;
            }
            assert!(began.elapsed() < LIMIT, "{endpoint} still answers {answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn check(&self, name: &str) -> (State, String) {
        self.running.check(name)
    }

    async fn until_state(&self, name: &str, wanted: State) -> String {
        self.running.until(name, |door| door.check(name).0 == wanted).await;
        self.check(name).1
    }

    async fn close(self) {
        self.running.stop().await;
    }
}

const FINE: &str =
    r#"{"type":"fine","zen":"Keep it logically awesome.","repository":{"id":1,"full_name":"ada/engine"}}"#;

pub(crate) async fn one_endpoint_is_held_back_at_every_door_and_let_in_again(log: Log) {
    let mut place = Place::new(log, "storm").await;
    place.settings.processing.storm.min_deliveries = 20;
    place.settings.processing.storm.hold_ms = 4000;
    let stage = place.start().await;
    let (one, other) = (Door::open(&place).await, Door::open(&place).await);

    // So much that is fine that no storm of several is seen.
    for n in 0..100 {
        assert_eq!(one.post("good", n, FINE.into()).await.0, 200);
    }
    place.exactly("events.standard_webhooks.message", 100).await;
    for n in 0..25 {
        // Some may come when the door knows already.
        one.post("bad", 1000 + n, format!("broken {n}")).await;
    }
    // At each door, also where nothing of it came.
    for door in [&one, &other] {
        let (_, after) = door.until(429, "bad", 2000, "broken too").await;
        let after = after.expect("a time to come again");
        assert!((1..=11).contains(&after), "{after}");
        assert_eq!(door.post("good", 200, FINE.into()).await.0, 200, "the others are unharmed");
    }
    let message = one.until_state("streaming_storms", State::Warning).await;
    assert!(message.contains("bad"), "{message}");
    let (state, _) = stage.check("processing_dead_letter_storm");
    assert_eq!(state, State::Ok, "the stage goes on");

    // Nobody says that it is over. What was refused comes again, and comes out once.
    one.until(200, "bad", 3000, FINE).await;
    other.until(200, "bad", 3000, FINE).await;
    place.comes("events.standard_webhooks.message", |stored| stored.key.as_deref() == Some(b"msg_3000")).await;
    one.until_state("streaming_storms", State::Ok).await;

    // Who never sends again loses nothing: it goes the slow lane.
    let before = place.read("raw.github.bulk").await.len();
    assert_eq!(before, 0);
    for n in 0..25 {
        assert_eq!(one.post("hub", n, format!("broken {n}")).await.0, 200);
    }
    let began = Instant::now();
    let mut n = 100;
    let is_fine = |stored: &bus::Stored| decode_delivery(stored).body == FINE;
    while !place.read("raw.github.bulk").await.iter().any(is_fine) {
        // As many that cannot be read, so that it does not end meanwhile.
        assert_eq!(other.post("hub", n, FINE.into()).await.0, 200);
        assert_eq!(other.post("hub", n + 1, "broken too".into()).await.0, 200);
        n += 2;
        assert!(began.elapsed() < LIMIT, "nothing goes the slow lane");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // All of it is processed all the same.
    place.comes("events.github.ping", |stored| stored.headers.from.as_ref().unwrap().topic.ends_with(".bulk")).await;
    one.close().await;
    other.close().await;
    stage.stop().await;
}
