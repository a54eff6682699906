use service::State;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::settings::tests::settings;
use crate::sinks::tests::peer::Peer;

fn alert(check: &str) -> Alert {
    Alert {
        stage: "loader".to_owned(),
        check: check.to_owned(),
        class: Class::Page,
        instances: Vec::new(),
        subjects: Vec::new(),
        text: "found".to_owned(),
        advice: "do".to_owned(),
        runbook: String::new(),
        since_ms: 0,
    }
}

/// A delivery with its rounds, and what it says of itself.
struct Running {
    rounds: watch::Sender<LastRound>,
    health: Health,
    tasks: JoinSet<()>,
}

impl Running {
    async fn start(settings: &AlertsSettings) -> Self {
        Self::with(settings, |_| ()).await
    }

    /// `change`: what is otherwise than the settings make it.
    async fn with(settings: &AlertsSettings, change: impl FnOnce(&mut Delivery)) -> Self {
        let health = Health::new("test", CancellationToken::new());
        let mut delivery = Delivery::open(settings, "", Duration::from_secs(5), &health).await.unwrap().unwrap();
        change(&mut delivery);
        let (rounds, receiver) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(delivery.run(receiver));
        Self { rounds, health, tasks }
    }

    fn round(&self, found: &[Alert]) {
        self.rounds.send_replace(Some(Arc::new(found.to_vec())));
    }

