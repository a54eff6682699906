//! Claims: the same promises for each store, and what only a store over the network can do.

use std::time::Duration;

use bus::settings::{ClaimsStore, SecretUrl};
use bus::{Bus, Claim, Claims, ClaimsState, Coordinates, Error, Settings, Verdict};
use common::identity::Id;
use weir_tests::redis::{Options, Redis};

use crate::support::within;

const STAGE: &str = "processing";
const TYPE: &str = "weir.facebook.v1.Comment";

fn settings(prefix: &str, folder: &std::path::Path) -> Settings {
    let mut settings = crate::support::defaults();
    settings.topic_prefix = prefix.to_owned();
    settings.data_dir = folder.to_owned();
    settings.claims.timeout_ms = 500;
    settings
}

async fn redis_claims(url: &str, prefix: &str) -> Claims {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(prefix, folder.path());
    settings.claims.store = ClaimsStore::Redis;
    settings.claims.url = SecretUrl::new(url);
    within("the store", Bus::open(&settings).unwrap().claims()).await.unwrap()
}

fn at(offset: i64) -> Coordinates {
    Coordinates { log: "log.1".into(), topic: "raw.meta".into(), partition: 3, offset }
}

fn id(n: u8) -> Id {
    Id([n; 16])
}

/// What is not whole is not taken for whole: not by the instance that opened it, and not by the next.
async fn whole(open: impl AsyncFn() -> Claims) -> Claims {
    let (here, there) = (at(7), at(8));
    let asked = [
        Claim { ce_type: TYPE, id: id(250), at: &there, index: 0 },
        Claim { ce_type: TYPE, id: id(251), at: &there, index: 0 },
    ];
    for attempt in ["nothing is there", "the rebuild was broken off"] {
        let claims = open().await;
        assert!(claims.is_new(), "{attempt}");
        assert_eq!(claims.state(), ClaimsState::Emptied, "{attempt}");
        let refused = claims.claim(STAGE, &asked).await;
        assert!(matches!(refused, Err(Error::ClaimsEmptied { .. })), "{attempt}: {refused:?}");
        let refused = claims.are_claimed(STAGE, &[(TYPE, id(250))]).await;
        assert!(matches!(refused, Err(Error::ClaimsEmptied { .. })), "{attempt}: {refused:?}");
        claims.restore(STAGE, &[(TYPE, id(250), &here)]).await.unwrap();
        let refused = claims.claim(STAGE, &asked).await;
        assert!(matches!(refused, Err(Error::ClaimsEmptied { .. })), "{attempt}: {refused:?}");
    }
    let claims = open().await;
    claims.restore(STAGE, &[]).await.unwrap();
    claims.restore(STAGE, &[(TYPE, id(250), &there)]).await.unwrap();
    claims.restored().await.unwrap();
    // What was restored first stays, and what was refused has left nothing behind.
    assert_eq!(claims.claim(STAGE, &asked).await.unwrap(), [Verdict::Duplicate, Verdict::First]);
    assert_eq!(claims.state(), ClaimsState::Ready);
    drop(claims);

    let claims = open().await;
    assert!(!claims.is_new());
    assert_eq!(claims.state(), ClaimsState::Ready);
    assert_eq!(claims.claim(STAGE, &asked).await.unwrap(), [Verdict::Duplicate, Verdict::Again]);
    claims.restored().await.unwrap();
    assert_eq!(claims.claim(STAGE, &asked).await.unwrap(), [Verdict::Duplicate, Verdict::Again], "said twice");
    claims
}

