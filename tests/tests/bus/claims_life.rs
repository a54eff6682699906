//! How long claims last, and what is told when they did not: in each store by the clock that it goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bus::settings::{ClaimsStore, SecretUrl};
use bus::{Bus, Claim, Claims, ClaimsState, Clock, Coordinates, Verdict};
use common::identity::Id;
use weir_tests::redis::{Options, Redis};

use crate::support::within;

const STAGE: &str = "processing";
const DAY: u64 = 24 * 3600;
const TTL: u64 = 8 * DAY;

fn at(offset: i64) -> Coordinates {
    Coordinates { log: "log.1".into(), topic: "raw.meta".into(), partition: 3, offset }
}

fn claim(id: u64, at: &Coordinates) -> Claim<'_> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.to_be_bytes());
    Claim { ce_type: "weir.facebook.v1.Comment", id: Id(bytes), at, index: 0 }
}

fn clock() -> (Arc<AtomicU64>, Clock) {
    let seconds = Arc::new(AtomicU64::new(1_700_000_000));
    let shared = seconds.clone();
    let clock = Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(shared.load(Ordering::SeqCst)));
    (seconds, clock)
}

async fn redis_claims(redis: &Redis, clock: Clock) -> Claims {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = crate::support::defaults();
    settings.data_dir = folder.path().to_owned();
    settings.claims.store = ClaimsStore::Redis;
    settings.claims.url = SecretUrl::new(redis.url());
    settings.claims.timeout_ms = 500;
    let claims = within("the store", Bus::open_with_clock(&settings, clock).unwrap().claims()).await.unwrap();
    claims.restored().await.unwrap();
    claims
}

/// A store, and what lets the time pass for a claim in it: until it has a second left, and until it has none.
enum Passing<'a> {
    Embedded(Arc<AtomicU64>),
    Redis(&'a Redis),
}

impl Passing<'_> {
    fn a_second_is_left(&self) {
        match self {
            Self::Embedded(clock) => _ = clock.fetch_add(TTL - 1, Ordering::SeqCst),
            // An hour: no test takes so long, and nothing else sets this very time.
            Self::Redis(redis) => assert_eq!(number(redis, "redis.call('EXPIREAT', key, now() + 3600)"), 1),
        }
    }

    fn none_is_left(&self) {
        match self {
            Self::Embedded(clock) => _ = clock.fetch_add(1, Ordering::SeqCst),
            Self::Redis(redis) => assert_eq!(number(redis, "redis.call('PEXPIREAT', key, 1)"), 1),
        }
    }
}

/// Runs a script for the one claim that is there.
fn number(redis: &Redis, script: &str) -> i64 {
    let script = format!(
        "local function now() return tonumber(redis.call('TIME')[1]) end \
         for _, key in ipairs(redis.call('KEYS', '*')) do if #key == 16 then return {script} end end return -9"
    );
    redis.ask(&format!("EVAL \"{script}\" 0")).unwrap().trim_start_matches(':').parse().unwrap()
}

