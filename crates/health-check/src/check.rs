//! The pipeline as the result of a check of Nagios, Icinga or Sensu.

use std::fmt::Write as _;

use common::health::v1::{Pipeline, State};

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

/// One line with the result and the numbers behind a bar; then a line for each problem.
#[must_use]
pub fn text(pipeline: &Pipeline) -> String {
    let word = word(pipeline.state());
    let first = match pipeline.problems.as_slice() {
        [] => String::new(),
        [only] => format!(". {}", plain(only)),
        [worst, rest @ ..] => format!(". {} (and {} more)", plain(worst), rest.len()),
    };
    let mut text = format!("WEIR {word}: {}{first} |", plain(&pipeline.headline));
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
    for problem in pipeline.problems.iter().skip(1) {
        text.push_str(&plain(problem));
        text.push('\n');
    }
    text
}

/// What a plugin calls a state.
pub(crate) fn word(state: State) -> &'static str {
    ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(exit_code(state).min(3))]
}

/// On one line, and without what separates the numbers.
pub(crate) fn plain(text: &str) -> String {
    text.replace('|', "/").replace(['\n', '\r'], " ")
}
