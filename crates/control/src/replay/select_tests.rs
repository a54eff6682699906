use common::time::from_rfc3339;

use super::*;

const DAYS: Duration = Duration::from_secs(8 * DAY_SECONDS);

fn at(text: &str) -> Timestamp {
    from_rfc3339(text).unwrap()
}

fn known() -> Known<'static> {
    Known { now: to_millis(&at("2026-01-31T10:00:00Z")), claims: DAYS, sources: &["meta", "github"] }
}

fn selection(from: &str, until: Option<&str>) -> RawSelection {
    RawSelection { from: Some(at(from)), until: until.map(at), ..RawSelection::default() }
}

fn filter(selection: &RawSelection) -> Result<RawFilter, InvalidField> {
    RawFilter::new(selection, known(), |endpoint| endpoint == "app")
}

#[test]
fn what_cannot_be_is_said_with_its_field() {
    let day = "2026-01-31T00:00:00Z";
    let of = |endpoints: &[&str], source: &str| RawSelection {
        endpoints: endpoints.iter().map(|name| (*name).to_owned()).collect(),
        source: source.to_owned(),
        ..selection(day, None)
    };
    let table = [
        (RawSelection::default(), "selection.from", "is missing"),
        (selection("2026-01-31T10:00:00Z", None), "selection.from", "future"),
        (selection(day, Some("2026-01-30T00:00:00Z")), "selection.until", "not after"),
        (selection(day, Some(day)), "selection.until", "not after"),
        (selection("2026-01-01T00:00:00Z", Some("2026-01-23T10:00:00Z")), "selection.until", "claims last 8"),
        (of(&["app", "ap"], ""), "selection.endpoints", "\"ap\", which is not registered"),
        (of(&["app"], "stripe"), "selection.source", "meta, github"),
    ];
    for (selection, field, says) in table {
        let invalid = filter(&selection).unwrap_err();
        assert_eq!(invalid.field, field, "{invalid}");
        assert!(invalid.problem.contains(says), "{invalid}");
    }
    assert!(filter(&of(&["app"], "github")).is_ok());
    // A part that is older than the claims is refused one by one, with their counts.
    assert!(filter(&selection("2026-01-01T00:00:00Z", Some("2026-01-23T10:00:01Z"))).is_ok());
}

#[test]
fn the_time_is_that_of_the_door() {
    let until = filter(&selection("2026-01-31T09:00:00Z", Some("2026-01-31T09:30:00Z"))).unwrap();
    let accepted = |text| Delivery { received_at: Some(at(text)), ..Delivery::default() };
    let long_after = to_millis(&at("2026-01-31T09:59:00Z"));
    for (text, fits) in [
        ("2026-01-31T08:59:59.999Z", false),
        ("2026-01-31T09:00:00Z", true),
        ("2026-01-31T09:29:59.999Z", true),
        ("2026-01-31T09:30:00Z", false),
    ] {
        assert_eq!(until.fits(&accepted(text), long_after), fits, "{text}");
    }
    // What does not say when it was accepted is as old as its record.
    assert!(!until.fits(&Delivery::default(), long_after));
    assert!(until.fits(&Delivery::default(), to_millis(&at("2026-01-31T09:10:00Z"))));
    // What comes from now on is not meant.
    let open = filter(&selection("2026-01-31T09:00:00Z", Some("2026-02-20T00:00:00Z"))).unwrap();
    assert!(open.fits(&accepted("2026-01-31T09:59:59Z"), 0) && !open.fits(&accepted("2026-01-31T10:00:00Z"), 0));
    assert_eq!(open.from(Duration::from_secs(60)), at("2026-01-31T08:59:00Z"));
}

#[test]
fn endpoints_and_source_have_to_fit() {
    let one = RawSelection {
        endpoints: vec!["app".into()],
        source: "meta".into(),
        ..selection("2026-01-31T09:00:00Z", None)
    };
    let one = filter(&one).unwrap();
    assert!(one.means("meta") && !one.means("github"));
    let now = to_millis(&at("2026-01-31T09:10:00Z"));
    let of = |endpoint: &str| Delivery { endpoint: endpoint.into(), ..Delivery::default() };
    assert!(one.fits(&of("app"), now) && !one.fits(&of("other"), now));
}
