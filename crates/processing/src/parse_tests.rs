use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::activity::v1::Activity;
use common::registrations::Registrations;
use prost::Message as _;
use sources::{Descriptor, ParseRefusal, Parsed, ParsedEvent, Reason, Secrets, Traits, VerifyError};

use super::*;
use common::identity::Id;
use prost_types::Timestamp;

/// What a body asks for: `panic`, or the numbers of events, each with as many activities, `x` for a refused one.
struct Script;

static SCRIPT: Descriptor = Descriptor {
    name: "script",
    about: "a test",
    platforms: &["script"],
    traits: Traits { answer_within: Duration::from_secs(1), retries: true, max_body: 1 },
    handshake: false,
    signature: "",
    sample_signature: "",
    kept_headers: &[],
    setup: "",
    sample_headers: |_| Vec::new(),
};

impl Source for Script {
    fn descriptor(&self) -> &'static Descriptor {
        &SCRIPT
    }
    fn verify(
        &self,
        _: &http::HeaderMap,
        _: &[u8],
        _: &Secrets<'_>,
        _: SystemTime,
    ) -> Result<&'static str, VerifyError> {
        Err(VerifyError::NoSecret)
    }
    fn parse(&self, delivery: &Delivery, _: &dyn Tenants) -> Parsed {
        let body = std::str::from_utf8(&delivery.body).unwrap();
        assert_ne!(body, "panic", "told to");
        let item = |(index, word): (usize, &str)| {
            let index = index as u32;
            if word == "x" {
                return sources::Item::Refused(ParseRefusal::item(
                    index,
                    Reason::WrongShape,
                    "an x",
                    "{\"x\":1}".into(),
                ));
            }
            let id = Id::of("script", &delivery.tenant, &[word.as_bytes()]);
            let activity = |ordinal| Activity { id: format!("{id}-{ordinal}"), ordinal, ..Activity::default() };
            sources::Item::Event(ParsedEvent {
                id,
                index,
                topic: "events.script.word".into(),
                ce_type: "weir.script.v1.Word".into(),
                platform: "script",
                tenant: delivery.tenant.clone(),
                account_id: String::new(),
                subject: format!("subject of {word}"),
                occurred_at: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
                payload: word.into(),
                activities: (0..word.parse().unwrap()).map(activity).collect(),
            })
        };
        Parsed { items: body.split(' ').enumerate().map(item).collect() }
    }
}

fn script(name: &str) -> Option<&'static dyn Source> {
    (name == "script").then_some(&Script)
}

fn at() -> Coordinates {
    Coordinates { log: Arc::from("log.0"), topic: Arc::from("dev.raw.script.bulk"), partition: 3, offset: 7 }
}

fn delivery(body: &str) -> Delivery {
    Delivery {
        delivery_id: "d1".into(),
        source: "script".into(),
        endpoint: "app".into(),
        tenant: "acme".into(),
        received_at: Some(Timestamp { seconds: 1_700_000_100, nanos: 0 }),
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Delivery::default()
    }
}

fn parsed(payload: Option<&Bytes>) -> ParsedRecord {
    let (at, headers) = (at(), Headers { source: "weir/streaming/door".into(), ..Headers::default() });
    let input = Input { at: &at, payload, headers: &headers, traceparent: Some("00-aa-bb-01") };
    parse_with(input, &Registrations::default(), None, script)
}

fn of(delivery: &Delivery) -> ParsedRecord {
    parsed(Some(&Bytes::from(delivery.encode_to_vec())))
}

/// The only item, refused.
fn refused(outcome: ParsedRecord) -> RefusedItem {
    let [Item::Refused(refused)] = outcome.items.as_slice() else { panic!("{outcome:?}") };
    refused.clone()
}

