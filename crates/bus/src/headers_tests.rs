use proptest::prelude::*;

use super::*;

fn again(headers: &Headers) -> Headers {
    let written = headers.written();
    Headers::read(written.iter().map(|(name, value)| (*name, Some(value.as_bytes()))))
}

#[test]
fn writes_the_cloudevents_binding() {
    let headers = Headers {
        id: "0f".to_owned(),
        source: "meta".to_owned(),
        r#type: "weir.raw.v1.Delivery".to_owned(),
        time: Some(Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 }),
        traceparent: Some("00-1-2-01".to_owned()),
        from: "log.1/raw.meta/0/7".parse().ok(),
        attempts: 2,
        items: vec![3, 617],
        instead_of: ["log.1/raw.meta/0/7", "log.1/raw.meta/0/9"].iter().map(|at| at.parse().unwrap()).collect(),
        canaries: vec!["raw.meta/0@1700000000500".parse().unwrap()],
    };
    let written = headers.written();
    let written: Vec<_> = written.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        written,
        [
            ("ce_specversion", "1.0"),
            ("content-type", "application/protobuf"),
            ("ce_id", "0f"),
            ("ce_source", "meta"),
            ("ce_type", "weir.raw.v1.Delivery"),
            ("ce_time", "2023-11-14T22:13:20.500Z"),
            ("traceparent", "00-1-2-01"),
            ("weir-from", "log.1/raw.meta/0/7"),
            ("weir-attempts", "2"),
            ("weir-items", "3,617"),
            ("weir-instead-of", "log.1/raw.meta/0/7,log.1/raw.meta/0/9"),
            ("weir-canary", "raw.meta/0@1700000000500"),
        ]
    );
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let odd: [(&str, Option<&[u8]>); 10] = [
        ("ce_id", Some(&[0xff])),
        ("ce_type", None),
        ("ce_time", Some(b"yesterday")),
        ("weir-from", Some(b"nowhere")),
        ("ce_source", Some(b"first")),
        ("ce_source", Some(b"last")),
        ("unknown", Some(b"x")),
        ("weir-attempts", Some(b"-1")),
        ("weir-items", Some(b"1,2,three")),
        ("weir-instead-of", Some(b"log.1/raw.meta/0/7,nowhere")),
    ];
    assert_eq!(Headers::read(odd), Headers { source: "last".to_owned(), ..Headers::default() });
}

proptest! {
    #[test]
    fn come_back_as_they_were(
        id in "\\PC*", source in "\\PC*", kind in "\\PC*",
        // The years 1 to 9999, which RFC 3339 has.
        time in prop::option::of((-62_135_596_800i64..253_402_300_800, 0..1_000_000_000i32)),
        traceparent in prop::option::of("\\PC*"),
        from in prop::option::of(("[a-z.]{0,9}", "[a-z.]{1,9}", 0..99i32, 0..i64::MAX)),
        places in prop::collection::vec(("[a-z.]{0,9}", "[a-z.]{1,9}", 0..99i32, 0..i64::MAX), 0..4),
        attempts in any::<u32>(),
        items in prop::collection::vec(any::<u32>(), 0..9),
    ) {
        let at = |(log, topic, partition, offset): (String, String, i32, i64)| {
            Coordinates { log: log.into(), topic: topic.into(), partition, offset }
        };
        let headers = Headers {
            id, source, r#type: kind, traceparent, attempts, items,
            time: time.map(|(seconds, nanos)| Timestamp { seconds, nanos }),
            from: from.map(at),
            instead_of: places.into_iter().map(at).collect(),
            canaries: Vec::new(),
        };
        prop_assert_eq!(again(&headers), headers);
    }
}
