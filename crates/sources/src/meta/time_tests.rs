use super::*;

fn json(text: &str) -> Object {
    serde_json::from_str(text).unwrap()
}

fn at(seconds: i64, nanos: i32) -> Time {
    Time::at(Timestamp { seconds, nanos })
}

#[test]
fn seconds_of_changes() {
    let change = |text| of_change(&json(text));
    let unreadable = Time::unreadable();
    assert_eq!(change(r#"{"created_time":1717420800}"#), at(1_717_420_800, 0));
    assert_eq!(change(r#"{"created_time":"1717420800"}"#), at(1_717_420_800, 0));
    assert_eq!(change(r#"{"created_time":"2024-06-03T13:20:00Z"}"#), at(1_717_420_800, 0));
    assert_eq!(change(r#"{"created_time":"yesterday"}"#), unreadable);
    assert_eq!(change(r#"{"created_time":1.5}"#), unreadable);
    assert_eq!(change(r#"{"created_time":9223372036854775808}"#), unreadable);
    assert_eq!(change(r#"{"created_time":[]}"#), unreadable);
    assert_eq!(change(r#"{"created_time":null}"#), Time::default());
    assert_eq!(change(r#"{"time":1717420800}"#), Time::default());
    // Zero tells nothing apart, and the judgement about it is not made here.
    assert_eq!(change(r#"{"created_time":0}"#), at(0, 0));
    assert!(!tells_apart(&at(0, 0)) && !tells_apart(&unreadable) && tells_apart(&at(1, 0)));
}

#[test]
fn an_edit_happened_when_it_was_edited() {
    let change = |text| of_change(&json(text));
    assert_eq!(change(r#"{"verb":"edit","created_time":1717420800,"edited_time":1717420900}"#), at(1_717_420_900, 0));
    assert_eq!(change(r#"{"verb":"edited","created_time":1717420800,"edited_time":null}"#), at(1_717_420_800, 0));
    assert_eq!(change(r#"{"verb":"hide","created_time":1717420800,"edited_time":1717420900}"#), at(1_717_420_800, 0));
}

#[test]
fn milliseconds_of_conversations() {
    let message = |text| of_message(&json(text));
    assert_eq!(message(r#"{"timestamp":1717420800250}"#), at(1_717_420_800, 250_000_000));
    assert_eq!(message(r#"{"timestamp":"1717420800250"}"#), at(1_717_420_800, 250_000_000));
    assert_eq!(message("{}"), Time::default());
    assert!(tells_apart(&message(r#"{"timestamp":9223372036854775807}"#)));
    assert!(!tells_apart(&message(r#"{"timestamp":-9223372036854775808}"#)));
}

#[test]
fn what_is_in_a_change_of_whatsapp() {
    let change = |text| of_whatsapp(&json(text));
    assert_eq!(change(r#"{"messages":[{"timestamp":"1717420800"}]}"#), at(1_717_420_800, 0));
    assert_eq!(change(r#"{"messages":[],"statuses":[{"timestamp":"1717420801"}]}"#), at(1_717_420_801, 0));
    assert_eq!(change(r#"{"messages":[{}],"timestamp":1717420802}"#), at(1_717_420_802, 0));
    assert_eq!(change(r#"{"messages":[3]}"#), Time::default());
}
