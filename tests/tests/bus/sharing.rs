//! A group that is shared out: by a member that has died, or is careless, or of another program.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bus::{Bus, Membership};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use weir_tests::wait;

use crate::support::{GROUP, LIMIT, Log, TOPIC, consumer, produce, take_all, until, within};

/// As much of a member of another program as joins a group first, and is to share it out.
struct Leader {
    broker: TcpStream,
    group: String,
    /// After so many milliseconds without a word the group gives it up.
    session: u32,
    id: String,
    generation: u32,
    /// All that have joined, itself too.
    members: Vec<String>,
}

impl Leader {
    fn new(log: &Log, session: u32) -> Self {
        let broker = TcpStream::connect(log.bootstrap()).unwrap();
        broker.set_read_timeout(Some(LIMIT)).unwrap();
        let (group, id) = (log.full_name(GROUP), String::new());
        Self { broker, group, session, id, generation: 0, members: Vec::new() }
    }

    /// The answer to a request, after its number.
    fn ask(&mut self, kind: u8, version: u8, body: &[u8]) -> Vec<u8> {
        let mut request = vec![0, kind, 0, version, 0, 0, 0, 0];
        text(&mut request, "leader");
        request.extend(body);
        self.broker.write_all(&sized(&request)).unwrap();
        let mut size = [0; 4];
        self.broker.read_exact(&mut size).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.broker.read_exact(&mut answer).unwrap();
        answer.split_off(4)
    }

