use common::activity::v1::{Activity, Object};
use common::json::Value;
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use serde_json::json;

use crate::Source as _;

/// The activities of what a page's entry has in one of its lists.
fn activities(list: &str, item: Value) -> Vec<Activity> {
    let body = json!({"object": "page", "entry": [{"id": "12", list: [item]}]}).to_string();
    let delivery = Delivery { body: body.into(), ..Delivery::default() };
    let parsed = crate::meta::Meta.parse(&delivery, &Registrations::default());
    assert_eq!((parsed.items.len(), parsed.refusals().count()), (1, 0), "{parsed:?}");
    parsed.events().flat_map(|event| event.activities.clone()).collect()
}

pub(super) fn of_change(field: &str, value: &str) -> Activity {
    let value: Value = serde_json::from_str(value).unwrap();
    let mut all = activities("changes", json!({"field": field, "value": value}));
    assert_eq!(all.len(), 1, "{field} {value}");
    all.remove(0)
}

/// What a value of Facebook says, as `VERB object > target + instrument @ thread (reaction)`.
fn said(field: &str, value: &str) -> String {
    show(&of_change(field, value))
}

/// The same of an item of a conversation.
fn spoken(item: &str) -> Vec<String> {
    activities("messaging", serde_json::from_str(item).unwrap()).iter().map(show).collect()
}

