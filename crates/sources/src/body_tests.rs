use super::*;

fn reason(body: &[u8]) -> Reason {
    value(body).unwrap_err().reason
}

#[test]
fn each_fault_has_its_reason() {
    let deep = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes();
    let cases: &[(&[u8], Reason)] = &[
        (b"", Reason::Empty),
        (b" \r\n\t", Reason::Empty),
        (b"{\"a\":\"\xff\"}", Reason::NotUtf8),
        (b"\xff\xfe{\0}\0", Reason::NotUtf8),
        (b"{\"a\":1", Reason::Truncated),
        (b"{\"a\":\"b", Reason::Truncated),
        (b"[1,2", Reason::Truncated),
        (b"tru", Reason::Truncated),
        (b"{\"a\":1,}", Reason::NotJson),
        (b"{'a':1}", Reason::NotJson),
        (b"{} {}", Reason::NotJson),
        (b"<xml/>", Reason::NotJson),
        (b"NaN", Reason::NotJson),
        (b"{\"a\":\"\\ud800\",}", Reason::NotJson),
        (b"{\"a\":\"\\ud800\"", Reason::Truncated),
        (b"\xef\xbb\xbf", Reason::Empty),
        (b" \xef\xbb\xbf{}", Reason::NotJson),
        (&deep(129), Reason::TooDeep),
        (&deep(10_000), Reason::TooDeep),
        (&deep(10_000)[..10_000], Reason::TooDeep),
    ];
    for (body, expected) in cases {
        assert_eq!(reason(body), *expected, "{}", String::from_utf8_lossy(&body[..body.len().min(40)]));
    }
}

#[test]
fn nested_objects_are_too_deep_on_a_small_stack_as_well() {
    let body = ["{\"a\":".repeat(10_000), "1".to_owned(), "}".repeat(10_000)].concat();
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    let parsed =
        small.spawn(move || value(body.as_bytes()).unwrap_err().refuse(body.as_bytes())).unwrap().join().unwrap();
    let refused: Vec<_> = parsed.refusals().collect();
    assert_eq!(refused[0].reason, Reason::TooDeep);
    assert_eq!(refused[0].content_type, "application/json");
    assert_eq!(refused[0].payload.len(), 60_001);
}

#[test]
fn what_is_just_deep_enough_is_read() {
    let body = ["[".repeat(127), "]".repeat(127)].concat();
    assert!(value(body.as_bytes()).is_ok());
}

#[test]
fn messages_say_where() {
    assert_eq!(value(b"{\"a\":1,\n}").unwrap_err().message, "the body is not JSON: trailing comma at line 2 column 1");
    assert_eq!(value(b"ab\xff").unwrap_err().message, "the body is not UTF-8 from byte 2 on");
    let error = value(b"{\"a\":").unwrap_err();
    assert_eq!(error.message, "the body is truncated: EOF while parsing a value at line 1 column 5");
}

#[test]
fn numbers_out_of_range_keep_their_digits() {
    let object = object(br#"{"id":123456789012345678901234567890,"price":1.50,"huge":1e+400}"#).unwrap();
    assert_eq!(object["id"].to_string(), "123456789012345678901234567890");
    assert_eq!(object["price"].to_string(), "1.50");
    assert_eq!(object["huge"].to_string(), "1e+400");
}

#[test]
fn an_object_is_asked_for() {
    for (body, what) in
        [("null", "null"), ("true", "a boolean"), ("1", "a number"), ("\"a\"", "a string"), ("[{}]", "a list")]
    {
        let error = object(body.as_bytes()).unwrap_err();
        assert_eq!(
            (error.reason, error.message),
            (Reason::WrongShape, format!("the body is {what}, not a JSON object"))
        );
    }
    assert_eq!(kind(&Value::Object(Object::new())), "an object");
}

#[test]
fn a_byte_order_mark_says_nothing() {
    assert_eq!(value(b"\xef\xbb\xbf{\"a\":1}"), value(b"{\"a\":1}"));
    assert_eq!(object(b"\xef\xbb\xbf\r\n{}").unwrap().len(), 0);
}

#[test]
fn half_of_a_surrogate_pair_is_replaced_and_kept_as_it_was_sent() {
    let (object, sent) = object_as_sent(br#"{"a":"x\ud83d","b":["\ud83d\ude00","\udc00"]}"#).unwrap();
    assert_eq!(object["a"], "x\u{fffd}");
    assert_eq!(object["b"][0], "\u{1f600}");
    let sent: Vec<_> = sent.iter().map(|(pointer, text)| (pointer.as_str(), text.as_str())).collect();
    assert_eq!(sent, [("/a", r#""x\ud83d""#), ("/b/1", r#""\udc00""#)]);
    assert_eq!(string(r#""\ud83d""#).as_deref(), Some("\u{fffd}"));
    assert_eq!(string("7"), None);
}

#[test]
fn a_header_that_is_empty_is_not_there() {
    let header_of =
        |name: &str, value: &str| common::raw::v1::Header { name: name.to_owned(), value: value.to_owned() };
    let delivery = Delivery {
        headers: vec![header_of("a", " "), header_of("b", " x "), header_of("b", "y")],
        ..Delivery::default()
    };
    let header = |name| kept_header(&delivery, name);
    assert_eq!((header("a"), header("b"), header("c")), (None, Some("x"), None));
}

#[test]
fn an_id_is_a_number_or_a_text() {
    let of = |json: &str| text_of(&json::parse(json).unwrap());
    for (json, id) in
        [("7", "7"), ("\"a-7\"", "a-7"), ("123456789012345678901234567890", "123456789012345678901234567890")]
    {
        assert_eq!(of(json).as_deref(), Some(id));
    }
    for json in ["\"\"", "null", "true", "[7]", "{\"id\":7}"] {
        assert_eq!(of(json), None, "{json}");
    }
}
