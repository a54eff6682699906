//! Clients that hold connections and send next to nothing: what makes a server stand still that waits for each of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::Connection;
use crate::stock::Prepared;
use crate::system::lock;

/// Between two bytes.
const DRIP: Duration = Duration::from_millis(100);
/// A connection that is open for longer is never closed.
const FOR_EVER: Duration = Duration::from_secs(60);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: weir.test\r\n\r\n";

/// What such a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Manner {
    /// The head of a request, byte by byte.
    Head,
    /// A whole head, and the body byte by byte.
    Body,
    /// Connects and says nothing, and does not go either: what is left of a client whose machine has gone.
    Silent,
    /// Half a body, and then nothing.
    HalfABody,
    /// One request and its answer, then nothing.
    Idle,
}

impl Manner {
    pub(crate) const ALL: [Self; 5] = [Self::Head, Self::Body, Self::Silent, Self::HalfABody, Self::Idle];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Head => "head byte by byte",
            Self::Body => "body byte by byte",
            Self::Silent => "sends nothing",
            Self::HalfABody => "half a body",
            Self::Idle => "idle after a request",
        }
    }
}

/// What became of the connections of one manner.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) opened: u64,
    pub(crate) closed_by_door: u64,
    /// The longest time until the door closed one.
    pub(crate) longest: Duration,
}

/// Connections that are held until it is dropped; each that the door closes is opened again.
#[derive(Debug)]
pub(crate) struct Slow {
    held: Arc<Mutex<BTreeMap<Manner, Held>>>,
    _clients: JoinSet<()>,
}

impl Slow {
    /// So many connections, in all manners. `again`: whether one that was closed is opened anew.
    pub(crate) fn hold(door: SocketAddr, count: usize, request: &Arc<Prepared>, again: bool) -> Self {
        let held = Arc::<Mutex<BTreeMap<Manner, Held>>>::default();
        let mut clients = JoinSet::new();
        for number in 0..count {
            let manner = Manner::ALL[number % Manner::ALL.len()];
            let (held, request) = (Arc::clone(&held), Arc::clone(request));
            clients.spawn(async move {
                loop {
                    if let Ok(connection) = Connection::open(door).await {
                        lock(&held).entry(manner).or_default().opened += 1;
                        let began = Instant::now();
                        let closed = timeout(FOR_EVER, behave(manner, connection, &request)).await;
                        let mut held = lock(&held);
                        let held = held.entry(manner).or_default();
                        held.closed_by_door += u64::from(closed.is_ok());
                        held.longest = held.longest.max(began.elapsed());
                    }
                    if !again {
                        return;
                    }
                    sleep(DRIP).await;
                }
            });
        }
        Self { held, _clients: clients }
    }

    pub(crate) fn held(&self) -> BTreeMap<Manner, Held> {
        lock(&self.held).clone()
    }

    /// Connections that were opened and are not closed.
    pub(crate) fn open(&self) -> u64 {
        self.held().values().map(|held| held.opened - held.closed_by_door).sum()
    }
}

/// Until the door closes the connection.
async fn behave(manner: Manner, mut connection: Connection, prepared: &Prepared) {
    let request = &prepared.request;
    let body = request.len() - prepared.body_bytes;
    let sent = match manner {
        Manner::Head => return drip(&mut connection, &request[..body]).await,
        Manner::Body => match connection.write(&request[..body]).await {
            Ok(()) => return drip(&mut connection, &request[body..]).await,
            Err(error) => Err(error),
        },
        Manner::Silent => Ok(()),
        Manner::HalfABody => connection.write(&request[..body + prepared.body_bytes / 2]).await,
        Manner::Idle => connection.exchange(REQUEST).await.map(drop),
    };
    if sent.is_ok() {
        connection.closed().await;
    }
}

async fn drip(connection: &mut Connection, bytes: &[u8]) {
    for byte in bytes {
        if connection.write(std::slice::from_ref(byte)).await.is_err()
            || timeout(DRIP, connection.closed()).await.is_ok()
        {
            return;
        }
    }
}
