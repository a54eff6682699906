use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use bus::{Bus, Headers, Record, TopicKind, TopicSpec};
use tonic::service::Routes;

use super::*;
use crate::settings::DEFAULTS;

const DRAIN: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);

/// What a service does when it is opened for the first time, the second time …
type Does = Arc<dyn Fn(usize, Host) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

struct Fake {
    runs: BoxFuture<'static, anyhow::Result<()>>,
}

impl Opened for Fake {
    fn add_to(&self, routes: Routes) -> Routes {
        routes
    }

    fn pages(&self) -> Option<Router> {
        None
    }

    fn door(&self) -> Option<std::net::SocketAddr> {
        None
    }

    fn run(self: Box<Self>) -> BoxFuture<'static, anyhow::Result<()>> {
        self.runs
    }
}

/// Opens it, and counts how often.
fn opens(does: Does) -> (Opens, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let opens: Opens = Arc::new(move |host| {
        let runs = does(count.fetch_add(1, Ordering::SeqCst), host);
        async move { Ok(Box::new(Fake { runs }) as Box<dyn Opened>) }.boxed()
    });
    (opens, opened)
}

fn host() -> Host {
    let settings: Settings = service::load(DEFAULTS, None, []).unwrap();
    Host::new("test", &service::Settings::host(&settings))
}

/// Runs it beside `others`, which is given the host; what came of it.
async fn beside(does: Does, drain: Duration, others: impl AsyncFnOnce(&Host)) -> (anyhow::Result<()>, usize) {
    let (host, (opens, opened)) = (host(), opens(does));
    let asked = host.restarts().offer("loader");
    let first = open(&opens, &host).await.unwrap();
    let running = run("loader", opens, host.clone(), first, asked, drain);
    let others = async {
        others(&host).await;
        host.shutdown().cancel();
    };
    let (ended, ()) = tokio::join!(running, others);
    (ended, opened.load(Ordering::SeqCst))
}

/// Says that it was dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_end_is_dropped_and_runs_again_and_the_others_go_on() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let drops = Arc::clone(&dropped);
    let does: Does = Arc::new(move |time, host| {
        let guard = Dropped(Arc::clone(&drops));
        async move {
            let _guard = guard;
            match time {
                // It hears of nothing.
                0 => std::future::pending().await,
                _ => host.shutdown().cancelled().await,
            }
            Ok(())
        }
        .boxed()
    });
    let (ended, opened) = beside(does, DRAIN, async |host| {
        let (began, other) = (tokio::time::Instant::now(), host.part(CancellationToken::new()));
        assert_eq!(host.restarts().restart("loader").await, Ok(()));
        assert_eq!(began.elapsed().as_secs(), DRAIN.as_secs(), "it had time to end by itself");
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(!host.shutdown().is_cancelled() && !other.shutdown().is_cancelled());
        assert!(host.health().is_ready());
    })
    .await;
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!((opened, dropped.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_in_time_is_not_cut_off_and_may_be_restarted_again() {
    let ends = Arc::new(AtomicUsize::new(0));
    let ended_well = Arc::clone(&ends);
    let does: Does = Arc::new(move |_, host| {
        let ends = Arc::clone(&ended_well);
        async move {
            host.shutdown().cancelled().await;
            tokio::time::sleep(DRAIN / 2).await;
            ends.fetch_add(1, Ordering::SeqCst);
            anyhow::bail!("its log is away")
        }
        .boxed()
    });
    let (ended, opened) = beside(does, DRAIN, async |host| {
        for _ in 0..3 {
            assert_eq!(host.restarts().restart("loader").await, Ok(()));
        }
    })
    .await;
    assert_eq!((opened, ends.load(Ordering::SeqCst)), (4, 4));
    assert!(ended.is_err(), "the last end is that of the process, and is told");
}

#[tokio::test]
async fn an_end_that_nobody_asked_for_ends_the_process() {
    for (says, panics) in [("broke", false), ("a service panicked", true)] {
        let does: Does = Arc::new(move |_, _| {
            async move {
                assert!(!panics, "broke");
                anyhow::bail!("broke")
            }
            .boxed()
        });
        let (ended, opened) = beside(does, DRAIN, async |host| host.shutdown().cancelled().await).await;
        assert_eq!((ended.unwrap_err().to_string().as_str(), opened), (says, 1));
    }
}

#[test]
fn what_answers_others_stays_open_until_the_end() {
    let can: Vec<_> = crate::catalogue::descriptions().filter(can_be_restarted).map(|one| one.name).collect();
    assert_eq!(can, ["enricher", "loader"]);
}

/// Its consumers too: else what waits for it would be told twice, once by one that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_flight_comes_again_and_is_told_by_one_consumer() {
    const TOPIC: &str = "numbers";
    let folder = tempfile::tempdir().unwrap();
    let mut settings: bus::Settings = service::load::<Settings>(DEFAULTS, None, []).unwrap().bus;
    settings.data_dir = folder.path().to_owned();
    settings.kafka.brokers.clear();
    (settings.create_topics, settings.partitions) = (true, 1);
    let bus = Bus::open(&settings).unwrap();
    let kind = TopicKind::Log { retention: Duration::from_secs(86_400) };
    assert_eq!(bus.prepare_topics(&[TopicSpec { name: TOPIC.to_owned(), kind }]).await.unwrap(), []);
    let producer = bus.producer().unwrap();
    for number in 0..10_u8 {
        let record = Record::encoded(TOPIC, "k", vec![number], Headers::default());
        producer.try_send(record).unwrap().await.unwrap();
    }
    let seen: Arc<Mutex<Vec<(usize, u8)>>> = Arc::default();
    let (read, log) = (Arc::clone(&seen), bus.clone());
    let does: Does = Arc::new(move |time, host| {
        let (seen, bus) = (Arc::clone(&read), log.clone());
        async move {
            let mut consumer = bus.consumer("g", &[TOPIC.to_owned()])?.ends_with(host.shutdown().clone());
            let state = consumer.state();
            host.counts().watch_consumer(move || state.told("loader"));
            while let Some(Some(batch)) = host.shutdown().run_until_cancelled(consumer.next()).await.transpose()? {
                for record in batch.records {
                    let number = record.payload.as_ref().map_or(0, |payload| payload[0]);
                    seen.lock().unwrap().push((time, number));
                    if time == 0 && number == 4 {
                        // It holds what it has read, and hears of nothing.
                        std::future::pending::<()>().await;
                    }
                    record.ack.complete();
                }
            }
            Ok(())
        }
        .boxed()
    });
    let until = async |done: &dyn Fn(&[(usize, u8)]) -> bool| {
        let waiting = async {
            while !done(&seen.lock().unwrap()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(LIMIT, waiting).await.is_ok(), "{:?}", seen.lock().unwrap());
    };
    let (_, opened) = beside(does, Duration::from_millis(200), async |host| {
        until(&|seen| seen.contains(&(0, 4))).await;
        assert_eq!(host.restarts().restart("loader").await, Ok(()));
        until(&|seen| seen.contains(&(1, 9))).await;
        assert_eq!(host.health().digest().consumers.len(), 1);
    })
    .await;
    assert_eq!(opened, 2);
    let again: Vec<u8> =
        seen.lock().unwrap().iter().filter(|(time, _)| *time == 1).map(|(_, number)| *number).collect();
    assert!(again.first().is_some_and(|first| *first <= 4), "what was held comes again: {again:?}");
    assert!((4..10).all(|number| again.contains(&number)), "{again:?}");
}
