//! Processes over a log with records that end them, in any order of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::content::Content;
use crate::culprit::{Charge, ENDS_BEFORE_TRIAL, ENDS_ON_TRIAL, Watch};
use crate::gate::Gate;
use crate::settings::ConsumerSettings;
use crate::{Coordinates, Error, Headers, Incoming};

const PARTITIONS: i32 = 4;
const RECORDS: i64 = 12;
/// Records out at once, of each consumer.
const LIMIT: usize = 4;

/// Partition, offset.
type At = (i32, i64);

/// Offsets have gaps: only the even ones are there.
fn offset(number: i64) -> i64 {
    number * 2
}

fn place(partition: i32) -> TopicPartition {
    ("topic".into(), partition)
}

/// The log, and what the group has committed there.
#[derive(Default)]
struct World {
    poison: BTreeSet<At>,
    committed: BTreeMap<i32, (i64, Option<Mark>)>,
    refused: BTreeSet<At>,
    done: BTreeSet<At>,
    /// How often a process was killed from outside with this record on trial.
    killed: BTreeMap<At, u32>,
    runs: u64,
    ends: usize,
}

/// A process: two consumers, with two partitions each.
struct Process {
    consumers: Vec<Arc<Intake>>,
    out: Vec<Incoming>,
    /// Stored, and to be committed at the interval.
    stored: BTreeMap<i32, i64>,
}

/// The process ended.
struct Ended;

impl World {
    fn start(&mut self) -> Process {
        let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
        let settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
        let settings = ConsumerSettings { max_in_flight_records: LIMIT, ..settings.consumer };
        let gate = Arc::new(Gate::default());
        let mut consumers = Vec::new();
        for consumer in 0..2 {
            let mut intake = Intake::new("group".into(), settings.clone(), Some(gate.clone()));
            self.runs += 1;
            intake.run = self.runs;
            for partition in [consumer, consumer + 2] {
                self.begin(&intake, partition);
            }
            consumers.push(Arc::new(intake));
        }
        Process { consumers, out: Vec::new(), stored: BTreeMap::new() }
    }

    fn begin(&mut self, intake: &Intake, partition: i32) {
        let (position, found) = self.committed.get(&partition).copied().unwrap_or((0, None));
        let end = offset(RECORDS);
        let mut watch = Watch::begin(found, intake.run, position, end, LIMIT);
        let mark = (position < end).then(|| watch.running());
        watch.written(mark);
        self.committed.insert(partition, (position, mark));
        intake.lock().begin(place(partition), position, end, watch);
    }

    fn commit(&mut self, commit: &Commit) {
        let partition = commit.place.1;
        let (before, _) = self.committed[&partition];
        assert!(commit.position >= before, "{commit:?} goes back from {before}");
        self.committed.insert(partition, (commit.position, commit.mark));
    }

    /// The record that a mark names as out.
    fn on_trial(&self) -> Option<At> {
        self.committed.iter().find_map(|(partition, (_, mark))| match mark.as_ref()?.record? {
            Charge::Trial(suspect) => Some((*partition, suspect.offset)),
            Charge::Suspected(_) | Charge::Culprit(_) => None,
        })
    }

    fn finished(&self) -> bool {
        (0..PARTITIONS).all(|partition| {
            self.committed.get(&partition).is_some_and(|(position, _)| *position > offset(RECORDS - 1))
        })
    }
}

impl Process {
    fn of(&self, partition: i32) -> Arc<Intake> {
        self.consumers[(partition % 2) as usize].clone()
    }

    /// The client gives the next record of a partition.
    fn fetch(&self, partition: i32) {
        let intake = self.of(partition);
        let mut state = intake.lock();
        let Some(part) = state.parts.get(&place(partition)) else { return };
        let next = (part.next + 1) / 2;
        if next < RECORDS && intake.admit(&mut state) {
            let at = Coordinates { log: "log".into(), topic: "topic".into(), partition, offset: offset(next) };
            let payload = Some(Bytes::from_static(b"x"));
            let content = Content { key: None, payload, headers: Headers::default(), produced_at_ms: 0 };
            intake.take(&mut state, at, content);
        }
    }

