use super::*;

fn around<'a>(delivery: &mut Delivery<'a>, entry: &mut Entry<'a>, list: List, item: Option<&str>) -> String {
    entry.around(delivery, list).with(item)
}

#[test]
fn an_item_in_its_envelope_is_the_text_that_was_sent() {
    let mut delivery = Delivery::new(members(r#"{"object":"page","api":{"a": 1},"x\"y":2}"#).unwrap());
    let mut entry = Entry::new(members(r#"{"id":12, "time":1.50, "uid":"7", "hop":[ ]}"#).unwrap()).unwrap();
    assert_eq!(entry.account, "12");
    // What belongs to the delivery and the entry goes with the first item.
    assert_eq!(
        around(&mut delivery, &mut entry, List::Changes, Some(r#"{ "b": 1e5 }"#)),
        r#"{"object":"page","api":{"a": 1},"x\"y":2,"entry":[{"id":12,"time":1.50,"uid":"7","hop":[ ],"changes":[{ "b": 1e5 }]}]}"#
    );
    assert_eq!(
        around(&mut delivery, &mut entry, List::Standby, Some("{}")),
        r#"{"object":"page","entry":[{"id":12,"time":1.50,"uid":"7","standby":[{}]}]}"#
    );
    assert_eq!(
        around(&mut delivery, &mut entry, List::Entry, Some(r#"{"field":"a","value":1}"#)),
        r#"{"object":"page","entry":[{"id":12,"time":1.50,"uid":"7","field":"a","value":1}]}"#
    );
    assert_eq!(
        around(&mut delivery, &mut entry, List::Messaging, None),
        r#"{"object":"page","entry":[{"id":12,"time":1.50,"uid":"7"}]}"#
    );
}

#[test]
fn what_is_long_is_not_repeated() {
    let long = "9".repeat(300);
    let body = format!(r#"{{"object":"{long}","b":1}}"#);
    let head = format!(r#"{{"id":"12","time":{long},"uid":["{long}"]}}"#);
    let mut delivery = Delivery::new(members(&body).unwrap());
    assert!(delivery.object.is_none() && delivery.odd_object);
    let mut entry = Entry::new(members(&head).unwrap()).unwrap();
    assert!(entry.time.is_none());
    let first = around(&mut delivery, &mut entry, List::Changes, Some("1"));
    assert_eq!(first.matches(&long).count(), 3);
    let second = around(&mut delivery, &mut entry, List::Changes, Some("2"));
    assert_eq!(second, r#"{"entry":[{"id":"12","changes":[2]}]}"#);
}

#[test]
fn what_a_delivery_is_about() {
    let of = |body| {
        let delivery = Delivery::new(members(body).unwrap());
        (delivery.object, delivery.odd_object)
    };
    assert_eq!(of(r#"{"object":"page"}"#), (Some("page".to_owned()), false));
    assert_eq!(of(r#"{"object":"a","object":"b"}"#), (Some("b".to_owned()), false));
    assert_eq!(of("{}"), (None, false));
    assert_eq!(of(r#"{"object":null}"#), (None, false));
    assert_eq!(of(r#"{"object":7}"#), (None, true));
    assert_eq!(of(r#"{"object":["page"]}"#), (None, true));
}

#[test]
fn an_entry_needs_an_id() {
    for head in ["{}", r#"{"id":null}"#, r#"{"id":true}"#, r#"{"id":""}"#, r#"{"id":["1"]}"#] {
        assert!(Entry::new(members(head).unwrap()).is_none(), "{head}");
    }
    assert!(!Entry::new(members(r#"{"id":1,"time":2,"a":[],"b":null,"c":{}}"#).unwrap()).unwrap().has_more());
    assert!(Entry::new(members(r#"{"id":1,"a":false}"#).unwrap()).unwrap().has_more());
}
