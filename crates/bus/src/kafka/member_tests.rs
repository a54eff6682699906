use super::*;

fn group(state: &str, join_state: &str) -> ConsumerGroup {
    ConsumerGroup { state: state.into(), join_state: join_state.into(), ..ConsumerGroup::default() }
}

fn joining(text: &str) -> Membership {
    Membership::Joining(text.to_owned())
}

#[test]
fn who_has_nothing_is_a_spare_only_where_others_have_all() {
    let (unknown, whole) = (|| Covered::Unknown, || Covered::Whole);
    let another = || Covered::Another("another client has partitions".to_owned());
    let lacks = || Covered::Lacks("nobody has partition 0".to_owned());
    let begins = || Some("the log has not said where raw/0 begins".to_owned());
    let (steady, joins) = (Some(group("up", "steady")), Some(group("up", "wait-join")));
    let coordinator = Some(group("wait-coord", "init"));
    let table = [
        (&None, true, None, whole(), Membership::Away, Share::Due),
        (&coordinator, false, None, unknown(), joining("wait-coord, init"), Share::Due),
        // It goes on with what it has meanwhile.
        (&joins, true, None, whole(), joining("up, wait-join"), Share::Due),
        (&joins, false, None, lacks(), joining("up, wait-join"), Share::Due),
        (&joins, false, None, another(), joining("up, wait-join; another client has partitions"), Share::Due),
        (&steady, true, None, unknown(), Membership::Member, Share::Due),
        (&steady, true, None, whole(), Membership::Member, Share::Due),
        // The group is about to decide again.
        (&steady, true, None, lacks(), Membership::Member, Share::Due),
        // Of what has not begun it is not known how much waits, whatever else it has.
        (&steady, true, begins(), whole(), joining("the log has not said where raw/0 begins"), Share::Due),
        (&steady, false, begins(), unknown(), joining("the log has not said where raw/0 begins"), Share::Due),
        (&steady, true, None, another(), joining("another client has partitions"), Share::Lost),
        (&steady, false, None, another(), joining("another client has partitions"), Share::Lost),
        (&steady, false, None, lacks(), joining("nobody has partition 0"), Share::Lost),
        (&steady, false, None, unknown(), joining(NOTHING_GIVEN), Share::Unknown),
        (&steady, false, None, whole(), Membership::Spare, Share::Due),
    ];
    for (group, has, waits_for, covered, wanted, share) in table {
        let case = format!("{group:?} {has} {waits_for:?} {covered:?}");
        assert_eq!(membership(group.as_ref(), has, waits_for, covered), (wanted, share), "{case}");
    }
}
