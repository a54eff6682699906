use super::*;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn object(text: &str) -> json::Object {
    serde_json::from_str(text).unwrap()
}

#[test]
fn items_are_written_in_several_ways() {
    for sent in ["relationship-status", "relationship status", "relationship_status", "Relationship_Status"] {
        assert!(same("relationship_status", sent), "{sent}");
    }
    assert!(!same("relationship_status", "relationshipstatus"));
    assert!(!same("post", "posts"));
    let names: std::collections::BTreeSet<_> = page::ITEMS.iter().map(|item| item.names).collect();
    assert_eq!(names.len(), 32);
}

#[test]
fn a_known_field_needs_a_value_that_is_an_object() {
    for (platform, field) in [
        ("facebook", "feed"),
        ("facebook", "mention"),
        ("facebook", "leadgen"),
        ("facebook", "ratings"),
        ("instagram", "comments"),
        ("instagram", "live_comments"),
        ("instagram", "mentions"),
        ("instagram", "story_insights"),
    ] {
        assert!(of_change(platform, field, None).is_err(), "{field}");
        for json in ["null", "1", "[]", r#""a""#] {
            assert!(of_change(platform, field, Some(&value(json))).is_err(), "{field} {json}");
            assert!(of_change(platform, "name", Some(&value(json))).unwrap().is_none(), "{json}");
        }
    }
    assert!(of_change("facebook", "name", None).unwrap().is_none());
    // Another platform's field is not known.
    assert!(of_change("facebook", "comments", None).unwrap().is_none());
    assert!(of_change("instagram", "feed", None).unwrap().is_none());
    assert!(of_change("whatsapp", "feed", None).unwrap().is_none());
}

#[test]
fn a_conversation_is_told_by_the_member_it_has() {
    let name = |platform, text| of_message(platform, &object(text)).map(|kind| kind.names[0]);
    assert_eq!(name("facebook", r#"{"sender":{},"message":{}}"#), Some("message"));
    assert_eq!(name("facebook", r#"{"message":null,"postback":{}}"#), Some("postback"));
    assert_eq!(name("facebook", r#"{"message":"hello"}"#), None);
    assert_eq!(name("facebook", r#"{"policy-enforcement":{}}"#), Some("policy_enforcement"));
    assert_eq!(name("facebook", r#"{"policy_enforcement":{}}"#), Some("policy_enforcement"));
    assert_eq!(name("facebook", r#"{"delivery":{}}"#), Some("delivery"));
    assert_eq!(name("instagram", r#"{"delivery":{}}"#), None);
    assert_eq!(name("whatsapp", r#"{"message":{}}"#), None);
    assert_eq!(name("facebook", "{}"), None);
}

#[test]
fn the_key_is_what_the_event_is_about() {
    let of_page = |text| page::subject(&object(text));
    assert_eq!(of_page(r#"{"post_id":"1_2","comment_id":"2_3"}"#).as_deref(), Some("1_2"));
    assert_eq!(of_page(r#"{"post":{"id":"1_2"},"photo_id":5}"#).as_deref(), Some("1_2"));
    assert_eq!(of_page(r#"{"post_id":null,"photo_id":5}"#).as_deref(), Some("5"));
    assert_eq!(of_page(r#"{"user_id":5}"#), None);
    let of_instagram = instagram::subject(&object(r#"{"id":"1","media":{"id":"2"}}"#));
    assert_eq!(of_instagram.as_deref(), Some("2"));
    assert_eq!(of_other("whatsapp", &object(r#"{"post_id":"1"}"#)).0, None);

    let party = |text| conversations::subject(&object(text), "12");
    assert_eq!(party(r#"{"sender":{"id":"7"},"recipient":{"id":"12"}}"#).as_deref(), Some("7"));
    assert_eq!(party(r#"{"sender":{"id":12},"recipient":{"id":7}}"#).as_deref(), Some("7"));
    assert_eq!(party(r#"{"sender":{"user_ref":"r"},"recipient":{"id":"12"}}"#).as_deref(), Some("r"));
    assert_eq!(party(r#"{"recipient":{"id":"12"}}"#), None);
    assert_eq!(party(r#"{"sender":"7"}"#), None);
}