pub(super) fn show(activity: &Activity) -> String {
    let verb = activity.verb().as_str_name().trim_start_matches("VERB_");
    let part = |mark: &str, part: &Option<Object>| {
        part.as_ref().map_or(String::new(), |part| format!(" {mark}{}:{}", part.r#type, part.id))
    };
    let (object, target) = (part("", &activity.object), part("> ", &activity.target));
    let (instrument, thread) = (part("+ ", &activity.instrument), part("@ ", &activity.thread));
    let reaction = activity.reaction.as_ref().map_or(String::new(), |reaction| format!(" ({reaction})"));
    format!("{verb}{object}{target}{instrument}{thread}{reaction}")
}

#[test]
fn what_is_done_to_what_on_a_page() {
    let cases = [
        ("feed", r#"{"item":"post","verb":"add","post_id":"12_1"}"#, "POST post:12_1 > page:12 @ post:12_1"),
        ("feed", r#"{"item":"post","verb":"update","post":{"id":"12_1"}}"#, "EDIT post:12_1 > page:12 @ post:12_1"),
        ("feed", r#"{"item":"status","verb":"delete","post_id":"12_1"}"#, "DELETE status:12_1 > page:12 @ post:12_1"),
        (
            "feed",
            r#"{"item":"comment","verb":"add","comment_id":"1_2","post_id":"12_1","parent_id":"12_1"}"#,
            "COMMENT comment:1_2 > post:12_1 @ post:12_1",
        ),
        (
            "feed",
            r#"{"item":"comment","verb":"add","comment_id":"1_3","post_id":"12_1","parent_id":"1_2"}"#,
            "COMMENT comment:1_3 > comment:1_2 @ post:12_1",
        ),
        (
            "feed",
            r#"{"item":"comment","verb":"remove","comment_id":"1_3","parent_id":"12_1"}"#,
            "DELETE comment:1_3 > post:12_1",
        ),
        ("feed", r#"{"item":"comment","verb":"unhide"}"#, "UNHIDE comment:"),
        ("feed", r#"{"item":"like","verb":"add","user_id":5}"#, "REACT page:12 (like)"),
        ("feed", r#"{"item":"like","verb":"add","photo_id":5}"#, "REACT photo:5 > page:12 @ photo:5 (like)"),
        (
            "feed",
            r#"{"item":"like","verb":"remove","post_id":"12_1"}"#,
            "UNREACT post:12_1 > page:12 @ post:12_1 (like)",
        ),
        (
            "feed",
            r#"{"item":"reaction","verb":"add","reaction_type":"wow","comment_id":"1_2","post_id":"12_1"}"#,
            "REACT comment:1_2 > post:12_1 @ post:12_1 (wow)",
        ),
        (
            "feed",
            r#"{"item":"reaction","verb":"edit","reaction_type":"sorry","post_id":"12_1"}"#,
            "REACT post:12_1 > page:12 @ post:12_1 (sorry)",
        ),
        (
            "feed",
            r#"{"item":"share","verb":"add","share_id":3,"post_id":"12_3"}"#,
            "SHARE share:12_3 > page:12 + share:3 @ post:12_3",
        ),
        ("feed", r#"{"item":"video","verb":"block","video_id":3}"#, "BLOCK video:3 > page:12 @ video:3"),
        ("feed", r#"{"item":"video","verb":"unblock","video_id":3}"#, "UNBLOCK video:3 > page:12 @ video:3"),
        (
            "feed",
            r#"{"item":"photo","verb":"hide","photo_id":3,"post_id":"12_3"}"#,
            "HIDE photo:12_3 > page:12 + photo:3 @ post:12_3",
        ),
        ("feed", r#"{"item":"connection","verb":"follow"}"#, "FOLLOW page:12"),
        ("feed", r#"{"item":"profile","verb":"mute"}"#, "HIDE profile: > page:12"),
        ("feed", r#"{"item":"post","verb":"teleport","post_id":"12_1"}"#, "UPDATE post:12_1 > page:12 @ post:12_1"),
        ("feed", r#"{"item":"video","verb":"remove","post_id":"12_3"}"#, "DELETE video:12_3 > page:12 @ post:12_3"),
        (
            "mention",
            r#"{"item":"comment","verb":"add","comment_id":"8_1","post_id":"9_8"}"#,
            "MENTION comment:8_1 > page:12 @ post:9_8",
        ),
        ("mention", r#"{"item":"post","verb":"add","post_id":"9_8"}"#, "MENTION post:9_8 > page:12 @ post:9_8"),
        ("leadgen", r#"{"leadgen_id":1,"form_id":2,"ad_id":3}"#, "OPEN lead:1 > form:2 + ad:3"),
        ("leadgen", "{}", "OPEN lead: > page:12"),
        (
            "ratings",
            r#"{"item":"rating","verb":"add","open_graph_story_id":6,"rating":3}"#,
            "RATE rating:6 > page:12 @ rating:6 (3)",
        ),
        (
            "ratings",
            r#"{"item":"comment","verb":"add","comment_id":"6_2","open_graph_story_id":6,"post_id":"7_6","parent_id":"7_6"}"#,
            "COMMENT comment:6_2 > rating:6 @ rating:6",
        ),
        (
            "ratings",
            r#"{"item":"comment","verb":"add","comment_id":"6_1","open_graph_story_id":6}"#,
            "COMMENT comment:6_1 > rating:6 @ rating:6",
        ),
        (
            "ratings",
            r#"{"item":"reaction","verb":"remove","reaction_type":"love","open_graph_story_id":6}"#,
            "UNREACT rating:6 > page:12 @ rating:6 (love)",
        ),
    ];
    for (field, value, expected) in cases {
        assert_eq!(said(field, value), expected, "{field} {value}");
    }
}

#[test]
fn what_is_said_in_a_conversation() {
    let cases: [(&str, &[&str]); 18] = [
        (r#"{"sender":{"id":"7"},"recipient":{"id":"12"},"message":{"mid":"m"}}"#, &["MESSAGE message:m > page:12"]),
        (
            r#"{"sender":{"id":12},"recipient":{"id":7},"message":{"mid":"m","is_echo":true}}"#,
            &["MESSAGE message:m > user:7"],
        ),
        (r#"{"message":{"mid":"m","is_deleted":true}}"#, &["DELETE message:m"]),
        (r#"{"read":{"watermark":1}}"#, &["READ message:"]),
        (r#"{"delivery":{"mids":["a","b",null]}}"#, &["DELIVER message:a", "DELIVER message:b"]),
        (r#"{"delivery":{"watermark":1}}"#, &["DELIVER message:"]),
        (r#"{"reaction":{"mid":"m","action":"react","emoji":"x"}}"#, &["REACT message:m (x)"]),
        (r#"{"reaction":{"mid":"m","action":"unreact"}}"#, &["UNREACT message:m"]),
        (r#"{"optin":{"ref":"r"}}"#, &["OPT_IN opt_in:"]),
        (r#"{"referral":{"ref":"r"}}"#, &["OPEN conversation:"]),
        (r#"{"payment":{"payment_credential":{"charge_id":"c"}}}"#, &["POST payment:c"]),
        (r#"{"policy-enforcement":{"action":"unblock"}}"#, &["UNBLOCK page:12"]),
        (r#"{"account_linking":{"status":"unlinked"}}"#, &["UPDATE account_link:"]),
        (r#"{"take_thread_control":{}}"#, &["UPDATE conversation:"]),
        (
            r#"{"sender":{"id":"7"},"recipient":{"id":"12"},"pass_thread_control":{"new_owner_app_id":"2"}}"#,
            &["UPDATE conversation: > user:7 + app:2"],
        ),
        (
            r#"{"message":{"mid":"m","attachments":[{"type":"image","payload":{"url":"u"}}]}}"#,
            &["MESSAGE message:m + image:"],
        ),
        (
            r#"{"message":{"mid":"m","attachments":[{"type":"image","payload":{"sticker_id":3}}]}}"#,
            &["MESSAGE message:m + image:3"],
        ),
        (r#"{"message":{"mid":"m","reply_to":{"story":{"id":"s","url":"u"}}}}"#, &["MESSAGE message:m @ story:s"]),
    ];
    for (item, expected) in cases {
        assert_eq!(spoken(item), expected, "{item}");
    }
}

#[test]
fn one_receipt_makes_no_more_activities_than_it_may() {
    let mids = vec![r#""m""#; 1000].join(",");
    assert_eq!(spoken(&format!(r#"{{"delivery":{{"mids":[{mids}]}}}}"#)).len(), 100);
}

#[test]
fn who_did_it_in_every_form() {
    let who = |value: &str| {
        let actor = of_change("feed", value).actor;
        actor.map(|actor| (actor.id, actor.name, actor.r#type))
    };
    let actor = |id: &str, name: &str, r#type: &str| Some((id.to_owned(), name.to_owned(), r#type.to_owned()));
    assert_eq!(who(r#"{"item":"post","from":{"id":7,"name":"Ann"},"sender_id":8}"#), actor("7", "Ann", ""));
    assert_eq!(who(r#"{"item":"post","sender_id":12,"sender_name":"Bakery"}"#), actor("12", "Bakery", "page"));
    assert_eq!(who(r#"{"item":"rating","reviewer_id":7,"reviewer_name":"Ann"}"#), actor("7", "Ann", ""));
    assert_eq!(who(r#"{"item":"like","user_id":7}"#), actor("7", "", ""));
    assert_eq!(who(r#"{"item":"post","from":null}"#), None);
}

#[test]
fn links_are_each_told_once() {
    let value = r#"{"item":"photo","link":"a","photo":7,"photos":["b","a",null,{},8],"video":""}"#;
    assert_eq!(of_change("feed", value).links, ["a", "b"]);
}

#[test]
fn what_a_kind_has_no_field_for_is_in_no_activity() {
    let activity = of_change("feed", r#"{"item":"question","photo":"a","reviewer_name":"Ann","review_text":"words"}"#);
    assert_eq!((activity.actor, activity.text, activity.links), (None, None, Vec::new()));
}

#[test]
fn whose_conversation_an_app_hands_over_is_not_who_does_it() {
    let who = |control: &str| {
        let item = format!(r#"{{"sender":{{"id":"7"}},"recipient":{{"id":"12"}},{control}}}"#);
        let actor = activities("messaging", serde_json::from_str(&item).unwrap()).remove(0).actor;
        actor.map(|actor| (actor.id, actor.r#type))
    };
    let app = |id: &str| Some((id.to_owned(), "app".to_owned()));
    assert_eq!(who(r#""pass_thread_control":{"previous_owner_app_id":1,"new_owner_app_id":2}"#), app("1"));
    assert_eq!(who(r#""take_thread_control":{"previous_owner_app_id":1,"new_owner_app_id":2}"#), app("2"));
    assert_eq!(who(r#""take_thread_control":{"previous_owner_app_id":1}"#), None);
    assert_eq!(who(r#""request_thread_control":{"requested_owner_app_id":3}"#), app("3"));
}

#[test]
fn the_platforms_word_and_the_page_are_in_every_activity() {
    let framed = |activity: Activity| {
        let account = activity.account.unwrap();
        (activity.action, account.r#type, account.id, account.title)
    };
    let frame = |action: &str, name: &str| (action.to_owned(), "page".to_owned(), "12".to_owned(), name.to_owned());
    assert_eq!(framed(of_change("feed", r#"{"item":"post","verb":"edited","post_id":"12_1"}"#)), frame("edited", ""));
    let own = r#"{"item":"post","verb":"add","post_id":"12_1","from":{"id":12,"name":"Bakery"}}"#;
    assert_eq!(framed(of_change("feed", own)), frame("add", "Bakery"));
    assert_eq!(framed(of_change("leadgen", r#"{"leadgen_id":1}"#)), frame("leadgen", ""));
    for (item, action) in [
        (r#"{"message":{"mid":"m"}}"#, "message"),
        (r#"{"reaction":{"mid":"m","action":"unreact"}}"#, "unreact"),
        (r#"{"policy-enforcement":{"action":"block"}}"#, "policy_enforcement"),
    ] {
        let activity = activities("messaging", serde_json::from_str(item).unwrap()).remove(0);
        assert_eq!(framed(activity), frame(action, ""));
    }
}

#[test]
fn what_is_not_known_is_an_activity_all_the_same() {
    let other = of_change("parcels", r#"{"verb":"publish","sender_id":7,"sender_name":"Ann"}"#);
    assert_eq!(show(&other), "OTHER parcels:");
    assert_eq!((other.action.as_str(), other.event_type.as_str()), ("publish", "weir.event.v1.Other"));
    assert_eq!(other.actor.map(|actor| (actor.id, actor.name)), Some(("7".to_owned(), "Ann".to_owned())));
    let mut unknown = activities("messaging", serde_json::from_str(r#"{"sender":{"id":"7"},"game_play":{}}"#).unwrap());
    assert_eq!(unknown.len(), 1);
    let unknown = unknown.remove(0);
    assert_eq!(show(&unknown), "OTHER messaging/game_play:");
    assert_eq!((unknown.action.as_str(), unknown.actor.unwrap().id.as_str()), ("game_play", "7"));
}
