use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;

const SESSION: Duration = Duration::from_secs(45);

fn standing(membership: Membership, seconds: u64, partitions: usize) -> Standing {
    Standing { membership, lasts: Duration::from_secs(seconds), partitions, limit: SESSION }
}

fn lag(partition: i32, records: Option<i64>) -> Lag {
    Lag { topic: "raw.meta".into(), partition, position: 7, records, oldest_at_ms: None }
}

fn lane(membership: Membership, seconds: u64, lags: &[Option<i64>]) -> Lane {
    let lags: Vec<Lag> = lags.iter().zip(0..).map(|(records, partition)| lag(partition, *records)).collect();
    Lane { name: "direct", standing: standing(membership, seconds, lags.len()), lags }
}

fn joining() -> Membership {
    Membership::Joining("up, wait-join".to_owned())
}

/// What the check says after the lanes were looked at at these seconds.
fn told(looks: &[(u64, &Lane)]) -> (State, f64, String) {
    let health = Health::new("processing", CancellationToken::new());
    let progress = Progress::new(&health, "processing_progress", "processing_partitions", Duration::from_secs(60));
    let (start, mut stalls) = (Instant::now(), vec![Stalls::default()]);
    for (seconds, lane) in looks {
        progress.tell(std::slice::from_ref(*lane), &mut stalls, start + Duration::from_secs(*seconds));
    }
    let digest = health.digest();
    let check = digest.checks.iter().find(|check| check.name == "processing_progress").unwrap();
    assert_eq!(check.threshold, Some(60.0));
    (check.state(), check.value.unwrap(), check.message.clone())
}

#[test]
fn what_a_consumer_is_and_what_waits_for_it() {
    let unknown = "how much waits for it is not known";
    let table = [
        (lane(Membership::Member, 9, &[Some(7), Some(0)]), State::Ok, "direct: 7 records waiting in 2 partitions"),
        (lane(Membership::Spare, 9, &[]), State::Ok, "direct: spare, other members have all partitions"),
        (
            lane(Membership::Member, 9, &[Some(7), None]),
            State::Warning,
            "how much waits in 1 of 2 partitions is not known: the log has not said where they end",
        ),
        (lane(Membership::Starting, 9, &[]), State::Unknown, "waited for an answer of the log for 9 s"),
        (lane(Membership::Starting, 10, &[]), State::Warning, unknown),
        (lane(Membership::Away, 0, &[Some(0)]), State::Warning, "waited for a broker, none is connected for 0 s"),
        (lane(joining(), 0, &[]), State::Warning, "waited for its group (up, wait-join) for 0 s; how much waits"),
        (lane(joining(), 44, &[]), State::Warning, unknown),
        (lane(joining(), 45, &[]), State::Failing, unknown),
        (lane(joining(), 44, &[Some(3)]), State::Ok, "goes on with 1 partitions meanwhile"),
        (lane(joining(), 45, &[Some(3)]), State::Failing, "goes on with 1 partitions meanwhile"),
    ];
    for (lane, state, text) in table {
        let (told, _, message) = told(&[(0, &lane)]);
        assert_eq!(told, state, "{lane:?}: {message}");
        assert!(message.contains(text), "{lane:?}: {message}");
    }
}

#[test]
fn work_that_is_not_done_for_too_long_is_told_with_its_partition() {
    let waits = lane(Membership::Member, 100, &[Some(0), Some(12)]);
    let stalled = "raw.meta/1 is stalled: 12 records wait, and none was done for 60 s";
    assert_eq!(told(&[(0, &waits), (59, &waits)]).0, State::Ok);
    let (state, value, message) = told(&[(0, &waits), (60, &waits)]);
    assert_eq!((state, value), (State::Failing, 60.0), "{message}");
    assert!(message.ends_with(stalled), "{message}");
    // That it is outside for a while is no progress, whether it keeps its partitions meanwhile or not.
    let (keeps, away) = (lane(joining(), 2, &[Some(0), Some(12)]), lane(Membership::Away, 2, &[]));
    let looks = [(0, &waits), (20, &keeps), (22, &waits), (40, &away), (42, &waits), (60, &waits)];
    assert_eq!(told(&looks[..5]).0, State::Ok);
    let (state, value, message) = told(&looks);
    assert_eq!((state, value), (State::Failing, 60.0), "{message}");
    assert!(message.ends_with(stalled), "{message}");
    // Nor does anybody have to come in for it to be found.
    let (state, _, message) = told(&[(0, &waits), (20, &keeps), (60, &lane(joining(), 0, &[]))]);
    assert_eq!(state, State::Failing, "{message}");
    // Who has it by now may get on with it.
    let taken_back =
        "raw.meta/1 was stalled when the group took it back: 12 records waited, and this consumer has done none";
    assert!(message.ends_with(&format!("{taken_back} for 60 s")), "{message}");
    // But what others do is not its own.
    let spare = lane(Membership::Spare, 2, &[]);
    assert_eq!(told(&[(0, &waits), (20, &keeps), (60, &spare), (61, &waits)]).0, State::Ok);
    // And it does not end where the log does not say what waits.
    let silent = lane(Membership::Member, 100, &[Some(0), None]);
    let (state, _, message) = told(&[(0, &waits), (60, &silent)]);
    assert_eq!(state, State::Failing, "{message}");
}

#[test]
fn who_may_be_a_spare_has_longer() {
    let doubts = |seconds| {
        let standing = Standing { limit: 3 * SESSION, ..standing(joining(), seconds, 0) };
        told(&[(0, &Lane { name: "direct", standing, lags: Vec::new() })]).0
    };
    let found = [0, 45, 134, 135].map(doubts);
    assert_eq!(found, [State::Warning, State::Warning, State::Warning, State::Failing]);
}

proptest! {
    /// Who has no partition, and is not known to need none, is never said to be well.
    #[test]
    fn nobody_is_well_by_accident(kind in 0..5_u8, seconds in 0..200_u64, lags in prop::collection::vec(prop::option::of(0..9_i64), 0..4)) {
        let membership = match kind {
            0 => Membership::Starting,
            1 => Membership::Away,
            2 => joining(),
            3 if !lags.is_empty() => Membership::Member,
            _ => Membership::Spare,
        };
        let is_in = matches!(membership, Membership::Member | Membership::Spare);
        let works = is_in || membership == joining() && !lags.is_empty() && seconds < SESSION.as_secs();
        let knows = membership != Membership::Member || lags.iter().all(Option::is_some);
        let lane = lane(membership, seconds, &lags);
        prop_assert_eq!(told(&[(0, &lane)]).0 == State::Ok, works && knows, "{:?}", lane);
    }
}
