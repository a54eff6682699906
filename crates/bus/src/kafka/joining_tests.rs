use super::*;

fn group(state: &str, join_state: &str) -> ConsumerGroup {
    ConsumerGroup { state: state.into(), join_state: join_state.into(), ..ConsumerGroup::default() }
}

#[test]
fn who_waits_for_the_others_cannot_leave() {
    let joining = Joining::default();
    let age = Duration::from_secs;
    let asked = joining.made + age(10);
    assert!(!joining.can_leave(asked), "nothing is known");
    let look = |group: Option<&ConsumerGroup>, seconds| joining.look(group, age(seconds), Instant::now());
    look(Some(&group("up", "steady")), 9);
    assert!(!joining.can_leave(asked), "that was before, and may have changed");
    for (seconds, join_state) in [(10, "wait-join"), (11, "wait-sync")] {
        look(Some(&group("up", join_state)), seconds);
        assert!(!joining.can_leave(asked), "{join_state}");
    }
    look(Some(&group("up", "steady")), 12);
    assert!(joining.can_leave(asked));
    for (seconds, without) in [(20, None), (21, Some(group("wait-coord", "wait-join")))] {
        let asked = joining.made + age(seconds);
        assert!(!joining.can_leave(asked));
        look(without.as_ref(), seconds);
        assert!(joining.can_leave(asked), "nobody would hear it: {without:?}");
    }
}

#[test]
fn who_has_left_says_so() {
    let joining = Joining::default();
    let age = Duration::from_secs;
    let left = joining.made + age(10);
    let look = |group: Option<&ConsumerGroup>, seconds| joining.look(group, age(seconds), Instant::now());
    look(Some(&group("up", "init")), 9);
    assert!(!joining.has_left(left), "that was before");
    for (seconds, join_state) in [(11, "wait-unassign-call"), (12, "steady")] {
        look(Some(&group("up", join_state)), seconds);
        assert!(!joining.has_left(left), "{join_state}");
    }
    look(Some(&group("up", "init")), 13);
    assert!(joining.has_left(left));
    assert!(!joining.has_left(joining.made + age(20)));
    look(None, 21);
    assert!(joining.has_left(joining.made + age(20)), "nobody would hear it");
}

#[test]
fn only_who_waits_for_long_without_a_pause_is_stuck() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let (limit, joining) = (limit(6000), Joining::default());
    assert_eq!(limit, Duration::from_secs(30));
    assert_eq!(joining.stuck(limit, None, at(100)), None, "nothing is known");
    joining.look(Some(&group("wait-coord", "init")), Duration::ZERO, at(0));
    joining.look(Some(&group("up", "wait-join")), Duration::ZERO, at(29));
    assert_eq!(joining.stuck(limit, None, at(30)), None);
    let stuck = joining.stuck(limit, None, at(31)).unwrap();
    assert_eq!(stuck, "it has not joined its group for 31 s (up, wait-join)");
    joining.look(Some(&group("up", "steady")), Duration::ZERO, at(32));
    assert_eq!(joining.stuck(limit, None, at(100)), None, "it is in");
    joining.look(Some(&group("up", "wait-join")), Duration::ZERO, at(101));
    joining.look(None, Duration::ZERO, at(120));
    joining.look(Some(&group("up", "wait-join")), Duration::ZERO, at(121));
    assert_eq!(joining.stuck(limit, None, at(140)), None, "no broker was connected meanwhile");
    assert!(joining.stuck(limit, None, at(152)).is_some());
    assert_eq!(joining.stuck(limit, Some(at(130)), at(152)), None, "the log did not answer meanwhile");
    assert!(joining.stuck(limit, Some(at(110)), at(152)).is_some(), "that was before");
}
