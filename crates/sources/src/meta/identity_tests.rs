use super::*;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn of_value(text: &str, own_time: bool, sent: Option<&str>) -> Id {
    Occurrence { field: "feed", what: What::Value(&json(text)), own_time }.id("facebook", "acme", "12", sent)
}

#[test]
fn the_time_of_sending_enters_only_without_a_time_of_its_own() {
    assert_eq!(of_value("{}", true, Some("1")), of_value("{}", true, Some("2")));
    assert_eq!(of_value("{}", true, Some("1")), of_value("{}", false, None));
    assert_ne!(of_value("{}", false, Some("1")), of_value("{}", false, Some("2")));
    assert_ne!(of_value("{}", false, Some("1")), of_value("{}", false, None));
}

#[test]
fn a_change_is_told_by_all_that_it_says() {
    let of_change = |text: &str| {
        let value = json(text);
        let what = What::Change(value.as_object().unwrap());
        Occurrence { field: "likes", what, own_time: false }.id("facebook", "acme", "12", Some("1"))
    };
    let all = [
        of_change(r#"{"verb":"add","value":{"page":"1"}}"#),
        of_change(r#"{"verb":"remove","value":{"page":"1"}}"#),
        of_change(r#"{"verb":"add","value":{"page":"2"}}"#),
        of_change(r#"{"verb":"add"}"#),
        of_change(r#"{"verb":null}"#),
        of_change("{}"),
    ];
    for (index, id) in all.iter().enumerate() {
        assert!(!all[..index].contains(id), "{index}");
    }
}

#[test]
fn each_field_is_told_from_the_others() {
    let value = json("{}");
    let id = |platform, tenant, account, field| {
        Occurrence { field, what: What::Value(&value), own_time: true }.id(platform, tenant, account, None)
    };
    let one = id("facebook", "acme", "12", "feed");
    assert_eq!(one, id("facebook", "acme", "12", "feed"));
    assert_ne!(one, id("instagram", "acme", "12", "feed"));
    assert_ne!(one, id("facebook", "globex", "12", "feed"));
    assert_ne!(one, id("facebook", "acme", "1", "2feed"));
    assert_ne!(one, id("facebook", "acme", "12", "mention"));
    // A text that is a number is not known to be the same.
    assert_ne!(of_value(r#"{"a":1}"#, true, None), of_value(r#"{"a":"1"}"#, true, None));
}

#[test]
fn a_number_is_one_however_it_is_written() {
    let of = |number: &str| of_value(&format!("{{\"a\":[{{\"b\":{number}}}]}}"), true, None);
    for (one, same, other) in [("1e-5", "1e-05", "1e-6"), ("0.00001", "1.0E-5", "0.0001"), ("1", "1.0", "1.1")] {
        assert_eq!(of(one), of(same), "{one}");
        assert_ne!(of(one), of(other), "{one}");
    }
    // Of the time of sending too.
    assert_eq!(of_value("{}", false, Some("5")), of_value("{}", false, Some("5.0")));
    assert_ne!(of_value("{}", false, Some("5")), of_value("{}", false, Some("\"5\"")));
}
