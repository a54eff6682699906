use super::*;

#[test]
fn only_who_waits_for_long_without_a_pause_is_stuck() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let group = |state: &str, join_state: &str| ConsumerGroup {
        state: state.into(),
        join_state: join_state.into(),
        ..ConsumerGroup::default()
    };
    let (limit, joining) = (limit(6000), Joining::default());
    assert_eq!(limit, Duration::from_secs(30));
    assert_eq!(joining.stuck(limit, None, at(100)), None, "nothing is known");
    joining.look(Some(&group("wait-coord", "init")), at(0));
    joining.look(Some(&group("up", "wait-join")), at(29));
    assert_eq!(joining.stuck(limit, None, at(30)), None);
    let stuck = joining.stuck(limit, None, at(31)).unwrap();
    assert_eq!(stuck, "it is not in its group for 31 s (up, wait-join)");
    joining.look(Some(&group("up", "steady")), at(32));
    assert_eq!(joining.stuck(limit, None, at(100)), None, "it is in");
    joining.look(Some(&group("up", "wait-join")), at(101));
    joining.look(None, at(120));
    joining.look(Some(&group("up", "wait-join")), at(121));
    assert_eq!(joining.stuck(limit, None, at(140)), None, "no broker was connected meanwhile");
    assert!(joining.stuck(limit, None, at(152)).is_some());
    assert_eq!(joining.stuck(limit, Some(at(130)), at(152)), None, "the log did not answer meanwhile");
    assert!(joining.stuck(limit, Some(at(110)), at(152)).is_some(), "that was before");
}
