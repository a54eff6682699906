use proptest::prelude::*;

use super::*;

fn headers() -> impl Strategy<Value = Headers> {
    let text = "[ -~]{0,20}";
    (text, text, text, prop::option::of(text)).prop_map(|(id, source, r#type, traceparent)| Headers {
        id,
        source,
        r#type,
        time: Some(common::time::from_millis(1_700_000_000_123)),
        traceparent,
        from: "log.1/raw.meta/3/7".parse().ok(),
        attempts: 3,
        items: vec![0, 7],
        instead_of: vec!["log.1/raw.meta/3/5".parse().unwrap()],
        canaries: vec!["raw.meta/3@17".parse().unwrap()],
    })
}

proptest! {
    #[test]
    fn keys_sort_as_they_are_to_be_read(
        one in (any::<u32>(), any::<u32>(), 0..i64::MAX),
        other in (any::<u32>(), any::<u32>(), 0..i64::MAX),
    ) {
        let key = |(topic, partition, offset)| record_key(topic, partition, offset);
        prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        prop_assert_eq!(offset(&key(one)), Some(one.2));
    }

    #[test]
    fn records_come_back_as_they_were(
        key in prop::collection::vec(any::<u8>(), 0..40),
        payload in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
        headers in headers(),
        time in any::<i64>(),
    ) {
        let mut value = record(&key, &headers.written(), payload.as_deref());
        stamp(&mut value, time);
        prop_assert_eq!(produced_at(&value), Some(time));
        let content = read_record(&Bytes::from(value)).unwrap();
        prop_assert_eq!(content.produced_at_ms, time);
        prop_assert_eq!(content.key.as_deref().unwrap_or_default(), &key[..]);
        prop_assert_eq!(content.payload.as_deref(), payload.as_deref());
        prop_assert_eq!(content.headers, headers);
    }

    #[test]
    fn what_is_cut_or_changed_is_no_reason_to_stop(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = (read_record(&Bytes::from(bytes.clone())), TopicRow::read(&bytes));
        let _ = (read_range(&bytes), read_committed(&bytes), offset(&bytes));
        let _ = (read_group_key(&bytes), Mark::read(&bytes, &bytes));
    }

    #[test]
    fn groups_and_marks_come_back_as_they_were(
        group in "[a-z.]{1,20}",
        (topic, partition) in any::<(u32, u32)>(),
        (end, at, newest) in (0..i64::MAX, any::<i64>(), any::<i64>()),
    ) {
        let key = group_key(&group, topic, partition);
        prop_assert!(key.starts_with(&group_prefix(&group)));
        prop_assert_eq!(read_group_key(&key), Some((group.as_str(), topic, partition)));
        let (key, mark) = (mark_key(topic, partition, end), Mark { end, at, newest });
        prop_assert!(key.starts_with(&mark_prefix(topic, partition)));
        prop_assert_eq!(Mark::read(&key, &mark.write()), Some(mark));
    }

    #[test]
    fn topics_come_back_as_they_were(
        number in any::<u32>(),
        partitions in any::<u32>(),
        config in prop::collection::vec(("[a-z.]{0,10}", "[ -~]{0,10}"), 0..4),
    ) {
        let row = TopicRow { number, partitions, config };
        prop_assert_eq!(TopicRow::read(&row.write()), Some(row));
    }

    #[test]
    fn a_group_has_keys_of_its_own(
        one in ("[a-z.]{0,4}", 0..3u32, 0..3u32),
        other in ("[a-z.]{0,4}", 0..3u32, 0..3u32),
    ) {
        let key = |(group, topic, partition): &(String, u32, u32)| group_key(group, *topic, *partition);
        prop_assert_eq!(key(&one) == key(&other), one == other);
    }
}

/// What was written by a version must be read by all later ones: change the format's number before a line of this.
#[test]
fn the_format_is_what_it_was() {
    assert_eq!(FORMAT, 1);
    assert_eq!(record_key(1, 2, 3), [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
    assert_eq!((FORMAT_KEY, IDENTITY, NEXT_TOPIC), (&b"format"[..], &b"identity"[..], &b"next"[..]));
    assert_eq!(topic_key("raw.meta"), b"topic/raw.meta");
    assert_eq!(range_key(1, 2), b"range/\0\0\0\x01\0\0\0\x02");
    assert_eq!(group_key("stage", 1, 2), b"group/stage\0\0\0\0\x01\0\0\0\x02");
    assert_eq!(range(1, 258), b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x01\x02");
    assert_eq!(committed(258, "weir:ended=1"), b"\0\0\0\0\0\0\x01\x02weir:ended=1");
    let row = TopicRow { number: 7, partitions: 6, config: vec![("a".to_owned(), "bc".to_owned())] };
    assert_eq!(row.write(), b"\0\0\0\x07\0\0\0\x06\0\0\0\x01a\0\0\0\x02bc");
    let mut full = record(b"key", &[("ce_id", "00ff".to_owned())], Some(b"payload"));
    stamp(&mut full, 258);
    assert_eq!(full, b"\0\0\0\0\0\0\x01\x02\x03\0\0\0\x03key\0\x01\0\0\0\x05ce_id\0\0\0\x0400ffpayload");
    assert_eq!(record(b"", &[], None), b"\0\0\0\0\0\0\0\0\0\0\0", "a tombstone without a key");
    assert_eq!(record(b"", &[], Some(b"")), b"\0\0\0\0\0\0\0\0\x02\0\0", "empty, and no tombstone");
}
