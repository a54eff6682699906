use super::*;
use crate::standard_webhooks::v1::Message;

fn object(json: &str) -> Object {
    serde_json::from_str(json).unwrap()
}

#[test]
fn what_has_a_field_is_typed_and_the_rest_is_kept() {
    let event: Message = read_event(
        object(r#"{"type":"invoice.paid","timestamp":"2022-11-03T20:26:10Z","data":{"id":1.50},"a/b~c":null}"#),
        "",
    );
    assert_eq!(event.r#type.as_deref(), Some("invoice.paid"));
    assert_eq!(event.timestamp.unwrap().seconds, 1_667_507_170);
    let unknown: Vec<_> = event.unknown.iter().map(|(path, json)| (path.as_str(), json.as_str())).collect();
    assert_eq!(unknown, [("/a~1b~0c", "null"), ("/data", r#"{"id":1.50}"#)]);
}

#[test]
fn a_time_that_is_a_number_fills_its_field_and_is_kept_as_sent() {
    for (sent, nanos) in [("1667507170", 0), ("1667507170.5", 500_000_000), (r#""1667507170""#, 0)] {
        let event: Message = read_event(object(&format!("{{\"timestamp\":{sent}}}")), "");
        let at = prost_types::Timestamp { seconds: 1_667_507_170, nanos };
        assert_eq!(event.timestamp, Some(at), "{sent}");
        assert_eq!(event.unknown["/timestamp"], sent);
    }
    let event: Message = read_event(object(r#"{"timestamp":"soon"}"#), "");
    assert_eq!((event.timestamp, event.unknown["/timestamp"].as_str()), (None, r#""soon""#));
}

#[test]
fn a_list_with_nothing_in_it_is_not_the_same_as_none() {
    fn kept(json: &str) -> BTreeMap<String, String> {
        let mut unknown = BTreeMap::new();
        let mut reader = Reader { unknown: &mut unknown, path: "/a".to_owned() };
        let value = || serde_json::from_str::<Value>(json).unwrap();
        reader.strings("s", value(), &mut Vec::new());
        reader.int64s("i", value(), &mut Vec::new());
        reader.messages::<Message>("m", value(), &mut Vec::new());
        unknown
    }
    let empty = ["/a/i", "/a/m", "/a/s"].map(|path| (path.to_owned(), "[]".to_owned()));
    assert_eq!(kept("[]"), BTreeMap::from(empty));
    // An item that has no place says by its path that there was a list, and an object that it was there.
    assert_eq!(kept("[[]]").len(), 3);
    assert_eq!(kept("[[]]")["/a/m/0"], "[]");
    let mut list: Vec<Message> = Vec::new();
    let mut unknown = BTreeMap::new();
    let value = serde_json::from_str("[{}]").unwrap();
    Reader { unknown: &mut unknown, path: String::new() }.messages("m", value, &mut list);
    assert_eq!((list.len(), unknown.len()), (1, 0));
}

#[test]
fn what_does_not_fit_or_would_print_differently_is_kept_as_sent() {
    let event: Message = read_event(object(r#"{"type":{"a":1},"timestamp":"2022-11-03T20:26:10.0+00:00"}"#), "/value");
    assert_eq!(event.r#type, None);
    assert_eq!(event.timestamp.unwrap().seconds, 1_667_507_170);
    assert_eq!(event.unknown["/value/type"], r#"{"a":1}"#);
    assert_eq!(event.unknown["/value/timestamp"], r#""2022-11-03T20:26:10.0+00:00""#);
}

#[test]
fn canonical_text_sorts_members_and_keeps_number_tokens() {
    // Only an exponent without a sign gains one, always the same.
    let value: Value = serde_json::from_str(r#"{"b":1.0,"a":[1e5,-0,12345678901234567890123],"c":"ä\u0001"}"#).unwrap();
    assert_eq!(canonical(&value), r#"{"a":[1e+5,-0,12345678901234567890123],"b":1.0,"c":"ä\u0001"}"#);
}

#[test]
fn scalars_by_the_table() {
    fn reads<T: std::fmt::Debug + PartialEq>(
        read: impl Fn(&mut Reader<'_>, &str, Value, &mut Option<T>),
        json: &str,
        expected: Option<T>,
        kept: bool,
    ) {
        let mut unknown = BTreeMap::new();
        let mut field = None;
        read(
            &mut Reader { unknown: &mut unknown, path: String::new() },
            "k",
            serde_json::from_str(json).unwrap(),
            &mut field,
        );
        assert_eq!(field, expected, "{json}");
        assert_eq!(unknown.get("/k").map(String::as_str), kept.then_some(json), "{json}");
    }
    let string = |json, expected: Option<&str>, kept| {
        reads(|r, k, v, f| r.string(k, v, f), json, expected.map(str::to_owned), kept)
    };
    string(r#""a""#, Some("a"), false);
    string("12", Some("12"), false);
    string("123456789012345678901234567890", Some("123456789012345678901234567890"), false);
    string("null", None, true);
    string("true", None, true);
    string("[]", None, true);
    let int64 = |json, expected, kept| reads(|r, k, v, f| r.int64(k, v, f), json, expected, kept);
    int64("12", Some(12), false);
    int64(r#""12""#, Some(12), false);
    int64(r#""012""#, None, true);
    int64("1.0", None, true);
    int64("9223372036854775808", None, true);
    let double = |json, expected, kept| reads(|r, k, v, f| r.double(k, v, f), json, expected, kept);
    double("1.5", Some(1.5), false);
    double("1.50", Some(1.5), true);
    double("1e+999", None, true);
    double(r#""1.5""#, None, true);
    let boolean = |json, expected, kept| reads(|r, k, v, f| r.boolean(k, v, f), json, expected, kept);
    boolean("true", Some(true), false);
    boolean("1", Some(true), true);
    boolean("0", Some(false), true);
    boolean("2", None, true);
    boolean(r#""false""#, None, true);
}

#[test]
fn names_that_the_sender_chooses() {
    let texts = |json: &str| {
        let (mut unknown, mut field) = (BTreeMap::new(), BTreeMap::new());
        let value = serde_json::from_str(json).unwrap();
        Reader { unknown: &mut unknown, path: String::new() }.texts("k", value, &mut field);
        let field: Vec<_> = field.into_iter().map(|(name, text)| format!("{name}={text}")).collect();
        (
            field.join(" "),
            unknown.into_iter().map(|(path, json)| format!("{path}={json}")).collect::<Vec<_>>().join(" "),
        )
    };
    let both = |field: &str, unknown: &str| (field.to_owned(), unknown.to_owned());
    assert_eq!(texts(r#"{"issues":"write","a/b":7,"c":null}"#), both("a/b=7 issues=write", "/k/c=null"));
    assert_eq!(texts("{}"), both("", "/k={}"));
    assert_eq!(texts("null"), both("", "/k=null"));
    assert_eq!(texts(r#"["x"]"#), both("", r#"/k=["x"]"#));
}
