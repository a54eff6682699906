use super::*;

#[test]
fn who_has_nothing_is_a_spare_only_where_others_have_all() {
    let group = |state: &str, join_state: &str| {
        Some(ConsumerGroup { state: state.into(), join_state: join_state.into(), ..ConsumerGroup::default() })
    };
    let joining = |text: &str| Membership::Joining(text.to_owned());
    let steady = || group("up", "steady");
    let table = [
        (None, true, false, true, Membership::Away),
        (group("wait-coord", "init"), false, false, false, joining("wait-coord, init")),
        // It goes on with what it has meanwhile.
        (group("up", "wait-join"), true, false, true, joining("up, wait-join")),
        (steady(), true, false, false, Membership::Member),
        (steady(), true, true, false, Membership::Member),
        (steady(), false, true, true, joining("the log has not said where its partitions begin")),
        (steady(), false, false, false, joining("it was given no partition so far")),
        (steady(), false, false, true, Membership::Spare),
    ];
    for (group, has, is_to_have, is_whole, wanted) in table {
        assert_eq!(
            membership(group.as_ref(), has, is_to_have, is_whole),
            wanted,
            "{group:?} {has} {is_to_have} {is_whole}"
        );
    }
}
