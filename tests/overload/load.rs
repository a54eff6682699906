//! Load: closed (each connection sends when it was answered) to find out what the door can do, open (at a rate, whatever
//! the door says) to offer more than that.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::{Answer, Connection};
use crate::stock::{Prepared, Stock};
use crate::system::lock;

/// Longer than the door takes for any answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A delivery that the door thanked for.
#[derive(Debug)]
pub(crate) struct Thanked {
    pub(crate) delivery_id: String,
    pub(crate) prepared: Arc<Prepared>,
}

/// What was offered, and what came back.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were to be sent, and that were sent.
    pub(crate) planned: u64,
    pub(crate) offered: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
    pub(crate) accepted: u64,
    /// 429 and 503 that say when to come again.
    pub(crate) shed: u64,
    /// Anything else that is an answer: the status, and whether it says when to come again.
    pub(crate) other: BTreeMap<String, u64>,
    /// Connections that were not opened, and those that ended before the answer.
    pub(crate) not_connected: u64,
    pub(crate) cut_off: u64,
    /// From the first byte of a request to the last of its answer.
    pub(crate) accepted_took: Vec<Duration>,
    pub(crate) shed_took: Vec<Duration>,
    /// The latest that a request was sent after its time.
    pub(crate) latest: Duration,
    pub(crate) lasted: Duration,
}

impl Tally {
    pub(crate) fn accepted_per_second(&self) -> f64 {
        self.accepted as f64 / self.lasted.as_secs_f64().max(0.001)
    }

    pub(crate) fn offered_per_second(&self) -> f64 {
        self.offered as f64 / self.lasted.as_secs_f64().max(0.001)
    }

    fn add(&mut self, other: Self) {
        self.offered += other.offered;
        self.bytes += other.bytes;
        self.accepted += other.accepted;
        self.shed += other.shed;
        for (what, count) in other.other {
            *self.other.entry(what).or_default() += count;
        }
        self.not_connected += other.not_connected;
        self.cut_off += other.cut_off;
        self.accepted_took.extend(other.accepted_took);
        self.shed_took.extend(other.shed_took);
        self.latest = self.latest.max(other.latest);
    }
}

/// The time below which so great a part of them stays.
pub(crate) fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let at = (times.len().saturating_sub(1) as f64 * part).round() as usize;
    times.get(at).copied().unwrap_or_default()
}

/// Who sends.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) door: SocketAddr,
    pub(crate) stock: Arc<Stock>,
    pub(crate) thanked: Arc<Mutex<Vec<Thanked>>>,
}

/// When requests are sent.
#[derive(Debug)]
struct Schedule {
    began: Instant,
    ends: Instant,
    /// None: at once.
    per_second: Option<f64>,
    next: AtomicU64,
}

impl Schedule {
    /// When the next one is due; none: there is no other.
    fn next(&self) -> Option<Instant> {
        let Some(rate) = self.per_second else {
            let now = Instant::now();
            return (now < self.ends).then_some(now);
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.began + Duration::from_secs_f64(number as f64 / rate);
        // Who is behind at the end does not go on.
        (due < self.ends && Instant::now() < self.ends).then_some(due)
    }
}

impl Load {
    /// As much as so many connections can, each with one request at a time.
    pub(crate) async fn closed(&self, connections: usize, lasts: Duration) -> Tally {
        self.run(connections, lasts, None).await
    }

    /// So many requests a second, over whichever connection is free.
    pub(crate) async fn open(&self, connections: usize, lasts: Duration, per_second: f64) -> Tally {
        let mut tally = self.run(connections, lasts, Some(per_second)).await;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let planned = (per_second * lasts.as_secs_f64()) as u64;
        tally.planned = planned;
        tally
    }

    async fn run(&self, connections: usize, lasts: Duration, per_second: Option<f64>) -> Tally {
        let began = Instant::now();
        let schedule = Arc::new(Schedule { began, ends: began + lasts, per_second, next: AtomicU64::new(0) });
        let mut workers = JoinSet::new();
        for _ in 0..connections {
            let (load, schedule) = (self.clone(), Arc::clone(&schedule));
            workers.spawn(async move { load.work(&schedule).await });
        }
        let mut tally = Tally::default();
        while let Some(worked) = workers.join_next().await {
            tally.add(worked.unwrap_or_default());
        }
        // The last answers come after it; they belong to what was sent within.
        tally.lasted = lasts;
        tally
    }

    async fn work(&self, schedule: &Schedule) -> Tally {
        let (mut tally, mut connection) = (Tally::default(), None);
        while let Some(due) = schedule.next() {
            if schedule.per_second.is_some() {
                sleep_until(due).await;
            }
            let Some(prepared) = self.stock.take() else {
                *tally.other.entry("nothing left to send".to_owned()).or_default() += 1;
                break;
            };
            let began = Instant::now();
            tally.latest = tally.latest.max(began.duration_since(due));
            let mut open = match connection.take() {
                Some(open) => open,
                None => match timeout(PATIENCE, Connection::open(self.door)).await {
                    Ok(Ok(open)) => open,
                    _ => {
                        tally.not_connected += 1;
                        self.stock.give_back(prepared);
                        continue;
                    }
                },
            };
            (tally.offered, tally.bytes) = (tally.offered + 1, tally.bytes + prepared.body_bytes as u64);
            match timeout(PATIENCE, open.exchange(&prepared.request)).await {
                Ok(Ok(answer)) => {
                    if !answer.closes {
                        connection = Some(open);
                    }
                    self.count(&mut tally, answer, prepared, began.elapsed());
                }
                // It may have been taken or not: it is not sent again, and nothing is expected of it.
                _ => tally.cut_off += 1,
            }
        }
        tally
    }

    fn count(&self, tally: &mut Tally, answer: Answer, prepared: Arc<Prepared>, took: Duration) {
        match (answer.status, answer.retry_after) {
            (200, _) => {
                let Some(delivery_id) = answer.delivery_id() else {
                    *tally.other.entry("200 without an id".to_owned()).or_default() += 1;
                    return;
                };
                tally.accepted += 1;
                tally.accepted_took.push(took);
                lock(&self.thanked).push(Thanked { delivery_id, prepared });
            }
            (429 | 503, true) => {
                tally.shed += 1;
                tally.shed_took.push(took);
                self.stock.give_back(prepared);
            }
            (status, retry_after) => {
                let after = if retry_after { "" } else { " without Retry-After" };
                *tally.other.entry(format!("{status}{after}")).or_default() += 1;
            }
        }
    }
}
