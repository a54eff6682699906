//! A group that is shared out: by a member that has died, or before there is anything to share.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bus::{Membership, Record};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use weir_tests::wait;

use crate::support::{GROUP, LIMIT, Log, TOPIC, consumer, numbered, prepare, take_all, until, within};

/// As much of a member as joins: the first of a group, which is to share it out, and does not.
struct Dead {
    broker: TcpStream,
    group: String,
    id: String,
}

impl Dead {
    fn new(log: &Log) -> Self {
        let broker = TcpStream::connect(log.bootstrap()).unwrap();
        broker.set_read_timeout(Some(LIMIT)).unwrap();
        Self { broker, group: log.full_name(GROUP), id: String::new() }
    }

    /// `JoinGroup` 2, and how many members there are.
    fn join(&mut self) -> u32 {
        let mut request = vec![0, 11, 0, 2, 0, 0, 0, 0];
        text(&mut request, "dead");
        text(&mut request, &self.group);
        request.extend(6000_u32.to_be_bytes());
        request.extend(30_000_u32.to_be_bytes());
        text(&mut request, &self.id);
        text(&mut request, "consumer");
        request.extend(1_u32.to_be_bytes());
        text(&mut request, "cooperative-sticky");
        // It wants no topics and says nothing of itself.
        let wants = [0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        request.extend(u32::try_from(wants.len()).unwrap().to_be_bytes());
        request.extend(wants);
        self.broker.write_all(&[&u32::try_from(request.len()).unwrap().to_be_bytes()[..], &request].concat()).unwrap();

        let mut size = [0; 4];
        self.broker.read_exact(&mut size).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.broker.read_exact(&mut answer).unwrap();
        // After the number of the answer and a time.
        let mut answer = Answer(&answer[8..]);
        assert_eq!(answer.take(2), [0, 0], "it could not join");
        let _generation = answer.take(4);
        assert_eq!(answer.text(), "cooperative-sticky");
        let leader = answer.text();
        self.id = answer.text();
        assert_eq!(leader, self.id, "another one shares out");
        u32::from_be_bytes(answer.take(4).try_into().unwrap())
    }
}

struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
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

/// librdkafka tells nobody that it leaves while it waits for its part.
pub(crate) async fn who_closes_while_the_group_is_shared_out_is_not_waited_for(log: &Log) {
    let bus = log.with_topic(2, |_| {}).await;
    // Then the broker keeps groups.
    assert_eq!(bus.group_offset(GROUP, TOPIC, 0).await.unwrap(), None);
    let mut dead = Dead::new(log);
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

/// Its group was shared out without that topic.
pub(crate) async fn who_was_there_before_its_topic_gets_it(log: &Log) {
    const LATER: &str = "later";
    let bus = log.with_topic(1, |_| {}).await;
    let mut consumer = bus.consumer(GROUP, &[TOPIC.to_owned(), LATER.to_owned()]).unwrap();
    let state = consumer.state();
    until("a share", || async { state.standing(Instant::now()).membership == Membership::Member }).await;
    prepare(&bus, &[LATER]).await;
    let producer = bus.producer().unwrap();
    for number in 0..10 {
        let record = Record { topic: LATER.into(), ..numbered("key", number) };
        producer.try_send(record).unwrap().await.unwrap();
    }
    assert_eq!(take_all(&mut consumer, (0..10).collect()).await, 10);
}
