use std::time::Duration;

use bus::{Ack, AckOutcome, Assignment, Bus, Coordinates, Start};
use bytes::Bytes;
use common::topics::raw;
use service::{Counts, clock};

use super::*;
use crate::{DEFAULTS, STAGE, Settings};

fn incoming(canary: &Canary, ack: Ack) -> Incoming {
    let sent = Record::canary(&raw("github"), "key", canary.clone());
    Incoming {
        coordinates: Coordinates { log: "log".into(), topic: "raw.github".into(), partition: 3, offset: 7 },
        key: Some(Bytes::from(sent.key)),
        payload: sent.payload.map(Bytes::from),
        headers: sent.headers,
        produced_at_ms: 0,
        culprit: None,
        assignment: Assignment { epoch: 1, start: 0 },
        ack,
    }
}

/// As the outbox gives it back.
fn emitted(canary: &Canary, counts: &HopCounts, ack: Ack) -> Emitted<Option<Passing>> {
    let record = incoming(canary, ack);
    let work = Passing::of(&record).unwrap().work(record, counts, Room::default());
    assert!(work.items.is_empty(), "nothing to claim, to write or to count");
    Emitted { n: 0, ack: work.ack, sent: 0, with: work.with }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_goes_on_under_its_key_and_one_of_another_time_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let env = [
        ("WEIR__BUS__DATA_DIR", folder.path().to_str().unwrap()),
        ("WEIR__BUS__KAFKA__BROKERS", ""),
        ("WEIR__BUS__CREATE_TOPICS", "true"),
        ("WEIR__SECRETS__KEY_FILE", "not-read-here"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings: Settings = service::load(DEFAULTS, None, env).unwrap();
    let bus = Bus::open(&settings.bus()).unwrap();
    bus.prepare_topics(&[ACTIVITIES.spec()]).await.unwrap();
    let (producer, counts) = (bus.producer().unwrap(), Counts::default().hop(STAGE));
    let now = clock::now();
    for (ago, goes) in [(0, true), (7200, false)] {
        let canary = Canary::new("raw.github", 3, now - Duration::from_secs(ago));
        let (ack, outcome) = Ack::testing();
        end(emitted(&canary, &counts, ack), &producer, &counts, now).await;
        assert_eq!(outcome.await.unwrap(), AckOutcome::Completed, "{ago}");
        let mut reader = bus.reader(&[ACTIVITIES.name().to_owned()], Start::Beginning).await.unwrap();
        let mut found = Vec::new();
        while let Some(stored) = reader.next_until_end().await.unwrap() {
            found.push(stored);
        }
        // The second one left nothing.
        assert_eq!(found.len(), 1, "{ago}");
        assert_eq!((found[0].canary() == Some(&canary), found[0].key.as_deref()), (goes, Some(&b"key"[..])));
    }
}

#[test]
fn a_delivery_is_no_canary() {
    let canary = Canary::new("raw.github", 3, clock::now());
    let delivery = Incoming { payload: Some(Bytes::from_static(b"x")), ..incoming(&canary, Ack::none()) };
    assert!(Passing::of(&delivery).is_none(), "what has a value is never let go as a canary");
}