#[test]
fn an_event_becomes_its_record_and_those_of_its_activities() {
    let outcome = of(&delivery("2 x 0"));
    assert_eq!(outcome.refused(), 1);
    let [Item::Event(two), Item::Refused(x), Item::Event(zero)] = outcome.items.as_slice() else {
        panic!("{outcome:?}")
    };
    assert_eq!((two.index, x.index, zero.index), (0, 1, 2));
    assert_eq!((two.records.len(), zero.records.len()), (3, 1));
    assert_eq!(two.ce_type(), "weir.script.v1.Word");

    let [typed, first, second] = two.records.as_slice() else { panic!() };
    assert_eq!(&*typed.topic, "events.script.word");
    assert_eq!(typed.key, b"subject of 2");
    assert_eq!(typed.payload.as_deref(), Some(b"2".as_slice()));
    let headers = Headers {
        id: two.id.to_string(),
        source: "weir/processing/app".into(),
        r#type: "weir.script.v1.Word".into(),
        time: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        traceparent: Some("00-aa-bb-01".into()),
        from: Some(at()),
        ..Headers::default()
    };
    assert_eq!(typed.headers, headers);
    for (ordinal, record) in [first, second].into_iter().enumerate() {
        assert_eq!((&*record.topic, record.key.as_slice()), ("activities", b"subject of 2".as_slice()));
        let activity = Activity::decode(record.payload.as_deref().unwrap()).unwrap();
        assert_eq!(activity.ordinal as usize, ordinal);
        let id = format!("{}-{ordinal}", two.id);
        let of_activity = Headers { id, r#type: "weir.activity.v1.Activity".into(), ..headers.clone() };
        assert_eq!(record.headers, of_activity);
    }
    assert_eq!((x.reason, x.content_type), ("wrong_shape", "application/json"));
    assert_eq!(&x.payload[..], b"{\"x\":1}");
}

#[test]
fn a_module_that_breaks_costs_its_delivery_and_no_other() {
    let broken = delivery("panic");
    let outcome = of(&broken);
    assert_eq!(
        (outcome.origin.endpoint.as_str(), outcome.origin.tenant.as_str(), outcome.origin.delivery_id.as_str()),
        ("app", "acme", "d1")
    );
    let refused = refused(outcome);
    assert_eq!((refused.reason, refused.content_type), ("panic", "application/protobuf"));
    assert_eq!(refused.payload, broken.encode_to_vec(), "the whole record, so that it can be replayed");
    assert!(refused.message.contains("told to"), "{}", refused.message);
    assert_eq!(of(&delivery("1")).refused(), 0);
}

#[test]
fn what_the_process_ended_on_is_kept_whole_and_not_read() {
    let (at, headers) = (at(), Headers { source: "weir/streaming/door".into(), ..Headers::default() });
    for payload in [Bytes::from_static(b"anything"), Bytes::from(delivery("1 2").encode_to_vec())] {
        let input = Input { at: &at, payload: Some(&payload), headers: &headers, traceparent: None };
        let outcome = crashed(input, 3);
        assert_eq!(
            (outcome.origin.source.as_str(), outcome.origin.endpoint.as_str()),
            ("script", "door"),
            "as its place tells"
        );
        let refused = refused(outcome);
        assert_eq!((refused.reason, refused.content_type), ("crash", "application/protobuf"));
        assert_eq!(refused.payload, payload);
        assert!(refused.message.contains("crashed 3 times"), "{}", refused.message);
    }
}

#[test]
fn what_is_no_delivery_is_kept_with_what_its_place_tells() {
    let junk = Bytes::from_static(b"\xff\xff not protobuf");
    let outcome = parsed(Some(&junk));
    assert_eq!((outcome.origin.source.as_str(), outcome.origin.endpoint.as_str()), ("script", "door"));
    let undecodable = refused(outcome);
    assert_eq!((undecodable.reason, undecodable.content_type), ("undecodable", "application/octet-stream"));
    assert_eq!(undecodable.payload, junk);

    let nothing = refused(parsed(None));
    assert_eq!((nothing.reason, nothing.payload.len()), ("no_value", 0));
    // Zero bytes decode as a message in which everything is missing.
    assert_eq!(refused(parsed(Some(&Bytes::new()))).reason, "undecodable");
    for (field, broken) in [
        ("delivery_id", Delivery { delivery_id: String::new(), ..delivery("1") }),
        ("source", Delivery { source: String::new(), ..delivery("1") }),
        ("endpoint", Delivery { endpoint: String::new(), ..delivery("1") }),
        ("tenant", Delivery { tenant: String::new(), ..delivery("1") }),
        ("received_at", Delivery { received_at: None, ..delivery("1") }),
    ] {
        let refused = refused(of(&broken));
        assert_eq!(refused.reason, "undecodable");
        assert!(refused.message.contains(field), "{}", refused.message);
    }

    let unknown = Delivery { source: "myspace".into(), ..delivery("1") };
    let refused = refused(of(&unknown));
    assert_eq!((refused.reason, refused.content_type), ("unknown_source", "application/protobuf"));
    assert_eq!(refused.payload, unknown.encode_to_vec());
}

#[test]
fn an_event_that_cannot_be_written_keeps_what_came_and_not_what_was_made_of_it() {
    let ping = r#"{ "zen" : "Keep it logically awesome.", "odd":1.50, "repository":{"id":1} }"#;
    let body =
        |source: &str, text: &str| Delivery { source: source.into(), body: text.to_owned().into(), ..delivery("") };
    let keeps = |delivery: &Delivery, position: u32| {
        let sent = sent(Some(&delivery.encode_to_vec().into()), &[position].into());
        let bytes = &sent[&position];
        (String::from_utf8(bytes.to_vec()).unwrap(), sources::parsed::content_type(bytes))
    };
    assert_eq!(keeps(&body("github", ping), 0), (ping.to_owned(), "application/json"));
    let form = "payload=%7B%7D&x=1";
    assert_eq!(keeps(&body("github", form), 0), (form.to_owned(), "application/octet-stream"));
    let change = r#"{"field":"unheard of",  "value":{"n":1.50}}"#;
    let page = |changes: &str| format!(r#"{{"object":"page","entry":[{{"id":"7","changes":[{changes}]}}]}}"#);
    let batch = body("meta", &page(&format!("{change},{change}")));
    assert_eq!(keeps(&batch, 1), (page(change), "application/json"), "one change in its envelope, not the batch");
    assert_eq!(keeps(&batch, 7), (page(&format!("{change},{change}")), "application/json"), "or else all that came");
}

#[test]
fn what_weighs_too_much_is_refused_whole_before_it_is_read() {
    let tiny = format!(r#"{{"commits":[{}{{}}]}}"#, r#"{"a":1},"#.repeat(400_000));
    let of = |source: &str| {
        let delivery = Delivery { source: source.into(), body: tiny.clone().into(), ..delivery("") };
        let (at, headers) = ("log.1/raw.github/2/99".parse().unwrap(), Headers::default());
        let payload = Bytes::from(delivery.encode_to_vec());
        let input = Input { at: &at, payload: Some(&payload), headers: &headers, traceparent: None };
        parse(input, &Registrations::default())
    };
    for source in ["github", "standard_webhooks"] {
        let outcome = of(source);
        let [Item::Refused(refused)] = outcome.items.as_slice() else { panic!("{:?}", outcome.items.len()) };
        assert_eq!((refused.reason, refused.content_type), ("too_many_values", "application/json"));
        assert!(refused.payload == tiny.as_bytes(), "the body as it came");
        assert_eq!(outcome.origin.source, source);
    }
}

#[test]
fn a_replay_of_some_items_leaves_the_dead_letters_of_the_others_alone() {
    let kept = |body: &str, positions: &[u32]| -> Vec<u32> {
        let mut outcome = of(&delivery(body));
        outcome.keep_refused(positions);
        outcome.items.iter().map(Item::index).collect()
    };
    assert_eq!(kept("1 x 2 x x", &[]), [0, 1, 2, 3, 4]);
    assert_eq!(kept("1 x 2 x x", &[3]), [0, 2, 3]);
    assert_eq!(kept("1 x 2 x x", &[2]), [0, 2]);
    // It is not read as it was: then nothing may get lost.
    assert_eq!(kept("x", &[3]), [0]);
    assert_eq!(kept("panic", &[3]), [0]);
}
