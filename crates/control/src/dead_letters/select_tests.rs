use common::time::from_rfc3339;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn letter() -> DeadLetter {
    DeadLetter {
        id: ID.into(),
        stage: "processing".into(),
        reason: "not_json".into(),
        source: "meta".into(),
        endpoint: "app".into(),
        failed_at: from_rfc3339("2026-01-31T10:00:00.500Z"),
        ..DeadLetter::default()
    }
}

#[test]
fn everything_that_is_set_has_to_fit() {
    let at = |text: &str| from_rfc3339(text);
    let any = Selection::default;
    let table = [
        (any(), true),
        (Selection { ids: vec![ID.into()], ..any() }, true),
        (Selection { ids: vec!["f".repeat(32), ID.into()], ..any() }, true),
        (Selection { ids: vec!["f".repeat(32)], ..any() }, false),
        (Selection { stage: "processing".into(), ..any() }, true),
        (Selection { stage: "enricher".into(), ..any() }, false),
        (Selection { source: "meta".into(), reason: "not_json".into(), endpoint: "app".into(), ..any() }, true),
        (Selection { source: "github".into(), ..any() }, false),
        (Selection { reason: "not".into(), ..any() }, false),
        (Selection { endpoint: "app2".into(), ..any() }, false),
        // From this time on, and before that one.
        (Selection { from: at("2026-01-31T10:00:00.500Z"), ..any() }, true),
        (Selection { from: at("2026-01-31T10:00:00.501Z"), ..any() }, false),
        (Selection { until: at("2026-01-31T10:00:00.500Z"), ..any() }, false),
        (Selection { until: at("2026-01-31T10:00:00.501Z"), ..any() }, true),
    ];
    for (selection, fits) in table {
        assert_eq!(Filter::new(&selection).unwrap().fits(&letter()), fits, "{selection:?}");
        let says_nothing = Selection { until: None, ..selection.clone() } == any();
        assert_eq!(Filter::new(&selection).unwrap().is_everything(), says_nothing, "{selection:?}");
    }
}

#[test]
fn what_came_after_a_time_can_be_left_out() {
    let at = |text: &str| from_rfc3339(text).unwrap();
    let until = |text: &str| Filter::new(&Selection { until: from_rfc3339(text), ..Selection::default() }).unwrap();
    assert!(Filter::default().before(&at("2026-01-31T10:00:01Z")).fits(&letter()));
    assert!(!Filter::default().before(&at("2026-01-31T10:00:00Z")).fits(&letter()));
    assert!(!until("2026-01-31T10:00:00Z").before(&at("2026-01-31T10:00:01Z")).fits(&letter()));
    assert!(!until("2026-01-31T10:00:01Z").before(&at("2026-01-31T10:00:00Z")).fits(&letter()));
}

#[test]
fn what_cannot_be_is_said_with_its_field() {
    let table = [
        (Selection { ids: vec!["12".into()], ..Selection::default() }, "selection.ids", "32"),
        (Selection { ids: vec![ID.to_uppercase()], ..Selection::default() }, "selection.ids", "a-f"),
        (
            Selection {
                from: from_rfc3339("2026-01-31T10:00:00Z"),
                until: from_rfc3339("2026-01-31T10:00:00Z"),
                ..Selection::default()
            },
            "selection.until",
            "nothing could be selected",
        ),
    ];
    for (selection, field, says) in table {
        let invalid = Filter::new(&selection).unwrap_err();
        assert_eq!(invalid.field, field);
        assert!(invalid.problem.contains(says), "{invalid}");
    }
}

#[test]
fn a_letter_that_was_written_twice_is_one() {
    let mut seen = Seen::default();
    assert!(seen.is_new(&letter()));
    assert!(!seen.is_new(&letter()));
    let foreign = DeadLetter { id: "what I call it".into(), ..letter() };
    assert!(seen.is_new(&foreign) && seen.is_new(&foreign), "nobody knows what its id means");
}
