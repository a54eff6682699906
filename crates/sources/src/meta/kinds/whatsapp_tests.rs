use common::activity::v1::Activity;
use common::json::Value;
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use serde_json::json;

use super::activities_tests::{of_change, show};
use crate::Source as _;

/// The activities of an item of one of the lists, whose number is 45 and whose only contact is Ilse.
fn activities(list: &str, item: Value) -> Vec<Activity> {
    let value = json!({
        "metadata": {"display_phone_number": "45", "phone_number_id": "3"},
        "contacts": [{"wa_id": "7", "profile": {"name": "Ilse", "username": "@ilse"}}], list: [item],
    });
    of_value("messages", value)
}

fn of_value(field: &str, value: Value) -> Vec<Activity> {
    let change = json!({"field": field, "value": value});
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "12", "changes": [change]}]}).to_string();
    let delivery = Delivery { body: body.into(), ..Delivery::default() };
    let parsed = crate::meta::Meta.parse(&delivery, &Registrations::default());
    assert_eq!((parsed.items.len(), parsed.refusals().count()), (1, 0), "{parsed:?}");
    parsed.events().flat_map(|event| event.activities.clone()).collect()
}

/// `actor: VERB object > target + instrument @ thread (reaction) "text" [status]`
fn told(activity: &Activity) -> String {
    let actor = activity.actor.as_ref().map_or(String::new(), |actor| format!("{}:{}: ", actor.r#type, actor.id));
    let text = activity.text.as_ref().map_or(String::new(), |text| format!(" {text:?}"));
    let status = activity.object.as_ref().map(|object| object.status.as_str()).filter(|status| !status.is_empty());
    let status = status.map_or(String::new(), |status| format!(" [{status}]"));
    format!("{actor}{}{text}{status}", show(activity))
}

fn said(list: &str, item: &str) -> Vec<String> {
    activities(list, serde_json::from_str(item).unwrap()).iter().map(told).collect()
}

fn changed(field: &str, value: &str) -> String {
    let all = of_value(field, serde_json::from_str(value).unwrap());
    assert_eq!(all.len(), 1, "{field} {value}");
    told(&all[0])
}

#[test]
fn what_is_said_to_a_number() {
    let from = r#""from":"7","id":"m""#;
    for (content, expected) in [
        (r#""text":{"body":"Rye?"}"#, r#"user:7: MESSAGE message:m > phone_number:45 "Rye?""#),
        (
            r#""text":{"body":"Yes"},"context":{"id":"k"}"#,
            r#"user:7: MESSAGE message:m > phone_number:45 @ message:k "Yes""#,
        ),
        (r#""group_id":"g","text":{"body":"Hi"}"#, r#"user:7: MESSAGE message:m > group:g "Hi""#),
        (r#""image":{"id":"9","caption":"This"}"#, r#"user:7: MESSAGE message:m > phone_number:45 + image:9 "This""#),
        (r#""location":{"name":"Bakery"}"#, "user:7: MESSAGE message:m > phone_number:45 + location:"),
        (r#""contacts":[{"name":{"formatted_name":"L"}}]"#, "user:7: MESSAGE message:m > phone_number:45 + contact:"),
        (
            r#""interactive":{"type":"button_reply","button_reply":{"id":"y","title":"Yes"}}"#,
            r#"user:7: MESSAGE message:m > phone_number:45 + button_reply: "Yes""#,
        ),
        (r#""button":{"text":"No","payload":"n"}"#, r#"user:7: MESSAGE message:m > phone_number:45 + button: "No""#),
        (r#""order":{"catalog_id":"77"}"#, "user:7: MESSAGE message:m > phone_number:45 + catalog:77"),
        (
            r#""text":{"body":"?"},"referral":{"source_id":"5","source_type":"ad","source_url":"https://a.example"}"#,
            r#"user:7: MESSAGE message:m > phone_number:45 + ad:5 "?""#,
        ),
        (r#""errors":[{"code":131051}]"#, "user:7: MESSAGE message:m > phone_number:45 [unsupported]"),
        (r#""reaction":{"message_id":"k","emoji":"x"}"#, "user:7: REACT message:k > phone_number:45 (x)"),
        (r#""reaction":{"message_id":"k"}"#, "user:7: UNREACT message:k > phone_number:45"),
        (r#""reaction":{"message_id":"k","emoji":""}"#, "user:7: UNREACT message:k > phone_number:45"),
        (
            r#""edit":{"original_message_id":"k","message":{"text":{"body":"New"}}}"#,
            r#"user:7: EDIT message:k > phone_number:45 "New""#,
        ),
        (r#""revoke":{"original_message_id":"k"}"#, "user:7: DELETE message:k > phone_number:45"),
        (
            r#""system":{"body":"7 is 8 now","wa_id":"8","type":"user_changed_number"}"#,
            r#"UPDATE user:7 > phone_number:45 + user:8 "7 is 8 now""#,
        ),
    ] {
        assert_eq!(said("messages", &format!("{{{from},{content}}}")), [expected], "{content}");
    }
    // The business's own.
    let echo = r#"{"from":"45","to":"7","id":"m","text":{"body":"Yes"}}"#;
    assert_eq!(said("message_echoes", echo), [r#"page:12: MESSAGE message:m > user:7 "Yes""#]);
}

#[test]
fn who_says_it() {
    let all = activities("messages", json!({"from_user_id": "DK.1", "id": "m", "type": "text", "text": {"body": "x"}}));
    let actor = all[0].actor.clone().unwrap();
    assert_eq!((actor.id.as_str(), actor.name.as_str(), actor.handle.as_str()), ("7", "Ilse", "@ilse"));
    assert_eq!(all[0].action, "text");
    let account = all[0].account.clone().unwrap();
    assert_eq!((account.r#type.as_str(), account.id.as_str(), account.title.as_str()), ("page", "12", "45"));
}

#[test]
fn what_became_of_a_message() {
    for (status, expected) in [
        (r#""status":"sent""#, "page:12: MESSAGE message:m > user:7 [sent]"),
        (r#""status":"delivered""#, "user:7: DELIVER message:m > phone_number:45 [delivered]"),
        (r#""status":"read""#, "user:7: READ message:m > phone_number:45 [read]"),
        (
            r#""status":"failed","errors":[{"code":1,"title":"T","error_data":{"details":"Not on WhatsApp"}}]"#,
            r#"UPDATE message:m > user:7 "Not on WhatsApp" [failed]"#,
        ),
        (r#""status":"hovering""#, "UPDATE message:m > user:7 [hovering]"),
    ] {
        assert_eq!(said("statuses", &format!(r#"{{"id":"m","recipient_id":"7",{status}}}"#)), [expected], "{status}");
    }
    let of_group =
        r#"{"id":"m","status":"read","recipient_id":"g","recipient_type":"group","recipient_participant_id":"8"}"#;
    assert_eq!(said("statuses", of_group), ["user:8: READ message:m > group:g [read]"]);
}

#[test]
fn what_else_a_change_holds() {
    for (list, item, expected) in [
        (
            "errors",
            r#"{"code":5,"title":"T","error_data":{"details":"D"}}"#,
            &[r#"UPDATE error:5 > phone_number:45 "D""#][..],
        ),
        ("calls", r#"{"id":"c","from":"7","event":"connect"}"#, &["user:7: START call:c > phone_number:45"]),
        (
            "calls",
            r#"{"id":"c","to":"7","direction":"BUSINESS_INITIATED","event":"terminate","status":"COMPLETED"}"#,
            &["page:12: COMPLETE call:c > user:7 [completed]"],
        ),
        ("user_preferences", r#"{"wa_id":"7","value":"stop"}"#, &["user:7: UPDATE opt_in: > phone_number:45 [stop]"]),
        (
            "user_preferences",
            r#"{"wa_id":"7","value":"resume"}"#,
            &["user:7: OPT_IN opt_in: > phone_number:45 [resume]"],
        ),
        ("user_id_update", r#"{"wa_id":"7","user_id":{"previous":"a","current":"b"}}"#, &["UPDATE user:7 + user:b"]),
        ("groups", r#"{"group_id":"g","type":"group_create"}"#, &["POST group:g"]),
        (
            "groups",
            r#"{"group_id":"g","type":"group_participants_add","added_participants":[{"wa_id":"7"},{"input":"8"}]}"#,
            &["UPDATE group:g + user:7", "UPDATE group:g + user:8"],
        ),
        (
            "groups",
            r#"{"group_id":"g","initiated_by":"participant","removed_participants":[{"wa_id":"7"}]}"#,
            &["user:7: UPDATE group:g + user:7"],
        ),
        ("groups", r#"{"group_id":"g","type":"group_join_request_created","wa_id":"8"}"#, &["user:8: UPDATE group:g"]),
    ] {
        assert_eq!(said(list, item), expected, "{list} {item}");
    }
    let many: Vec<_> = (0..300).map(|n| json!({"wa_id": n.to_string()})).collect();
    assert_eq!(activities("groups", json!({"group_id": "g", "added_participants": many})).len(), 100);
}

#[test]
fn what_the_platform_does_with_an_account() {
    let template = r#""message_template_id":34,"message_template_name":"ready""#;
    for (field, value, expected) in [
        (
            "message_template_status_update",
            format!(r#"{{{template},"event":"REJECTED","reason":"INVALID_FORMAT"}}"#),
            r#"UPDATE template:34 > page:12 "INVALID_FORMAT" [rejected]"#,
        ),
        (
            "message_template_status_update",
            format!(r#"{{{template},"event":"DELETED","reason":"NONE"}}"#),
            "DELETE template:34 > page:12 [deleted]",
        ),
        (
            "message_template_quality_update",
            format!(r#"{{{template},"new_quality_score":"RED"}}"#),
            "UPDATE template:34 > page:12 + quality:",
        ),
        (
            "message_template_components_update",
            format!(r#"{{{template},"message_template_element":"Ready."}}"#),
            r#"EDIT template:34 > page:12 "Ready.""#,
        ),
        (
            "template_category_update",
            format!(r#"{{{template},"new_category":"UTILITY"}}"#),
            "UPDATE template:34 > page:12 + category:",
        ),
        (
            "account_update",
            r#"{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE"}}"#.to_owned(),
            "BLOCK page:12 [disable]",
        ),
        (
            "account_update",
            r#"{"event":"ACCOUNT_VIOLATION","violation_info":{"violation_type":"SPAM"}}"#.to_owned(),
            r#"UPDATE page:12 "SPAM""#,
        ),
        ("account_review_update", r#"{"decision":"APPROVED"}"#.to_owned(), "UPDATE page:12 [approved]"),
        (
            "phone_number_quality_update",
            r#"{"display_phone_number":"45","event":"UPGRADE","current_limit":"TIER_1K"}"#.to_owned(),
            "UPDATE phone_number:45 > page:12 + limit:",
        ),
        (
            "security",
            r#"{"display_phone_number":"45","event":"PIN_CHANGED","requester":"6"}"#.to_owned(),
            "user:6: UPDATE phone_number:45 > page:12",
        ),
        (
            "account_alerts",
            r#"{"alert_info":{"alert_type":"OBA_APPROVED","alert_status":"ACTIVE","alert_description":"D"}}"#
                .to_owned(),
            r#"UPDATE alert: > page:12 "D" [active]"#,
        ),
    ] {
        assert_eq!(changed(field, &value), expected, "{field} {value}");
    }
    // The action is the platform's word, and where it has none the field.
    let action = |field: &str, value: Value| of_value(field, value).remove(0).action;
    assert_eq!(action("message_template_status_update", json!({"event": "PAUSED"})), "PAUSED");
    assert_eq!(action("business_capability_update", json!({})), "business_capability_update");
}

#[test]
fn fields_of_a_page() {
    let told = |field: &str, value: &str| told(&of_change(field, value));
    assert_eq!(told("name", r#""Lumen""#), "UPDATE page:12 + name:");
    assert_eq!(of_change("name", r#""Lumen""#).object.unwrap().title, "Lumen");
    assert_eq!(told("live_videos", r#"{"id":"5","status":"live"}"#), "START live_video:5 > page:12 [live]");
    assert_eq!(
        told("live_videos", r#"{"id":"5","status":"live_stopped"}"#),
        "COMPLETE live_video:5 > page:12 [live_stopped]"
    );
    assert_eq!(told("videos", r#"{"id":"5","status":{"video_status":"ready"}}"#), "COMPLETE video:5 > page:12 [ready]");
    assert_eq!(told("conversations", r#"{"thread_id":"t"}"#), "UPDATE conversation:t > page:12");
    let label = r#"{"user":{"id":"7"},"action":"add","label":{"id":"3","name":"n"}}"#;
    assert_eq!(told("inbox_labels", label), "UPDATE user:7 > page:12 + label:3");
    assert_eq!(of_change("inbox_labels", label).action, "add");
}