    /// `JoinGroup` 2, which is answered when all have joined. How many there are.
    fn join(&mut self) -> usize {
        let mut request = Vec::new();
        text(&mut request, &self.group);
        request.extend(self.session.to_be_bytes());
        request.extend(30_000_u32.to_be_bytes());
        text(&mut request, &self.id);
        text(&mut request, "consumer");
        request.extend(1_u32.to_be_bytes());
        text(&mut request, "cooperative-sticky");
        // It wants no topics and says nothing of itself.
        request.extend(sized(&[0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
        let answer = self.ask(11, 2, &request);
        // After a time.
        let mut answer = Answer(&answer[4..]);
        assert_eq!(answer.error(), 0, "it could not join");
        self.generation = answer.number();
        assert_eq!(answer.text(), "cooperative-sticky");
        let leader = answer.text();
        self.id = answer.text();
        assert_eq!(leader, self.id, "another one shares out");
        self.members.clear();
        for _ in 0..answer.number() {
            self.members.push(answer.text());
            // What it says of itself.
            let size = answer.number();
            answer.take(size as usize);
        }
        self.members.len()
    }

    /// `SyncGroup` 1: who gets which partitions of a topic; the others get nothing. False: somebody else has joined meanwhile.
    fn share(&mut self, shares: &[(&str, &str, &[u32])]) -> bool {
        let mut request = self.place();
        request.extend(u32::try_from(shares.len()).unwrap().to_be_bytes());
        for (member, topic, partitions) in shares {
            text(&mut request, member);
            let mut share = vec![0, 1, 0, 0, 0, 1];
            text(&mut share, topic);
            share.extend(u32::try_from(partitions.len()).unwrap().to_be_bytes());
            partitions.iter().for_each(|partition| share.extend(partition.to_be_bytes()));
            share.extend([0xff; 4]);
            request.extend(sized(&share));
        }
        let answer = self.ask(14, 1, &request);
        self.is_shared_out(&answer)
    }

    /// `Heartbeat` 1. False: somebody has joined or left, and all have to join again.
    fn lives(&mut self) -> bool {
        let request = self.place();
        let answer = self.ask(12, 1, &request);
        self.is_shared_out(&answer)
    }

    /// Its group, generation and id, with which requests begin.
    fn place(&self) -> Vec<u8> {
        let mut place = Vec::new();
        text(&mut place, &self.group);
        place.extend(self.generation.to_be_bytes());
        text(&mut place, &self.id);
        place
    }

    fn is_shared_out(&self, answer: &[u8]) -> bool {
        match Answer(&answer[4..]).error() {
            0 => true,
            27 => false,
            error => panic!("error {error} for {}", self.id),
        }
    }

    /// Shares the group out if it has to be, and another member is in it. Who gets which partition of the topic is for `shares` to
    /// say, from its own id and the other's.
    fn decides(&mut self, topic: &str, shares: impl Fn(&str, &str) -> Option<(String, u32)>) -> bool {
        if self.lives() {
            return false;
        }
        self.join();
        let other = self.members.iter().find(|member| **member != self.id).cloned();
        let share = other.as_ref().and_then(|other| shares(&self.id, other));
        let shares: Vec<(&str, &str, &[u32])> =
            share.iter().map(|(member, partition)| (&**member, topic, std::slice::from_ref(partition))).collect();
        self.share(&shares) && other.is_some()
    }
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn error(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let size = u16::from_be_bytes(self.take(2).try_into().unwrap());
        String::from_utf8(self.take(size.into()).to_vec()).unwrap()
    }
}

fn text(request: &mut Vec<u8>, text: &str) {
    request.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    request.extend(text.as_bytes());
}

/// A broker that has just started refuses to at first.
async fn keeps_groups(bus: &Bus) {
    until("a broker that keeps groups", || async { bus.group_offset(GROUP, TOPIC, 0).await.is_ok() }).await;
}

/// librdkafka tells nobody that it leaves while it waits for its part.
pub(crate) async fn who_closes_while_the_group_is_shared_out_is_not_waited_for(log: &Log) {
    let bus = log.with_topic(2, |_| {}).await;
    keeps_groups(&bus).await;
    let mut dead = Leader::new(log, 6000);
    assert_eq!(dead.join(), 1);
    let member = consumer(&bus);
    let shares_out = tokio::task::spawn_blocking(move || {
        // Both have joined, and the other one waits for its part.
        wait::until("the other member", LIMIT, || Ok((dead.join() == 2).then_some(()))).unwrap();
        dead
    });
    let _dead = within("the other member", shares_out).await.unwrap();
    // The session of the one that is dead, and a busy machine.
    member.close(Duration::from_secs(30)).await.unwrap();

    let (group, bootstrap) = (log.full_name(GROUP), log.bootstrap().to_owned());
    let ask = move || {
        let asking: BaseConsumer = ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
        let groups = asking.fetch_group_list(Some(&group), LIMIT).unwrap();
        let members = groups.groups().iter().flat_map(|group| group.members());
        members.map(|member| member.id().to_owned()).collect::<Vec<_>>()
    };
    let members = tokio::task::spawn_blocking(ask).await.unwrap();
    assert_eq!(members, [""; 0], "whoever joins next waits for them");
}

/// The first of a group, which has shared it out among nobody else.
async fn leader(log: &Log, bus: &Bus) -> Leader {
    keeps_groups(bus).await;
    let mut leader = Leader::new(log, 60_000);
    assert_eq!(leader.join(), 1);
    assert!(leader.share(&[]));
    leader
}

/// Who shares a group out may forget a partition, and does not look again. Who only takes its old place in the group, by its name,
/// gets what it had there, which is nothing.
pub(crate) async fn who_was_given_nothing_makes_the_group_decide_again(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..10).await;
    let (mut leader, topic) = (leader(log, &bus).await, log.full_name(TOPIC));
    let mut consumer = consumer(&bus);
    let shares_out = tokio::task::spawn_blocking(move || {
        let nothing = |_: &str, _: &str| None;
        wait::until("the other member", LIMIT, || Ok(leader.decides(&topic, nothing).then_some(()))).unwrap();
        let all = |_: &str, other: &str| Some((other.to_owned(), 0));
        wait::until("the group decides again", LIMIT, || Ok(leader.decides(&topic, all).then_some(()))).unwrap();
        leader
    });
    let _leader = shares_out.await.unwrap();
    let told = within("why the consumer began anew", consumer.next()).await.unwrap_err().to_string();
    assert!(told.contains("is assigned to no member of the group"), "{told}");
    assert!(told.contains("a client of another program (leader at "), "{told}");
    assert_eq!(take_all(&mut consumer, (0..10).collect()).await, 10);
}

/// What it has is not with nobody, and Weir does not do it.
pub(crate) async fn a_client_of_another_program_is_named(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let (mut leader, topic) = (leader(log, &bus).await, log.full_name(TOPIC));
    let consumer = consumer(&bus);
    let state = consumer.state();
    let shares_out = tokio::task::spawn_blocking(move || {
        let own = |own: &str, _: &str| Some((own.to_owned(), 0));
        wait::until("the other member", LIMIT, || Ok(leader.decides(&topic, own).then_some(()))).unwrap();
        leader
    });
    let _leader = shares_out.await.unwrap();
    until("what it waits for", || async {
        let standing = state.standing(Instant::now());
        assert_ne!(standing.membership, Membership::Spare);
        standing.waits_for().is_some_and(|what| what.contains("a client of another program (leader at "))
    })
    .await;
    assert_eq!(state.total_lag(), None, "how much waits is not known");
}
