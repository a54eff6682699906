use super::*;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_368_490 + seconds)
}

fn none() -> Errors {
    Errors { kept: Mutex::new(Kept::new()) }
}

fn error<'a>(endpoint: &'a str, text: &'a str) -> Error<'a> {
    Error { hop: "loader", endpoint, kind: ErrorKind::Logged, text }
}

/// Number, endpoint, text and count of each.
fn told(errors: &Errors, now: SystemTime) -> Vec<(u64, String, String, u64)> {
    let told = errors.told(now).0.into_iter();
    told.map(|one| (one.number, one.endpoint, one.text, one.count)).collect()
}

#[test]
fn errors_that_say_the_same_within_ten_seconds_are_one_entry_that_grows_under_its_number() {
    let errors = none();
    errors.note(&error("", "offset 7 of 12 is gone"), at(0));
    errors.note(&error("hub", "offset 7 of 12 is gone"), at(1));
    assert_eq!(told(&errors, at(1))[0], (1, String::new(), "offset 7 of 12 is gone".to_owned(), 1));
    errors.note(&error("", "offset 188 of 1234 is gone"), at(9));
    errors.note(&error("", "offset 7 of 12 is gone"), at(10));
    let text = "offset 7 of 12 is gone";
    let expected = [(1, "", text, 2), (2, "hub", text, 1), (3, "", text, 1)];
    let expected = expected.map(|(number, endpoint, text, count)| (number, endpoint.into(), text.into(), count));
    assert_eq!(told(&errors, at(10)), expected);
    let first = errors.told(at(10)).0.swap_remove(0);
    assert_eq!((first.at, first.last_at), (Some(at(0).into()), Some(at(9).into())));
    assert_eq!((first.hop.as_str(), first.kind.as_str()), ("loader", "logged"));
}

#[test]
fn a_text_is_one_short_line() {
    let errors = none();
    errors.note(&error("", &format!("a\nb\u{1b}[2J{}", "ü".repeat(400))), at(0));
    let text = told(&errors, at(0)).swap_remove(0).2;
    assert!(text.starts_with("a\\u000ab\\u001b[2Jüü") && text.ends_with("ü…"), "{text}");
    assert_eq!(text.chars().count(), TEXT);
}

#[test]
fn all_are_counted_however_many_different_ones_there_are() {
    let errors = none();
    let letters = |n: u64| -> String { n.to_string().chars().map(|digit| char::from(digit as u8 + 49)).collect() };
    for n in 0..500 {
        errors.note(&error(&letters(n), &letters(n)), at(3));
    }
    let entries = told(&errors, at(3));
    assert_eq!(entries.len(), DISTINCT + 1);
    assert_eq!(entries[DISTINCT], (21, String::new(), OTHERS.to_owned(), 480));
    assert_eq!(entries.iter().map(|(.., count)| count).sum::<u64>(), 500);
}

#[test]
fn it_stays_small_and_says_what_it_forgot() {
    let errors = none();
    for slice in 0..200 {
        for kind in [ErrorKind::Logged, ErrorKind::Panic, ErrorKind::Refused, ErrorKind::DeadLetter, ErrorKind::Logged]
        {
            for endpoint in ["a", "b"] {
                errors.note(&Error { kind, ..error(endpoint, "it failed") }, at(slice * 10));
            }
        }
    }
    let (entries, forgotten) = errors.told(at(1990));
    assert_eq!(entries.len(), ENTRIES);
    assert_eq!(entries.iter().map(|entry| entry.count).sum::<u64>() + forgotten, 2000);
    assert_eq!(entries.last().map(|last| last.number), Some(1600));
    // Each is told for an hour.
    let hour = KEPT.as_secs();
    let (entries, forgotten) = errors.told(at(750 + hour));
    assert_eq!((entries.first().and_then(|first| first.at), forgotten), (Some(at(760).into()), 0));
    assert_eq!(errors.told(at(1990 + hour)).0, []);
}

#[test]
fn a_clock_that_is_set_back_loses_none() {
    let errors = none();
    errors.note(&error("", "it failed"), at(100));
    errors.note(&error("", "it failed"), at(0));
    errors.note(&error("", "it failed"), at(1));
    let counts: Vec<_> = told(&errors, at(1)).into_iter().map(|(number, .., count)| (number, count)).collect();
    assert_eq!(counts, [(1, 1), (2, 2)]);
}

#[test]
fn what_a_clock_that_was_ahead_has_dated_is_of_this_moment() {
    let errors = none();
    let hour = KEPT.as_secs();
    errors.note(&error("", "it failed"), at(1_000_000));
    errors.note(&error("", "another"), at(100));
    let ats: Vec<_> = errors.told(at(200)).0.into_iter().map(|one| one.at).collect();
    assert_eq!(ats, [Some(at(100).into()), Some(at(100).into())]);
    // It ends with the others, and holds up none.
    assert_eq!(errors.told(at(100 + hour)).0, []);
}

#[test]
fn a_storm_of_dead_letters_hides_no_error() {
    let errors = none();
    let name = |n: u64| -> String { n.to_string().chars().map(|digit| char::from(digit as u8 + 49)).collect() };
    for slice in 0..200 {
        for n in 0..30 {
            let kind = if n % 2 == 0 { ErrorKind::DeadLetter } else { ErrorKind::Refused };
            errors.note(&Error { kind, ..error(&name(n), "no JSON") }, at(slice * 10));
        }
        if slice < 10 {
            errors.note(&error("hub", "it failed"), at(slice * 10));
        }
    }
    let (entries, forgotten) = errors.told(at(1999));
    assert_eq!(entries.iter().filter(|entry| (&*entry.endpoint, &*entry.text) == ("hub", "it failed")).count(), 10);
    assert_eq!(entries.iter().map(|entry| entry.count).sum::<u64>() + forgotten, 200 * 30 + 10);
}
