//! What is not replayed, and why.

use std::collections::BTreeMap;

use common::deadletter::v1::{Coordinates, DeadLetter, GetRequest, ReplayRequest, Selection};
use common::time::from_millis;

use crate::place::{Log, Place, of};

const DAY_MS: i64 = 24 * 3_600_000;

pub(crate) async fn what_may_not_be_replayed_says_why(log: Log) {
    let place = Place::new(log, "refusals").await;
    let stage = place.start().await;
    let now = common::time::to_millis(&service::clock::timestamp());
    let at = place.put(&place.delivery("meta", "broken", &[])).await;
    let [good] = place.letters(1).await.try_into().unwrap();
    // A delivery that was accepted long ago, replayed and refused again a moment ago.
    let mut old = place.delivery("meta", "broken long ago", &[]);
    old.received_at = Some(from_millis(now - 9 * DAY_MS));
    place.put(&old).await;
    place.letters(2).await;

    let mut number = 0;
    let mut put = async |change: &dyn Fn(&mut DeadLetter, &mut Coordinates)| {
        number += 1;
        let mut letter = DeadLetter { id: format!("{number:032x}"), ..good.clone() };
        let mut coordinates = letter.coordinates.clone().unwrap();
        change(&mut letter, &mut coordinates);
        letter.coordinates = Some(coordinates);
        place.put_letter(&letter).await;
    };
    put(&|_, at| at.log = "another.1".into()).await;
    put(&|_, at| at.offset += 1000).await;
    put(&|_, at| at.partition = 77).await;
    put(&|_, at| at.topic.push_str(".gone")).await;
    put(&|_, at| at.topic = "elsewhere.raw.meta".into()).await;
    put(&|letter, _| letter.failed_at = Some(from_millis(now - 9 * DAY_MS))).await;
    put(&|_, at| at.topic = "registrations".into()).await;

    let all = ReplayRequest { all: true, dry_run: true, ..of(Selection::default()) };
    let would = stage.replay(all.clone()).await.unwrap().pop().unwrap();
    let answer = stage.replay(ReplayRequest { dry_run: false, ..all.clone() }).await.unwrap().pop().unwrap();
    for answer in [&would, &answer] {
        let reasons: BTreeMap<_, _> = answer.not_sent.iter().map(|kind| (kind.reason.as_str(), kind.count)).collect();
        let expected = [("not_an_input", 2), ("original_gone", 3), ("other_log", 1), ("too_old", 2)];
        assert_eq!(reasons, expected.into());
        assert_eq!((answer.selected, answer.sent), (9, 1), "the one that is as it should be");
        assert!(answer.not_sent.iter().all(|kind| !kind.message.is_empty() && kind.ids.len() == kind.count as usize));
    }
    let shown = stage.client.clone().get(GetRequest { id: format!("{:032x}", 1) }).await.unwrap().into_inner();
    assert_eq!(shown.not_replayable, "other_log");
    assert!(shown.replay.contains("another.1"), "{}", shown.replay);

    // The record of a letter has had its time.
    place.letters(10).await;
    place.bus.delete_records("raw.meta", at.partition, at.offset + 1).await.unwrap();
    let shown = stage.client.clone().get(GetRequest { id: good.id.clone() }).await.unwrap().into_inner();
    assert_eq!(shown.not_replayable, "original_gone");
    let one = of(Selection { ids: vec![good.id.clone()], ..Selection::default() });
    let answer = stage.replay(one).await.unwrap().pop().unwrap();
    assert_eq!((answer.sent, answer.not_sent[0].reason.as_str()), (0, "original_gone"));
    stage.stop().await;
}
