use service::State;
use tokio_util::sync::CancellationToken;

use super::*;

#[test]
fn work_that_is_not_done_for_too_long_is_told_with_its_partition() {
    let health = Health::new("processing", CancellationToken::new());
    let after = Duration::from_secs(60);
    let progress = Progress::new(&health, "processing_progress", "processing_partitions", "processing", after);
    let lag = || Lag { topic: "raw.meta".into(), partition: 3, position: 7, records: 12 };
    let table = [
        (None, None, State::Ok, 0.0, "direct: 0 records"),
        (Some((lag(), Duration::from_secs(59))), None, State::Ok, 59.0, "direct: 0 records"),
        (
            Some((lag(), after)),
            None,
            State::Failing,
            60.0,
            "raw.meta/3 is stalled: 12 records wait, and none was done for 60 s",
        ),
        (None, Some(Duration::from_secs(59)), State::Ok, 59.0, "direct: 0 records"),
        (None, Some(after), State::Failing, 60.0, "direct: 0 records"),
    ];
    for (longest, outside, state, value, text) in table {
        progress.told("direct: 0 records", longest, outside);
        let digest = health.digest();
        let check = digest.checks.iter().find(|check| check.name == "processing_progress").unwrap();
        assert_eq!((check.state(), check.value), (state, Some(value)), "{check:?}");
        assert!(check.message.contains(text) && check.threshold == Some(60.0), "{check:?}");
    }
}

#[test]
fn what_is_not_known_is_not_called_nothing() {
    let outside = (Duration::from_secs(48), "up, wait-join".to_owned());
    let table = [
        (0, None, "direct: this instance has no partition"),
        (6, None, "direct: 7 records waiting in 6 partitions"),
        (
            6,
            Some(&outside),
            "direct: the consumer has waited for its group for 48 s (up, wait-join); how much waits is not known",
        ),
    ];
    for (partitions, outside, text) in table {
        assert_eq!(standing("direct", 7, partitions, outside), text);
    }
}