    /// Waits until the check is in this state, and says why.
    async fn check(&self, state: State) -> String {
        loop {
            let digest = self.health.digest();
            let check = digest.checks.iter().find(|check| check.name == "alerts_delivery").unwrap();
            if check.state() == state {
                return check.message.clone();
            }
            // Rounds go on meanwhile, as those of health-check do.
            self.rounds.send_modify(|_| ());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Rounds go on until this has happened.
    async fn until<T>(&self, happens: impl Future<Output = T>) -> T {
        let rounds = async {
            loop {
                self.rounds.send_modify(|_| ());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            it = happens => it,
            () = rounds => unreachable!(),
        }
    }

    async fn end(mut self) {
        drop(self.rounds);
        self.tasks.join_next().await.unwrap().unwrap();
    }
}

fn slack(peer: &Peer, more: &str) -> AlertsSettings {
    settings(&format!(
        "receivers = [{{ name = \"chat\", slack = {{ url = \"http://{}/s3cret\" }} }}]\n\
         routes = [{{ name = \"all\", receivers = [\"chat\"] }}]\n\
         allow_networks = [\"127.0.0.1\"]\nmust_last = false\ngroup_wait_ms = 0\ngroup_interval_ms = 0\nresolve_after_ms = 0\nretry_ms = 100\n{more}",
        peer.address
    ))
}

fn text(asked: &crate::sinks::tests::peer::Asked) -> String {
    serde_json::from_slice::<serde_json::Value>(&asked.body).unwrap()["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_fails_is_tried_again_and_health_says_so() {
    let peer = Peer::answers(&["503 Service Unavailable", "200 OK", "200 OK"]).await;
    let running = Running::start(&slack(&peer, "")).await;
    running.round(&[alert("lag")]);
    let said = running.check(State::Failing).await;
    assert_eq!(said, "receiver \"chat\" (alerts.receivers[0].slack): it answered 503 Service Unavailable");
    running.check(State::Ok).await;
    running.round(&[]);
    let mut titles = Vec::new();
    for _ in 0..3 {
        titles.push(text(&running.until(peer.asked()).await));
    }
    assert_eq!(titles, ["Weir page: lag at loader", "Weir page: lag at loader", "Weir resolved: lag at loader"]);
    running.end().await;
}

#[tokio::test]
async fn nobody_is_told_twice_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alerts.json");
    let peer = Peer::answers(&["200 OK"; 2]).await;
    let settings = slack(&peer, &format!("state_file = {:?}", file.to_str().unwrap()));
    let running = Running::start(&settings).await;
    running.round(&[alert("lag")]);
    assert_eq!(text(&running.until(peer.asked()).await), "Weir page: lag at loader");
    running.check(State::Ok).await;
    // Told, and kept.
    running
        .until(async {
            while !std::fs::read_to_string(&file).unwrap_or_default().contains("\"last_ms\":1") {
                tokio::task::yield_now().await
            }
        })
        .await;
    running.end().await;

    let running = Running::start(&settings).await;
    running.round(&[alert("lag")]);
    running.check(State::Ok).await;
    running.round(&[]);
    assert_eq!(text(&running.until(peer.asked()).await), "Weir resolved: lag at loader", "and not the beginning again");
    running.end().await;
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_file_of_silences_counts_from_the_next_round_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("silences.toml");
    let silence =
        "[[silences]]\nchecks = [\"lag\"]\nuntil = \"2999-01-01T00:00:00Z\"\nauthor = \"ana\"\ncomment = \"known\"\n";
    std::fs::write(&file, silence).unwrap();
    let peer = Peer::answers(&["200 OK"; 2]).await;
    let running = Running::start(&slack(&peer, &format!("silences_file = {:?}", file.to_str().unwrap()))).await;
    running.round(&[alert("lag"), alert("age")]);
    assert_eq!(text(&running.until(peer.asked()).await), "Weir page: age at loader");
    std::fs::write(&file, "").unwrap();
    assert_eq!(text(&running.until(peer.asked()).await), "Weir page: lag at loader");
    running.end().await;
}

#[tokio::test]
async fn the_heartbeat_beats_as_long_as_there_are_rounds() {
    let peer = Peer::answers(&["200 OK"; 2]).await;
    let heart = format!(
        "heartbeat = {{ url = \"http://{}/ping/s3cret\", interval_ms = 100 }}\nallow_networks = [\"127.0.0.1\"]",
        peer.address
    );
    let running = Running::start(&settings(&heart)).await;
    running.round(&[]);
    for _ in 0..2 {
        assert_eq!(running.until(peer.asked()).await.line, "GET /ping/s3cret HTTP/1.1");
    }
    // Nobody is there any more: a look, and no page.
    let said = running.check(State::Warning).await;
    assert!(said.starts_with("heartbeat (alerts.heartbeat.url): cannot connect to 127.0.0.1:"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    running.end().await;
}

#[tokio::test]
async fn a_test_tells_a_receiver_its_beginning_and_its_end() {
    let peer = Peer::answers(&["200 OK"; 2]).await;
    let settings = slack(&peer, "");
    test(&settings, "", "chat").await.unwrap();
    assert_eq!(text(&peer.asked().await), "Weir log: test at test");
    assert_eq!(text(&peer.asked().await), "Weir resolved: test at test");
    let error = test(&settings, "", "caht").await.unwrap_err().to_string();
    assert_eq!(error, "receiver \"caht\" (alerts.receivers): there is no such receiver; known: chat");
}

/// Panics, and then takes what it is told.
struct Panics(std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl crate::sinks::Sink for Panics {
    async fn send(&self, _: &Message) -> Result<(), NotTaken> {
        let is_first = !self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
        assert!(!is_first, "the adapter has a bug");
        Ok(())
    }
}

#[tokio::test]
async fn an_adapter_that_panics_is_tried_again() {
    let peer = Peer::answers(&[]).await;
    let running = Running::with(&slack(&peer, ""), |delivery| {
        let sink = Arc::new(Panics(std::sync::atomic::AtomicBool::new(false)));
        let receiver = Receiver::new(sink, "alerts.receivers[0].slack".to_owned(), Duration::from_millis(500));
        delivery.receivers.insert("chat".to_owned(), receiver);
    })
    .await;
    running.round(&[alert("lag")]);
    let said = running.check(State::Failing).await;
    assert!(said.contains("panic"), "{said}");
    running.check(State::Ok).await;
    running.end().await;
}

#[tokio::test]
async fn nobody_is_told_of_his_own_failure_and_the_heartbeat_stops() {
    let heart = Peer::answers(&["200 OK"; 50]).await;
    let peer = Peer::answers(&["503 Service Unavailable", "200 OK", "200 OK"]).await;
    let beats = format!("heartbeat = {{ url = \"http://{}/\", interval_ms = 100 }}", heart.address);
    let settings = AlertsSettings { retry_ms: 1000, ..slack(&peer, &beats) };
    let running = Running::start(&settings).await;
    running.round(&[alert("lag")]);
    running.check(State::Failing).await;
    let before = heart.connections();
    running.round(&[alert("lag"), alert(CHECK)]);
    // The first message is refused, and is all that it gets until it takes it.
    assert_eq!(text(&running.until(peer.asked()).await), "Weir page: lag at loader");
    assert_eq!(text(&running.until(peer.asked()).await), "Weir page: lag at loader");
    assert!(heart.connections() <= before + 2, "it beat while a page was not delivered");
    running.round(&[alert("lag")]);
    running.check(State::Ok).await;
    running.round(&[]);
    assert_eq!(text(&running.until(peer.asked()).await), "Weir resolved: lag at loader");
    running.end().await;
}

#[tokio::test]
async fn a_file_of_silences_with_an_error_is_in_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("silences.toml");
    std::fs::write(&file, "silences = 1\n").unwrap();
    let peer = Peer::answers(&[]).await;
    let running = Running::start(&slack(&peer, &format!("silences_file = {:?}", file.to_str().unwrap()))).await;
    running.round(&[]);
    let said = running.check(State::Warning).await;
    assert!(said.starts_with("alerts.silences_file: line 1: "), "{said}");
    std::fs::write(&file, "").unwrap();
    running.check(State::Ok).await;
    running.end().await;
}