async fn promises(open: impl AsyncFn() -> Claims) {
    let claims = whole(open).await;
    let (here, there) = (at(7), at(8));
    let claim = |n, at, index| Claim { ce_type: TYPE, id: id(n), at, index };
    let ask = async |asked: &[Claim<'_>]| claims.claim(STAGE, asked).await.unwrap();
    assert_eq!(ask(&[]).await, []);
    assert_eq!(ask(&[claim(1, &here, 0), claim(2, &here, 1)]).await, [Verdict::First, Verdict::First]);
    // After a crash the same record is done again, and its events must go out again.
    assert_eq!(ask(&[claim(1, &here, 0), claim(2, &here, 1)]).await, [Verdict::Again, Verdict::Again]);
    // A redelivery is another record.
    assert_eq!(ask(&[claim(1, &there, 0), claim(3, &there, 1)]).await, [Verdict::Duplicate, Verdict::First]);
    // Twice in one record: the first place has it.
    let twice = [claim(4, &here, 0), claim(4, &here, 1), claim(4, &here, 0)];
    assert_eq!(ask(&twice).await, [Verdict::First, Verdict::Duplicate, Verdict::Again]);
    // Another stage and another type are other claims.
    assert_eq!(claims.claim("enricher", &[claim(1, &there, 0)]).await.unwrap(), [Verdict::First]);
    let other = Claim { ce_type: "weir.facebook.v1.Post", ..claim(1, &there, 0) };
    assert_eq!(ask(&[other]).await, [Verdict::First]);

    // To look is not to claim.
    let looked = [(TYPE, id(1)), (TYPE, id(8)), ("weir.facebook.v1.Post", id(1)), (TYPE, id(250))];
    for _ in 0..2 {
        assert_eq!(claims.are_claimed(STAGE, &looked).await.unwrap(), [true, false, true, true]);
    }
    assert_eq!(claims.are_claimed("enricher", &looked[1..3]).await.unwrap(), [false, false]);
    assert_eq!(claims.are_claimed(STAGE, &[]).await.unwrap(), [false; 0]);

    // Only its own place gives a claim back.
    claims.release(STAGE, &claim(1, &there, 0)).await.unwrap();
    claims.release(STAGE, &claim(1, &here, 1)).await.unwrap();
    assert_eq!(ask(&[claim(1, &there, 0)]).await, [Verdict::Duplicate]);
    claims.release(STAGE, &claim(1, &here, 0)).await.unwrap();
    assert_eq!(ask(&[claim(1, &there, 0)]).await, [Verdict::First]);

    // What is restored counts for every place in its record.
    claims.restore(STAGE, &[(TYPE, id(9), &here)]).await.unwrap();
    assert_eq!(ask(&[claim(9, &here, 5), claim(9, &there, 5)]).await, [Verdict::Again, Verdict::Duplicate]);

    // Many at once, from several sides: each is first once.
    let sides = (0..8).map(|side| {
        let claims = claims.clone();
        async move {
            let mine = at(100 + side);
            let asked: Vec<_> = (20..220).map(|n| Claim { ce_type: TYPE, id: id(n), at: &mine, index: 0 }).collect();
            claims.claim(STAGE, &asked).await.unwrap()
        }
    });
    let sides: tokio::task::JoinSet<_> = sides.collect();
    let verdicts: Vec<_> = within("all sides", sides.join_all()).await.into_iter().flatten().collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::First).count(), 200);
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Duplicate).count(), 1400);
    assert_eq!(claims.state(), ClaimsState::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_keeps_the_promises() {
    let folder = tempfile::tempdir().unwrap();
    // A bus keeps the store that it opened.
    promises(async || Bus::open(&settings("", folder.path())).unwrap().claims().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_in_the_log_keeps_the_promises() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |claims: &str| {
        let mut settings = settings("", folder.path());
        settings.kafka.brokers.clear();
        settings.claims.folder = claims.into();
        Bus::open(&settings).unwrap().claims().await.unwrap()
    };
    promises(async || open("claims").await).await;
    // Those of another name in the same files are others.
    promises(async || open("claims-enricher").await).await;
    assert!(!folder.path().join("claims").exists(), "they are in the log's files");
    // Two buses write to one store.
    let (one, two) = (open("claims").await, open("claims").await);
    let (here, there) = (at(1000), at(1001));
    let claim = |at| [Claim { ce_type: TYPE, id: id(240), at, index: 0 }];
    assert_eq!(one.claim(STAGE, &claim(&here)).await.unwrap(), [Verdict::First]);
    assert_eq!(two.claim(STAGE, &claim(&there)).await.unwrap(), [Verdict::Duplicate]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_the_promises() {
    let redis = Redis::start(Options::default()).unwrap();
    let url = redis.url();
    promises(async || redis_claims(&url, "").await).await;
    // Another installation on the same store has claims of its own.
    promises(async || redis_claims(&url, "other.").await).await;
    let script = "for _, k in ipairs(redis.call('KEYS', '*')) do if #k == 16 then return redis.call('TTL', k) end end";
    let ttl: i64 = redis.ask(&format!("EVAL \"{script}\" 0")).unwrap().trim_start_matches(':').parse().unwrap();
    assert!((8 * 86_400 - 600..=8 * 86_400).contains(&ttl), "{ttl}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_away_is_waited_for() {
    let mut redis = Redis::start(Options::default()).unwrap();
    let claims = redis_claims(&redis.url(), "").await;
    claims.restored().await.unwrap();
    let here = at(1);
    let asked = [Claim { ce_type: TYPE, id: id(1), at: &here, index: 0 }];
    redis.pause().unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(2), claims.claim(STAGE, &asked)).await;
    assert!(waiting.is_err(), "it did not wait: {waiting:?}");
    assert!(matches!(claims.state(), ClaimsState::Away { .. }));
    redis.resume().unwrap();
    // The store may have done what was asked before it was cut off.
    let verdict = within("the store", claims.claim(STAGE, &asked)).await.unwrap();
    assert!(matches!(verdict[..], [Verdict::First | Verdict::Again]), "{verdict:?}");
    assert_eq!(claims.state(), ClaimsState::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_emptied_is_noticed() {
    let redis = Redis::start(Options::default()).unwrap();
    let claims = redis_claims(&redis.url(), "").await;
    claims.restored().await.unwrap();
    let other = redis_claims(&redis.url(), "").await;
    assert!(claims.is_new() && !other.is_new());
    let (here, there) = (at(1), at(2));
    let claim = |at| [Claim { ce_type: TYPE, id: id(1), at, index: 0 }];
    claims.claim(STAGE, &claim(&here)).await.unwrap();
    redis.ask("FLUSHALL").unwrap();
    let second = Claim { ce_type: TYPE, id: id(2), at: &here, index: 0 };
    for claims in [&claims, &other] {
        let refused = claims.claim(STAGE, &[second]).await;
        assert!(matches!(refused, Err(Error::ClaimsEmptied { .. })), "{refused:?}");
        assert_eq!(claims.state(), ClaimsState::Emptied);
    }
    for claims in [&claims, &other] {
        claims.restore(STAGE, &[(TYPE, id(1), &here)]).await.unwrap();
        claims.restored().await.unwrap();
        assert_eq!(claims.claim(STAGE, &claim(&there)).await.unwrap(), [Verdict::Duplicate]);
        assert_eq!(claims.claim(STAGE, &claim(&here)).await.unwrap(), [Verdict::Again]);
    }
    assert_eq!(claims.claim(STAGE, &[second]).await.unwrap(), [Verdict::First], "what was refused left nothing");
}

/// The other instances have sent what the one that rebuilt could not yet see: each rebuilds for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_rebuilt_by_another_is_noticed() {
    let redis = Redis::start(Options::default()).unwrap();
    let claims = redis_claims(&redis.url(), "").await;
    claims.restored().await.unwrap();
    let other = redis_claims(&redis.url(), "").await;
    redis.ask("FLUSHALL").unwrap();
    let here = at(1);
    let asked = [Claim { ce_type: TYPE, id: id(1), at: &here, index: 0 }];
    let refused = claims.claim(STAGE, &asked).await;
    assert!(matches!(refused, Err(Error::ClaimsEmptied { .. })), "{refused:?}");
    claims.restored().await.unwrap();
    let refused = other.claim(STAGE, &asked).await;
    assert!(matches!(refused, Err(Error::ClaimsEmptied { .. })), "{refused:?}");
    other.restored().await.unwrap();
    assert_eq!(other.claim(STAGE, &asked).await.unwrap(), [Verdict::First]);
    assert_eq!(claims.claim(STAGE, &asked).await.unwrap(), [Verdict::Again]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_two_instances_fill_at_once() {
    let redis = Redis::start(Options::default()).unwrap();
    let (one, two) = (redis_claims(&redis.url(), "").await, redis_claims(&redis.url(), "").await);
    assert!(one.is_new() && two.is_new());
    let (here, there) = (at(1), at(2));
    one.restore(STAGE, &[(TYPE, id(1), &here)]).await.unwrap();
    two.restore(STAGE, &[(TYPE, id(1), &here), (TYPE, id(2), &here)]).await.unwrap();
    two.restored().await.unwrap();
    let asked = [1, 2, 3].map(|n| Claim { ce_type: TYPE, id: id(n), at: &there, index: 0 });
    let verdicts = [Verdict::Duplicate, Verdict::Duplicate, Verdict::First];
    assert_eq!(two.claim(STAGE, &asked).await.unwrap(), verdicts);
    // The slower one still restores, and changes nothing that is there.
    assert!(matches!(one.claim(STAGE, &asked).await, Err(Error::ClaimsEmptied { .. })));
    one.restore(STAGE, &[(TYPE, id(3), &here)]).await.unwrap();
    one.restored().await.unwrap();
    let verdicts = [Verdict::Duplicate, Verdict::Duplicate, Verdict::Again];
    assert_eq!(one.claim(STAGE, &asked).await.unwrap(), verdicts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_emptied_during_a_rebuild_is_not_taken_for_whole() {
    let redis = Redis::start(Options::default()).unwrap();
    let claims = redis_claims(&redis.url(), "").await;
    let (here, there) = (at(1), at(2));
    claims.restore(STAGE, &[(TYPE, id(1), &here)]).await.unwrap();
    redis.ask("FLUSHALL").unwrap();
    claims.restore(STAGE, &[(TYPE, id(2), &here)]).await.unwrap();
    assert!(matches!(claims.restored().await, Err(Error::ClaimsEmptied { .. })));
    assert!(redis_claims(&redis.url(), "").await.is_new());
    claims.restore(STAGE, &[(TYPE, id(1), &here), (TYPE, id(2), &here)]).await.unwrap();
    claims.restored().await.unwrap();
    let asked = [1, 2].map(|n| Claim { ce_type: TYPE, id: id(n), at: &there, index: 0 });
    assert_eq!(claims.claim(STAGE, &asked).await.unwrap(), [Verdict::Duplicate, Verdict::Duplicate]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_comes_late_is_waited_for() {
    let mut redis = Redis::start(Options::default()).unwrap();
    let url = redis.url();
    redis.stop().unwrap();
    let opening = redis_claims(&url, "");
    tokio::pin!(opening);
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut opening).await.is_err());
    redis.restart().unwrap();
    let claims = within("the store", opening).await;
    assert!(claims.is_new());
    claims.restored().await.unwrap();
    assert_eq!(claims.state(), ClaimsState::Ready);
}

/// A server may refuse a client for a moment: while its users are changed, or because it has just become a replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_refuses_a_connection_is_connected_to_again() {
    let redis = Redis::start(Options::default()).unwrap();
    // To choose a database is the first thing that is done with a connection.
    let claims = redis_claims(&format!("{}1", redis.url()), "").await;
    claims.restored().await.unwrap();
    let here = at(1);
    let claim = |n| [Claim { ce_type: TYPE, id: id(n), at: &here, index: 0 }];
    assert_eq!(claims.claim(STAGE, &claim(1)).await.unwrap(), [Verdict::First]);

    assert_eq!(redis.ask("ACL SETUSER default -select").unwrap(), "+OK");
    redis.ask("CLIENT KILL TYPE normal").unwrap();
    let second = claim(2);
    let mut waiting = std::pin::pin!(claims.claim(STAGE, &second));
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut waiting).await.is_err(), "it did not wait");
    let ClaimsState::Away { reason } = claims.state() else { panic!("{:?}", claims.state()) };
    assert!(reason.contains("select") || reason.contains("permission"), "{reason}");
    assert_eq!(redis.ask("ACL SETUSER default +select").unwrap(), "+OK");
    assert_eq!(within("the store", waiting).await.unwrap(), [Verdict::First]);
    assert_eq!(claims.state(), ClaimsState::Ready);

    redis.ask("REPLICAOF 127.0.0.1 1").unwrap();
    let third = claim(3);
    let mut waiting = std::pin::pin!(claims.claim(STAGE, &third));
    assert!(tokio::time::timeout(Duration::from_secs(2), &mut waiting).await.is_err(), "it did not wait");
    redis.ask("REPLICAOF NO ONE").unwrap();
    assert_eq!(within("the store", waiting).await.unwrap(), [Verdict::First]);
}

/// Two deployments for different sources: what the one has rebuilt is not what the other needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_one_part_has_filled_is_new_to_another() {
    let redis = Redis::start(Options::default()).unwrap();
    let open = async |part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings("", folder.path());
        settings.claims.store = ClaimsStore::Redis;
        settings.claims.url = SecretUrl::new(redis.url());
        settings.claims.for_part(part);
        within("the store", Bus::open(&settings).unwrap().claims()).await.unwrap()
    };
    open("meta").await.restored().await.unwrap();
    assert!(!open("meta").await.is_new());
    let github = open("github").await;
    assert!(github.is_new());
    let here = at(1);
    let asked = [Claim { ce_type: TYPE, id: id(1), at: &here, index: 0 }];
    assert!(matches!(github.claim(STAGE, &asked).await, Err(Error::ClaimsEmptied { .. })));
}
