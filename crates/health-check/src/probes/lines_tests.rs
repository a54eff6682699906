use super::*;

const WITHIN: Duration = Duration::from_secs(60);

fn lines(must: Option<&str>, must_not: Option<&str>) -> Lines {
    let pattern = |text: &str| Pattern::new(text).unwrap();
    let settings = LogSettings { must: must.map(pattern), must_not: must_not.map(pattern), ..LogSettings::default() };
    Lines::new(&settings, WITHIN)
}

/// A line that must be there is seen or not, whatever else was missed. That one is nowhere is known only of all lines.
#[test]
fn what_was_not_read_matters_where_it_could_change_the_answer() {
    let now = Instant::now();
    for (must, must_not, line, state) in [
        (Some("done"), None, "done", State::Ok),
        (Some("done"), None, "begun", State::Unknown),
        (None, Some("bad"), "fine", State::Unknown),
        (None, Some("bad"), "bad", State::Failing),
        (Some("done"), Some("bad"), "done", State::Unknown),
        (Some("done"), Some("bad"), "done, and bad", State::Failing),
    ] {
        let mut lines = lines(must, must_not);
        lines.begin(now);
        lines.add(line.as_bytes(), now);
        let found = lines.found(Some("half of it".to_owned()), now);
        assert_eq!(found.state, state, "{must:?} {must_not:?} {line:?}: {}", found.message);
        assert_eq!(found.message == "half of it", state == State::Unknown, "{}", found.message);
    }
}

/// Where all lines of the last time are asked for, nobody has to wait for a line to come.
#[test]
fn without_a_beginning_what_is_not_there_fails_at_once() {
    let (now, mut lines) = (Instant::now(), lines(Some("done"), None));
    assert_eq!(lines.found(None, now).state, State::Failing);
    assert!(lines.begin(now) && !lines.begin(now));
    assert_eq!(lines.found(None, now).state, State::Warning);
}
