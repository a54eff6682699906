use std::time::Duration;

use super::*;
use crate::Counts;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_368_496 + seconds)
}

fn told(counts: &Counts) -> Digest {
    let mut digest = Digest::default();
    counts.fill(&mut digest);
    digest
}

#[test]
fn of_each_way_the_last_canary_is_told_and_nothing_is_counted() {
    let counts = Counts::default();
    let hop = counts.hop("processing");
    let (github, meta): (Arc<str>, Arc<str>) = ("raw.github/0".into(), "raw.meta/3".into());
    hop.canary(&github, at(60));
    hop.canary(&meta, at(61));
    // It comes again after a crash, late.
    hop.canary(&github, at(0));
    drop(hop.take_nothing());
    let digest = told(&counts);
    let sent: Vec<_> = digest.canaries.iter().map(|canary| (canary.way.as_str(), canary.sent_at)).collect();
    assert_eq!(sent, [("raw.github/0", Some(at(60).into())), ("raw.meta/3", Some(at(61).into()))]);
    assert!(digest.canaries.iter().all(|canary| canary.hop == "processing" && canary.passed_at.is_some()));
    // The line that says that the hop is there, and no other.
    assert_eq!(digest.counts.len(), 1);
    assert_eq!(digest.counts[0].taken_in + digest.counts[0].sent_on, 0);
    assert!(digest.counts[0].hour.is_none() && digest.counts[0].dropped.is_empty());
    assert!(digest.ages.is_empty());
    assert_eq!(digest.works[0].in_work, 0);
}

#[test]
fn a_way_on_which_none_passes_is_told_and_one_that_is_gone_is_not() {
    let counts = Counts::default();
    let door = counts.hop("streaming");
    let (github, meta): (Arc<str>, Arc<str>) = ("raw.github/0".into(), "raw.meta/3".into());
    door.canaries_go(&[Arc::clone(&github), Arc::clone(&meta)]);
    door.canary(&github, at(0));
    let digest = told(&counts);
    assert_eq!(digest.canaries[0].sent_at, Some(at(0).into()));
    assert_eq!((digest.canaries[1].sent_at, digest.canaries[1].passed_at), (None, None));
    assert!(digest.canaries[1].since.is_some());
    door.canaries_go(&[Arc::clone(&github)]);
    let digest = told(&counts);
    let ways: Vec<_> = digest.canaries.iter().map(|canary| canary.way.as_str()).collect();
    assert_eq!(ways, ["raw.github/0"]);
    assert_eq!(digest.canaries[0].sent_at, Some(at(0).into()));
}
