use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bus::{Bus, Headers, Record, TopicKind, TopicSpec};
use tokio::sync::Semaphore as Gate;

use super::*;

const TOPIC: &str = "numbers";
const LIMIT: Duration = Duration::from_secs(60);

/// An embedded log with one partition, and the numbers from 0 in it.
async fn log(folder: &Path, numbers: u64) -> Bus {
    let mut file: toml::Table = toml::from_str(bus::DEFAULTS).unwrap();
    let mut settings: bus::Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.kafka.brokers.clear();
    settings.create_topics = true;
    settings.partitions = 1;
    settings.data_dir = folder.to_owned();
    let bus = Bus::open(&settings).unwrap();
    let topic = TopicSpec { name: TOPIC.to_owned(), kind: TopicKind::Log { retention: Duration::from_secs(86_400) } };
    assert_eq!(bus.prepare_topics(&[topic]).await.unwrap(), []);
    let producer = bus.producer().unwrap();
    for number in 0..numbers {
        let record = Record::encoded(TOPIC, "k", number.to_be_bytes().to_vec(), Headers::default());
        producer.try_send(record).unwrap().await.unwrap();
    }
    bus
}

fn driver() -> Driver {
    Driver {
        stage: "numbers",
        shutdown: CancellationToken::new(),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
        memory: Memory::unlimited(),
        drain: Duration::from_secs(5),
    }
}

fn lane(bus: &Bus, driver: &Driver) -> Lane {
    let consumer = bus.consumer("g", &[TOPIC.to_owned()]).unwrap().ends_with(driver.shutdown.clone());
    Lane { name: "numbers", consumer, ahead: 2, readers: 2 }
}

/// Writes down what it emits; each number as it is wanted.
#[derive(Debug, Default)]
struct Numbers {
    emitted: Mutex<Vec<u64>>,
    /// The first time that this is read the thread breaks.
    breaks_at: Option<u64>,
    broke: AtomicUsize,
    /// When it is emitted the stage ends.
    ends_at: Option<u64>,
    lost: Mutex<Vec<Partition>>,
    /// So much each takes.
    bytes: u64,
    reading: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug)]
struct Number {
    number: u64,
    ack: bus::Ack,
    _room: Room,
}

impl Stage for Numbers {
    type Work = Number;
    type State = ();

    fn weigh(&self, _: &Incoming) -> Weight {
        Weight { bytes: self.bytes, too_much: None }
    }

    fn read(&self, record: Incoming, _: Option<String>, room: Room) -> Number {
        let now = self.reading.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let number = u64::from_be_bytes(record.payload.unwrap().as_ref().try_into().unwrap());
        if self.breaks_at == Some(number) && self.broke.fetch_add(1, Ordering::SeqCst) == 0 {
            self.reading.fetch_sub(1, Ordering::SeqCst);
            panic!("{number} cannot be read, this once");
        }
        Number { number, ack: record.ack, _room: room }
    }

    async fn emit(&self, works: Vec<Number>, (): &mut ()) -> ControlFlow<()> {
        for Number { number, ack, .. } in works {
            self.reading.fetch_sub(1, Ordering::SeqCst);
            if self.ends_at == Some(number) {
                return ControlFlow::Break(());
            }
            self.emitted.lock().unwrap().push(number);
            ack.complete();
        }
        ControlFlow::Continue(())
    }

    fn lost(&self, turns: Vec<(Partition, Assignment)>, (): &mut ()) {
        self.lost.lock().unwrap().extend(turns.into_iter().map(|(partition, _)| partition));
    }
}

