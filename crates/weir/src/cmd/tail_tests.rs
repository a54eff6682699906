use super::*;

#[test]
fn a_start_is_read_from_text() {
    assert_eq!(parse_from("beginning"), Ok(From::Beginning));
    assert_eq!(parse_from("end"), Ok(From::End));
    assert_eq!(
        parse_from("2026-05-28T20:26:40Z"),
        Ok(From::Time(prost_types::Timestamp { seconds: 1_780_000_000, nanos: 0 }))
    );
    for wrong in ["", "now", "2026-05-28", "2026-05-28T20:26:40"] {
        assert!(parse_from(wrong).unwrap_err().contains("2026-01-31T10:00:00Z"), "{wrong}");
    }
}

#[test]
fn topics_are_found_with_and_without_prefix() {
    let topics = || vec!["raw.meta".to_owned(), "activities".to_owned(), "__offsets".to_owned()];
    let find = |asked, prefix, topics| find(asked, prefix, topics, "the log in x/log");
    assert_eq!(find("activities", "", topics()).unwrap(), "activities");
    assert_eq!(find("test.activities", "test.", topics()).unwrap(), "activities");
    assert_eq!(find("activities", "test.", topics()).unwrap(), "activities");
    let error = find("comments", "", topics()).unwrap_err().to_string();
    assert_eq!(error, "the log in x/log has no topic comments. There are:\n  activities\n  raw.meta");
    let error = find("raw.metta", "", topics()).unwrap_err().to_string();
    assert_eq!(error, "the log in x/log has no topic raw.metta. There are:\n  raw.meta");
    let error = find("comments", "", vec![]).unwrap_err().to_string();
    assert!(error.starts_with("the log in x/log has no topics yet") && error.contains("start weir up"), "{error}");
}
