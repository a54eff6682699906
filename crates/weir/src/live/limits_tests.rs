use std::time::Duration;

use common::health::v1::{Consumer, Membership, Queue, Work};

use super::*;

const STAGES: [&str; 4] = ["streaming", "processing", "enricher", "loader"];

fn digest() -> Digest {
    let count = |hop: &str| Count { hop: hop.to_owned(), taken_in: 10, sent_on: 10, ..Count::default() };
    Digest { service: "weir".to_owned(), ready: true, counts: STAGES.map(count).into(), ..Digest::default() }
}

/// With the limits that are the defaults.
fn look(change: impl Fn(&mut Digest)) -> String {
    let settings: crate::settings::Settings = service::load(crate::settings::DEFAULTS, None, []).unwrap();
    let mut digest = digest();
    change(&mut digest);
    Limits::new(&settings.health_check, &STAGES).look(&digest, SystemTime::UNIX_EPOCH + Duration::from_secs(1))
}

#[test]
fn a_stage_that_is_behind_is_told_although_no_check_fails() {
    assert_eq!(look(|_| ()), "");
    let waiting = |lag| Queue { hop: "loader".to_owned(), lag, ..Queue::default() };
    assert_eq!(look(|digest| digest.queues.push(waiting(99_999))), "");
    let told = look(|digest| {
        digest.queues.push(waiting(1_000_000));
        digest.works.push(Work {
            hop: "processing".to_owned(),
            in_work: 7,
            oldest_seconds: Some(90.0),
            limit_seconds: Some(60.0),
        });
        digest.consumers.push(Consumer {
            hop: "enricher".to_owned(),
            group: "weir-enricher".to_owned(),
            membership: Membership::Joining.into(),
            waits_for: "its group".to_owned(),
            ..Consumer::default()
        });
    });
    let lines = [
        "  loader/lag: the lag is 1000000 records",
        "  processing/in_work: 7 are in work, the oldest for 90 s; it should take less than 60 s",
        "  enricher/consumer: a consumer of group weir-enricher has no partition (its group)",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), lines);
}