/// Known until its time is over, and not longer: what came again has not renewed it.
async fn a_claim_lasts_its_time(claims: &Claims, passing: Passing<'_>) {
    let (here, there) = (at(1), at(2));
    let ask = async |at: &Coordinates| claims.claim(STAGE, &[claim(1, at)]).await.unwrap();
    assert_eq!(ask(&here).await, [Verdict::First]);
    passing.a_second_is_left();
    assert_eq!(ask(&there).await, [Verdict::Duplicate]);
    assert_eq!(ask(&here).await, [Verdict::Again]);
    claims.restore(STAGE, &[("weir.facebook.v1.Comment", claim(1, &here).id, &here)]).await.unwrap();
    if let Passing::Redis(redis) = &passing {
        let left = number(redis, "redis.call('EXPIRETIME', key) - now()");
        assert!((1..=3600).contains(&left), "it was renewed: {left}");
    }
    passing.none_is_left();
    assert_eq!(ask(&there).await, [Verdict::First]);
    assert_eq!(ask(&here).await, [Verdict::Duplicate], "it has a time of its own");
    if let Passing::Redis(redis) = &passing {
        let left = number(redis, "redis.call('TTL', key)");
        assert!((TTL as i64 - 600..=TTL as i64).contains(&left), "{left}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_claims_last_their_time() {
    for in_log in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (seconds, clock) = clock();
        let mut settings = crate::support::defaults();
        settings.data_dir = folder.path().to_owned();
        if in_log {
            settings.kafka.brokers.clear();
        }
        let claims = Bus::open_with_clock(&settings, clock).unwrap().claims().await.unwrap();
        claims.restored().await.unwrap();
        a_claim_lasts_its_time(&claims, Passing::Embedded(seconds)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_claims_last_their_time() {
    let redis = Redis::start(Options::default()).unwrap();
    let claims = redis_claims(&redis, clock().1).await;
    a_claim_lasts_its_time(&claims, Passing::Redis(&redis)).await;
}

/// Those that an older version has written are read, and given back, as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_claims_written_as_text_are_read() {
    let redis = Redis::start(Options::default()).unwrap();
    let claims = redis_claims(&redis, clock().1).await;
    let (here, there) = (at(1), at(2));
    let ask = async |at: &Coordinates| claims.claim(STAGE, &[claim(1, at)]).await.unwrap();
    assert_eq!(ask(&here).await, [Verdict::First]);
    assert_eq!(number(&redis, "redis.call('SET', key, 'log.1/raw.meta/3/1/0', 'KEEPTTL') and 1"), 1);
    assert_eq!((ask(&here).await, ask(&there).await), (vec![Verdict::Again], vec![Verdict::Duplicate]));
    claims.release(STAGE, &claim(1, &there)).await.unwrap();
    assert_eq!(ask(&there).await, [Verdict::Duplicate]);
    claims.release(STAGE, &claim(1, &here)).await.unwrap();
    assert_eq!(ask(&there).await, [Verdict::First]);
}

async fn fill(claims: &Claims, from: u64, count: u64) {
    let here = at(1);
    let batch: Vec<_> = (from..from + count).map(|id| claim(id, &here)).collect();
    claims.claim(STAGE, &batch).await.unwrap();
}

/// A server that throws away what is the next to expire: so the epoch stays, and nobody notices by a refused claim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_throws_claims_away_is_noticed() {
    let arguments = ["--maxmemory", "6mb", "--maxmemory-policy", "volatile-ttl"].map(str::to_owned).to_vec();
    let redis = Redis::start(Options { arguments, ..Options::default() }).unwrap();
    let (seconds, clock) = clock();
    let claims = redis_claims(&redis, clock.clone()).await;
    seconds.fetch_add(10 * DAY, Ordering::SeqCst);
    fill(&claims, 0, 1000).await;
    let before = claims.reach(STAGE).await.unwrap();
    assert_eq!((before.evicted, before.lost(), before.whole.as_secs()), (0, None, TTL));
    assert!(before.risk().unwrap().contains("maxmemory-policy is volatile-ttl"), "{:?}", before.risk());
    // Ten times what it has room for.
    for batch in 1..400 {
        fill(&claims, batch * 1000, 1000).await;
    }
    // From here on nothing more is thrown away.
    redis.ask("CONFIG SET maxmemory 600mb").unwrap();
    let after = claims.reach(STAGE).await.unwrap();
    assert!(after.evicted > 100_000, "{after:?}");
    assert_eq!(after.whole, Duration::ZERO);
    assert!(after.lost().unwrap().contains("maxmemory-policy noeviction"), "{after:?}");
    assert!(after.oldest.is_some_and(|oldest| oldest < Duration::from_secs(600)), "{after:?}");

    // Another instance, or the same after a restart, knows since when it has not happened again.
    seconds.fetch_add(2 * DAY, Ordering::SeqCst);
    let other = redis_claims(&redis, clock).await;
    let known = other.reach(STAGE).await.unwrap();
    assert_eq!((known.whole.as_secs(), known.evicted), (2 * DAY, after.evicted));
    assert!(known.lost().unwrap().contains("the last 2.0 days ago"), "{known:?}");
    // Until all that may be missing would have expired.
    seconds.fetch_add(6 * DAY, Ordering::SeqCst);
    let last = claims.reach(STAGE).await.unwrap();
    assert_eq!((last.lost(), last.whole.as_secs()), (None, TTL));
}

/// With `noeviction` a server that is full takes no claim: the stage waits and says why, and nothing is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_is_full_is_waited_for() {
    let arguments = ["--maxmemory", "6mb"].map(str::to_owned).to_vec();
    let redis = Redis::start(Options { arguments, ..Options::default() }).unwrap();
    let claims = redis_claims(&redis, clock().1).await;
    let mut batch = 0;
    while tokio::time::timeout(Duration::from_secs(2), fill(&claims, batch * 1000, 1000)).await.is_ok() {
        batch += 1;
        assert!(batch < 1000, "a million claims in 6 MB");
    }
    let ClaimsState::Away { reason } = claims.state() else { panic!("{:?}", claims.state()) };
    assert!(reason.contains("maxmemory"), "{reason}");
    let full = claims.reach(STAGE).await.unwrap();
    assert_eq!((full.evicted, full.lost()), (0, None));
    assert!(full.risk().unwrap().contains("of the store's memory is in use"), "{full:?}");
    redis.ask("CONFIG SET maxmemory 600mb").unwrap();
    within("the store", fill(&claims, batch * 1000, 1000)).await;
    assert_eq!(claims.state(), ClaimsState::Ready);
    let there = at(2);
    assert_eq!(claims.claim(STAGE, &[claim(0, &there)]).await.unwrap(), [Verdict::Duplicate], "the first is there");
}