/// Runs until all numbers up to this one were emitted, then ends as a process does.
async fn run(stage: &Arc<Numbers>, driver: &Driver, bus: &Bus, last: usize) -> anyhow::Result<()> {
    let watched = Arc::clone(stage);
    let all = async move {
        while watched.emitted.lock().unwrap().iter().collect::<BTreeSet<_>>().len() <= last {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let running = driver.run(Arc::clone(stage), (), lane(bus, driver), []);
    let ending = async {
        tokio::time::timeout(LIMIT, all).await.expect("all of them");
        driver.shutdown.cancel();
    };
    tokio::join!(running, ending).0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_side_by_side_is_emitted_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 1000).await;
    let (stage, driver) = (Arc::new(Numbers::default()), driver());
    run(&stage, &driver, &bus, 999).await.unwrap();
    assert_eq!(*stage.emitted.lock().unwrap(), (0..1000).collect::<Vec<_>>());
    assert_eq!(bus.group_offset("g", TOPIC, 0).await.unwrap(), Some(1000), "all of it is committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_in_flight_than_there_is_memory_for() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 200).await;
    let stage = Arc::new(Numbers { bytes: 10 << 10, ..Numbers::default() });
    let driver = Driver { memory: Memory::new(50 << 10), ..driver() };
    run(&stage, &driver, &bus, 199).await.unwrap();
    assert_eq!(*stage.emitted.lock().unwrap(), (0..200).collect::<Vec<_>>());
    assert!((1..=5).contains(&stage.most.load(Ordering::SeqCst)), "{stage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thread_lost_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 100).await;
    let (stage, driver) = (Arc::new(Numbers { breaks_at: Some(40), ..Numbers::default() }), driver());
    run(&stage, &driver, &bus, 99).await.unwrap();
    let mut emitted = stage.emitted.lock().unwrap().clone();
    emitted.sort_unstable();
    emitted.dedup();
    assert_eq!(emitted, (0..100).collect::<Vec<_>>());
    let topic: Arc<str> = format!("{}{TOPIC}", bus.settings().topic_prefix).into();
    assert_eq!(*stage.lost.lock().unwrap(), [(topic, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_ends_by_itself_ends_the_process_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 10).await;
    let (stage, driver) = (Arc::new(Numbers { ends_at: Some(5), ..Numbers::default() }), driver());
    let running = driver.run(stage, (), lane(&bus, &driver), []);
    let error = tokio::time::timeout(LIMIT, running).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "emitting of lane numbers ended unexpectedly");
    assert!(driver.shutdown.is_cancelled(), "others do not go on alone");
    assert_eq!(bus.group_offset("g", TOPIC, 0).await.unwrap(), Some(5), "what was done is committed, and no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_is_stopped_leaves_the_process_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 10).await;
    let (stage, driver) = (Arc::new(Numbers { ends_at: Some(5), ..Numbers::default() }), driver());
    driver.stop.cancel();
    driver.run(stage, (), lane(&bus, &driver), []).await.unwrap();
    assert!(!driver.shutdown.is_cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_breaks_is_the_cause_and_one_that_is_not_done_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 0).await;
    let driver = Driver { drain: Duration::from_millis(100), ..driver() };
    let parts = [
        Part { name: "broken", runs: Box::pin(async { anyhow::bail!("no disk") }) },
        Part { name: "endless", runs: Box::pin(std::future::pending()) },
    ];
    let running = driver.run(Arc::new(Numbers::default()), (), lane(&bus, &driver), parts);
    let error = tokio::time::timeout(LIMIT, running).await.unwrap().unwrap_err();
    assert_eq!(format!("{error:#}"), "broken of lane numbers failed: no disk");
}

/// Does something at a time, and holds what came until then.
#[derive(Debug)]
struct Collects {
    ticked: Gate,
}

impl Stage for Collects {
    type Work = bus::Ack;
    type State = Vec<bus::Ack>;

    fn read(&self, record: Incoming, _: Option<String>, _: Room) -> bus::Ack {
        record.ack
    }

    async fn emit(&self, mut acks: Vec<bus::Ack>, held: &mut Vec<bus::Ack>) -> ControlFlow<()> {
        held.append(&mut acks);
        ControlFlow::Continue(())
    }

    fn due(&self, held: &Vec<bus::Ack>) -> Option<Instant> {
        (!held.is_empty()).then(Instant::now)
    }

    async fn tick(&self, held: &mut Vec<bus::Ack>) {
        self.ticked.add_permits(held.len());
        std::mem::take(held).into_iter().for_each(bus::Ack::complete);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_done_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 7).await;
    let (stage, driver) = (Arc::new(Collects { ticked: Gate::new(0) }), driver());
    let seven = Arc::clone(&stage);
    let ending = async {
        let all = tokio::time::timeout(LIMIT, seven.ticked.acquire_many(7)).await.expect("seven of them");
        drop(all.unwrap());
        driver.shutdown.cancel();
    };
    let running = driver.run(stage, Vec::new(), lane(&bus, &driver), []);
    tokio::join!(running, ending).0.unwrap();
    assert_eq!(bus.group_offset("g", TOPIC, 0).await.unwrap(), Some(7));
}
