use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Room, Slot, Taken};

/// Long enough for what is there at once, also on a busy machine.
const SOON: Duration = Duration::from_secs(10);
/// For what is not to happen.
const A_WHILE: Duration = Duration::from_millis(100);
const FOR_EVER: Duration = Duration::from_secs(3600);

struct Connections {
    room: Arc<Room>,
    tasks: JoinSet<()>,
}

impl Connections {
    fn new(room: usize, grace: Duration) -> Self {
        Self { room: Room::with_grace(room, grace), tasks: JoinSet::new() }
    }

    /// Whether there is room before so much time has passed.
    async fn room_within(&self, within: Duration) -> Option<Taken> {
        timeout(within, self.room.take()).await.ok()
    }

    /// A connection whose client has kept us waiting since this moment.
    async fn connect(&mut self, since: u64) -> Arc<Slot> {
        let taken = self.room_within(SOON).await.expect("there is room");
        let slot = Arc::clone(&taken.slot);
        slot.waiting.store(since, Ordering::Release);
        slot.is_served_by(self.tasks.spawn(async move {
            std::future::pending::<()>().await;
            drop(taken);
        }));
        slot
    }
}

#[tokio::test]
async fn who_waits_for_longest_gives_way() {
    let mut connections = Connections::new(3, Duration::ZERO);
    let [first, second, third] =
        [connections.connect(3).await, connections.connect(1).await, connections.connect(2).await];
    // The longest of all, but what it asks for is here.
    assert!(second.works());
    let next = connections.room_within(SOON).await.expect("somebody gives way");
    assert!(!third.works(), "it asks too late");
    third.waits();
    assert!(!third.works(), "and has given way for good");
    assert!(first.works() && second.works(), "nobody else has");
    assert!(connections.tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
    drop(next);
    assert!(connections.room_within(SOON).await.is_some(), "a place that was left is there for the next");
}

#[tokio::test]
async fn who_came_just_now_is_given_time() {
    let mut connections = Connections::new(1, FOR_EVER);
    let slot = connections.connect(1).await;
    assert!(connections.room_within(A_WHILE).await.is_none());
    assert!(slot.works());
}

#[tokio::test]
async fn who_is_served_never_gives_way() {
    let mut connections = Connections::new(2, Duration::ZERO);
    let [first, second] = [connections.connect(1).await, connections.connect(2).await];
    assert!(first.works() && second.works());
    assert!(connections.room_within(A_WHILE).await.is_none());
    // The answer was sent: now it is the client that is waited for.
    second.waits();
    assert!(connections.room_within(SOON).await.is_some());
    assert!(first.works() && !second.works());
}

#[tokio::test]
async fn asking_for_a_place_and_going_away_takes_none() {
    let mut connections = Connections::new(1, Duration::ZERO);
    let slot = connections.connect(1).await;
    assert!(slot.works());
    for _ in 0..10 {
        assert!(connections.room_within(Duration::from_millis(1)).await.is_none());
    }
    connections.tasks.abort_all();
    while connections.tasks.join_next().await.is_some() {}
    assert!(connections.room_within(SOON).await.is_some());
    assert!(connections.room.lock().is_empty());
}
