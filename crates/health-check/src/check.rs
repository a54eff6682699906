//! The pipeline as the result of a check of Nagios, Icinga or Sensu.

use std::fmt::Write as _;

use common::health::v1::{Pipeline, State};

use crate::cause::Cause;

/// 0 ok, 1 warning, 2 critical, 3 unknown.
#[must_use]
pub fn exit_code(state: State) -> u8 {
    match state {
        State::Ok => 0,
        State::Warning => 1,
        State::Failing => 2,
        State::Unknown | State::Unspecified => 3,
    }
}

/// Whether health-check is of a version that does not say what it does not know: then it says `ok` of that too.
#[must_use]
pub fn is_older(pipeline: &Pipeline) -> bool {
    pipeline.headline.is_empty()
}

/// Why an answer of an older health-check is not taken for an `ok`.
pub const OLDER: &str = "this health-check is of an older version, which does not say what it does not know";

/// What the answer says of all together.
#[must_use]
pub fn state(pipeline: &Pipeline) -> State {
    match pipeline.state() {
        State::Ok | State::Warning if is_older(pipeline) => State::Unknown,
        state => state,
    }
}

/// One line with the result and the numbers behind a bar; then a line for each problem, those of one cause together.
#[must_use]
pub fn text(pipeline: &Pipeline) -> String {
    let word = word(pipeline.state());
    let headline = titled(&pipeline.name, &pipeline.headline);
    let causes: Vec<Cause> = pipeline.causes.iter().map(Cause::from).collect();
    let first = match causes.as_slice() {
        [] => String::new(),
        [only] => format!(". {}", plain(&only.line())),
        [worst, rest @ ..] => format!(". {} (and {} more)", plain(&worst.line()), rest.len()),
    };
    let mut text = format!("WEIR {word}: {}{first} |", plain(&headline));
    for hop in &pipeline.hops {
        let name = plain(&hop.service);
        // What is not known is written as U. Writing to a String does not fail.
        let rate = |rate: f64| if hop.rates_unknown { "U".to_owned() } else { format!("{rate:.2}") };
        let lag = if hop.lag_unknown { "U".to_owned() } else { hop.lag.to_string() };
        let (taken_in, sent_on) = (rate(hop.in_per_second), rate(hop.out_per_second));
        let _ = write!(text, " {name}_in={taken_in} {name}_out={sent_on} {name}_lag={lag}");
        if let Some(age) = hop.age_seconds {
            let _ = write!(text, " {name}_age={age:.3}s");
        }
    }
    text.push('\n');
    for line in lines(pipeline) {
        text.push_str(&plain(&line));
        text.push('\n');
    }
    text
}

/// A line for each problem, by cause; what only follows from a cause is below it, and says so.
#[must_use]
pub fn lines(pipeline: &Pipeline) -> Vec<String> {
    // One of an older version tells of no causes.
    if pipeline.causes.is_empty() {
        return pipeline.problems.clone();
    }
    let mut lines = Vec::new();
    for cause in pipeline.causes.iter().map(Cause::from) {
        let places = cause.signs.iter().map(|&at| ("", at));
        for (what, at) in places.chain(cause.consequences.iter().map(|&at| ("  follows: ", at))) {
            lines.extend(pipeline.problems.get(at).map(|problem| format!("{what}{problem}")));
        }
    }
    lines
}

/// With the name of the installation, where it has one.
#[must_use]
pub fn titled(name: &str, text: &str) -> String {
    if name.is_empty() { text.to_owned() } else { format!("{name}: {text}") }
}

/// What a plugin calls a state.
pub(crate) fn word(state: State) -> &'static str {
    ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(exit_code(state).min(3))]
}

/// On one line, and without what separates the numbers.
pub(crate) fn plain(text: &str) -> String {
    text.replace('|', "/").replace(['\n', '\r'], " ")
}
