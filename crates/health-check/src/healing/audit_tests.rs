use super::*;

fn attempt(at_ms: i64, came: Came) -> Attempt {
    let (target, reason) = ("loader".to_owned(), "loader_progress: stands".to_owned());
    let problem = if came == Came::Refused { "403 Forbidden".to_owned() } else { String::new() };
    Attempt { at_ms, remedy: "restart", target, reason, came, problem }
}

#[test]
fn people_hear_of_what_was_done_for_an_hour_and_each_is_news() {
    let audit = Audit::default();
    audit.add(attempt(0, Came::Applied));
    audit.add(attempt(60_000, Came::DryRun));
    audit.add(attempt(61_000, Came::Overtaken));
    let alerts = audit.alerts(62_000);
    let told: Vec<_> = alerts.iter().map(|one| (one.class, one.text.as_str(), one.subjects[0].as_str())).collect();
    let done = "restart loader: done at 1970-01-01T00:00:00Z, because of loader_progress: stands";
    let dry =
        "restart loader: dry run: would have been done at 1970-01-01T00:01:00Z, because of loader_progress: stands";
    assert_eq!(told, [(Class::Log, dry, "1970-01-01T00:01:00Z"), (Class::Log, done, "1970-01-01T00:00:00Z")]);
    assert!(alerts.iter().all(|one| (one.stage.as_str(), one.check.as_str()) == ("loader", "healing")));
    assert_eq!(audit.alerts(TOLD_MS).len(), 1);
    assert_eq!(audit.alerts(TOLD_MS + 60_000), []);
}

#[test]
fn what_a_person_has_to_do_is_a_ticket_as_long_as_it_lasts() {
    let audit = Audit::default();
    audit.add(attempt(0, Came::Refused));
    audit.open("restart", "loader", Some("could not be done".to_owned()));
    audit.open("restart", "loader", Some("still not".to_owned()));
    let alerts = audit.alerts(TOLD_MS * 5);
    assert_eq!((alerts[0].class, alerts[0].text.as_str()), (Class::Ticket, "restart loader: still not"));
    assert_eq!(alerts.len(), 1);
    audit.open("restart", "loader", None);
    assert_eq!(audit.alerts(0), []);
}

#[test]
fn the_latest_are_kept() {
    let audit = Audit::default();
    (0..50).for_each(|at| audit.add(attempt(at, Came::Applied)));
    let kept: Vec<_> = audit.attempts().iter().map(|one| one.at_ms).collect();
    assert_eq!(kept, (30..50).rev().collect::<Vec<_>>());
}
