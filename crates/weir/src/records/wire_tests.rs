use super::*;

#[test]
fn a_record_comes_as_it_went() {
    let headers = Headers {
        id: "an id".into(),
        source: "a/source".into(),
        r#type: "weir.raw.v1.Delivery".into(),
        time: common::time::from_rfc3339("2026-01-31T10:00:00Z"),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        from: Some("log/topic/3/4".parse().unwrap()),
        attempts: 1,
        items: vec![2],
        instead_of: vec!["log/topic/3/5".parse().unwrap()],
        canaries: vec!["raw.meta/3@17".parse().unwrap()],
    };
    let coordinates = "some-log/weir.events.x/5/1234567890123".parse().unwrap();
    for (key, payload) in
        [(None, None), (Some("key".into()), Some(vec![0, 0xff].into())), (Some("".into()), Some("".into()))]
    {
        let headers = headers.clone();
        let went = Stored { coordinates: Coordinates::clone(&coordinates), key, payload, headers, produced_at_ms: 17 };
        assert_eq!(stored(record(went.clone())), went);
    }
}

#[test]
fn a_start_comes_as_it_went() {
    let time = common::time::from_rfc3339("2026-01-31T10:00:00Z").unwrap();
    for went in [Start::Beginning, Start::End, Start::LastN(7), Start::AtTime(time)] {
        assert_eq!(format!("{:?}", asked(Some(start(&went)))), format!("{went:?}"));
    }
    assert!(matches!(asked(None), Start::Beginning));
}
