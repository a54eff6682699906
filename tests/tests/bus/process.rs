//! The embedded log and the process that has it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bus::{Bus, Headers, Record, Settings, Start};

use crate::support::{GROUP, LIMIT, TOPIC, consumer, prepare, within};

const PARTITIONS: i32 = 4;
/// How often the process is killed. What it writes in all is more than the store keeps in memory.
const KILLS: usize = 4;
const RECORDS: usize = 6000;

fn settings(folder: &Path) -> Settings {
    let mut settings = crate::support::defaults();
    settings.data_dir = folder.to_owned();
    settings.create_topics = true;
    settings.partitions = PARTITIONS;
    settings.kafka.brokers.clear();
    settings.producer.linger_ms = 0;
    settings
}

fn value(number: u64) -> Vec<u8> {
    format!("{number} {}", "x".repeat(1000)).into_bytes()
}

/// A process that writes, consumes, and says what was acknowledged, until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by another test, as a process of its own"]
async fn writes_until_it_is_killed() {
    let bus = Bus::open(&settings(&std::env::current_dir().unwrap())).unwrap();
    prepare(&bus, &[TOPIC]).await;
    let mut consumer = consumer(&bus);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        while let Some(batch) = consumer.next().await.unwrap() {
            batch.records.into_iter().for_each(|record| record.ack.complete());
        }
    });
    let producer = bus.producer().unwrap();
    for first in (0u64..).step_by(100) {
        let mut receipts = Vec::new();
        for number in first..first + 100 {
            let record = Record::encoded(TOPIC, number.to_string(), value(number), Headers::default());
            receipts.push((number, producer.try_send(record).unwrap()));
        }
        let mut told = String::new();
        for (number, receipt) in receipts {
            let at = receipt.await.unwrap();
            told += &format!("acknowledged {} {} {number}\n", at.partition, at.offset);
        }
        told += &format!("committed {}\n", committed(&bus).await.values().sum::<i64>());
        std::io::stdout().write_all(told.as_bytes()).unwrap();
    }
}

async fn committed(bus: &Bus) -> BTreeMap<i32, i64> {
    let mut committed = BTreeMap::new();
    for partition in 0..PARTITIONS {
        committed.insert(partition, bus.group_offset(GROUP, TOPIC, partition).await.unwrap().unwrap_or(0));
    }
    committed
}

struct Writing(Child);

impl Writing {
    fn start(folder: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::writes_until_it_is_killed", "--ignored", "--nocapture"])
            // It finds the log where it is started.
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_in_the_middle_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<(i32, i64), u64> = BTreeMap::new();
    for round in 0..KILLS {
        tokio::task::block_in_place(|| {
            let mut writing = Writing::start(folder.path());
            let mut lines = BufReader::new(writing.0.stdout.take().unwrap()).lines();
            let (mut told, mut done, mut killed) = (0, false, false);
            for line in &mut lines {
                let line = line.unwrap();
                done |= line.strip_prefix("committed ").is_some_and(|sum| sum != "0");
                if told >= RECORDS + round * 100 && done && !killed {
                    // What it says from here on is told too, until the pipe ends.
                    writing.0.kill().unwrap();
                    killed = true;
                }
                let Some(line) = line.strip_prefix("acknowledged ") else { continue };
                let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
                let at = (i32::try_from(numbers[0]).unwrap(), i64::try_from(numbers[1]).unwrap());
                assert_eq!(acknowledged.insert(at, numbers[2]), None, "an offset was given twice");
                told += 1;
            }
            assert!(killed, "it ended by itself");
        });

        let bus = Bus::open(&settings(folder.path())).unwrap();
        let mut reader = bus.reader(&[TOPIC.to_owned()], Start::Beginning).await.unwrap();
        let mut ends = BTreeMap::new();
        let mut found = 0;
        while let Some(record) = within("a record", reader.next_until_end()).await.unwrap() {
            let at = &record.coordinates;
            let end = ends.entry(at.partition).or_insert(0);
            assert_eq!(at.offset, *end, "no gaps");
            *end += 1;
            if let Some(number) = acknowledged.get(&(at.partition, at.offset)) {
                assert_eq!(record.payload.as_deref(), Some(&*value(*number)));
                found += 1;
            }
        }
        assert_eq!(found, acknowledged.len(), "acknowledged, and not there");
        let committed = committed(&bus).await;
        assert!(committed.iter().all(|(partition, done)| *done <= ends[partition]));
        assert!(committed.values().sum::<i64>() > 0, "what was told as committed is not there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_told_who_has_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut writing = Writing::start(folder.path());
    let mut lines = BufReader::new(writing.0.stdout.take().unwrap()).lines();
    tokio::task::block_in_place(|| lines.find(|line| line.as_ref().unwrap().starts_with("acknowledged")));
    let settings = settings(folder.path());
    let error = Bus::open(&settings).unwrap_err().to_string();
    let shown = folder.path().canonicalize().unwrap().join("log");
    for part in [shown.to_str().unwrap(), &format!("process {}", writing.0.id()), "stop that process", "bus.data_dir"] {
        assert!(error.contains(part), "{error}");
    }
    drop(writing);
    let bus = Bus::open(&settings).unwrap();
    assert_eq!(bus.topics().await.unwrap(), [TOPIC]);
    bus.ping(LIMIT.min(Duration::from_secs(1))).await.unwrap();
}