    /// One round of a poll thread.
    fn poll(&mut self, world: &mut World, consumer: usize) {
        let intake = self.consumers[consumer].clone();
        let mut state = intake.lock();
        let failed: Vec<TopicPartition> =
            state.parts.iter().filter(|(_, part)| part.failed).map(|(place, _)| place.clone()).collect();
        for place in failed {
            state.go_back(&place, &intake.settings);
            state.parts.get_mut(&place).unwrap().retry_at = None;
        }
        let (moved, first) = state.progress();
        self.stored.extend(moved.into_iter().map(|(place, position)| (place.1, position)));
        drop(state);
        if first {
            self.interval(world);
        }
        loop {
            let mut state = intake.lock();
            let Step::Commit(commit) = intake.step(&mut state) else { return };
            world.commit(&commit);
            intake.committed(&mut state, commit);
        }
    }

    /// What is stored is committed.
    fn interval(&mut self, world: &mut World) {
        for (partition, position) in std::mem::take(&mut self.stored) {
            world.committed.insert(partition, (position, None));
        }
    }

    fn hand_out(&mut self, world: &mut World, consumer: usize) {
        let intake = &self.consumers[consumer];
        let records = intake.hand_out(&mut intake.lock()).unwrap();
        for record in &records {
            let at = (record.coordinates.partition, record.coordinates.offset);
            if record.culprit.is_some() {
                assert!(world.poison.contains(&at), "{at:?} is innocent");
                world.refused.insert(at);
            }
        }
        self.out.extend(records);
        if world.on_trial().is_some() {
            let named = self.out.iter().filter(|record| record.culprit.is_none()).count();
            assert!(named <= 1, "something is out beside a record on trial");
        }
    }

    /// One of the records that are out is worked on.
    fn work(&mut self, world: &mut World, which: usize, well: bool) -> Result<(), Ended> {
        if self.out.is_empty() {
            return Ok(());
        }
        let record = self.out.swap_remove(which % self.out.len());
        let at = (record.coordinates.partition, record.coordinates.offset);
        if world.poison.contains(&at) && record.culprit.is_none() {
            return Err(Ended);
        }
        if well {
            world.done.insert(at);
            record.ack.complete();
        } else {
            record.ack.fail(&Error::Full);
        }
        Ok(())
    }

    /// These partitions are given up in good order, with whatever is out.
    fn give_up(&mut self, world: &mut World, partitions: &[i32]) {
        for consumer in 0..self.consumers.len() {
            let intake = self.consumers[consumer].clone();
            let gone = |place: &TopicPartition| partitions.contains(&place.1);
            let mut state = intake.lock();
            state.discard(gone);
            let (moved, _) = state.progress();
            self.stored.extend(moved.into_iter().map(|(place, position)| (place.1, position)));
            drop(state);
            self.interval(world);
            let mut state = intake.lock();
            for commit in state.settled(gone) {
                world.commit(&commit);
                intake.committed(&mut state, commit);
            }
            assert_eq!(state.settled(gone), [], "settled twice");
            state.parts.retain(|place, _| !gone(place));
        }
    }
}

#[derive(Debug, Clone)]
enum Event {
    Fetch(i32),
    Poll(usize),
    HandOut(usize),
    Work(usize),
    Fail(usize),
    Interval,
    /// It goes to another and comes back.
    Rebalance(i32),
    /// It goes to another without a word and comes back to the same process.
    Lose(i32),
    Close,
    Kill,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..PARTITIONS).prop_map(Event::Fetch),
        12 => (0..2usize).prop_map(Event::Poll),
        8 => (0..2usize).prop_map(Event::HandOut),
        12 => any::<usize>().prop_map(Event::Work),
        1 => any::<usize>().prop_map(Event::Fail),
        2 => Just(Event::Interval),
        1 => (0..PARTITIONS).prop_map(Event::Rebalance),
        1 => (0..PARTITIONS).prop_map(Event::Lose),
        1 => Just(Event::Close),
        2 => Just(Event::Kill),
    ]
}

fn happen(world: &mut World, process: &mut Process, event: Event) -> Result<(), Ended> {
    match event {
        Event::Fetch(partition) => process.fetch(partition),
        Event::Poll(consumer) => process.poll(world, consumer),
        Event::HandOut(consumer) => process.hand_out(world, consumer),
        Event::Work(which) => return process.work(world, which, true),
        Event::Fail(which) => return process.work(world, which, false),
        Event::Interval => process.interval(world),
        Event::Rebalance(partition) => {
            process.give_up(world, &[partition]);
            process.stored.remove(&partition);
            let intake = process.of(partition);
            world.begin(&intake, partition);
        }
        Event::Lose(partition) => {
            let intake = process.of(partition);
            intake.lock().discard(|place| place.1 == partition);
            intake.lock().parts.remove(&place(partition));
            process.stored.remove(&partition);
            world.begin(&intake, partition);
        }
        Event::Close => {
            process.give_up(world, &(0..PARTITIONS).collect::<Vec<_>>());
            *process = world.start();
        }
        // An end from outside, while one record is out alone, cannot be told from an end by that record: so often is it
        // forgiven.
        Event::Kill => {
            if let Some(record) = world.on_trial() {
                let forgiven = world.killed.entry(record).or_default();
                if *forgiven + 1 == ENDS_ON_TRIAL {
                    return Ok(());
                }
                *forgiven += 1;
            }
            *process = world.start();
        }
    }
    Ok(())
}

/// Goes on without faults until all is done.
fn finish(world: &mut World, process: &mut Process) {
    let most = 10 * (world.poison.len() + 1);
    let mut idle = 0;
    while !world.finished() {
        let mut round = || {
            for partition in 0..PARTITIONS {
                for _ in 0..LIMIT {
                    process.fetch(partition);
                }
            }
            for consumer in 0..2 {
                process.poll(world, consumer);
                process.hand_out(world, consumer);
            }
            while !process.out.is_empty() {
                process.work(world, 0, true)?;
            }
            for consumer in 0..2 {
                process.poll(world, consumer);
            }
            process.interval(world);
            Ok(())
        };
        if let Err(Ended) = round() {
            world.ends += 1;
            assert!(world.ends <= most, "the process ended {} times for {:?}", world.ends, world.poison);
            *process = world.start();
        }
        idle += 1;
        assert!(idle < 1000, "nothing goes on: {:?}", world.committed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn only_what_ends_the_process_is_refused_and_everything_else_is_done(
        poison in prop::collection::btree_set((0..PARTITIONS, 0..RECORDS), 0..4),
        events in prop::collection::vec(event(), 0..400),
    ) {
        let mut world = World {
            poison: poison.into_iter().map(|(partition, number)| (partition, offset(number))).collect(),
            ..World::default()
        };
        let mut process = world.start();
        for event in events {
            if let Err(Ended) = happen(&mut world, &mut process, event) {
                process = world.start();
            }
        }
        finish(&mut world, &mut process);
        prop_assert_eq!(&world.refused, &world.poison);
        prop_assert_eq!(world.done.len() as i64, i64::from(PARTITIONS) * RECORDS);
    }
}

#[test]
fn a_culprit_is_found_at_the_sixth_start_at_its_offset() {
    for number in 0..RECORDS {
        let mut world = World { poison: BTreeSet::from([(1, offset(number))]), ..World::default() };
        let mut process = world.start();
        finish(&mut world, &mut process);
        assert_eq!(world.refused, world.poison);
        // A run that had done something before it met the record leaves no mark: its end does not count.
        let progress = usize::from(number >= LIMIT as i64);
        assert_eq!(world.ends, (ENDS_BEFORE_TRIAL + ENDS_ON_TRIAL) as usize + progress, "record {number}");
    }
}

/// The consumer is dropped first, and then the record that is out. Its thread may look between the two.
#[test]
fn who_is_dropped_does_not_take_back_the_name_of_the_record_on_trial() {
    let mut world = World::default();
    world.committed.insert(0, (0, Some(Mark { ended: ENDS_BEFORE_TRIAL, run: Some(99), record: None })));
    let mut process = world.start();
    process.fetch(0);
    process.poll(&mut world, 0);
    process.hand_out(&mut world, 0);
    assert_eq!((world.on_trial(), process.out.len()), (Some((0, 0)), 1));
    process.consumers[0].close(std::time::Instant::now(), false);
    process.out.clear();
    process.poll(&mut world, 0);
    assert_eq!(world.on_trial(), Some((0, 0)));
}
