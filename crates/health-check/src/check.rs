//! The pipeline as the result of a check of Nagios, Icinga or Sensu.

use std::fmt::Write as _;

use common::health::v1::State;

use crate::pipeline::View;

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

/// One line with the result and the numbers behind a bar; then a line for each problem.
#[must_use]
pub fn text(view: &View) -> String {
    let pipeline = &view.pipeline;
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(exit_code(pipeline.state()).min(3))];
    let plain = |text: &str| text.replace('|', "/").replace(['\n', '\r'], " ");
    let first = match pipeline.problems.as_slice() {
        [] if pipeline.hops.is_empty() => "no service is watched".to_owned(),
        [] if pipeline.state() == State::Ok => format!("{} stages are ok", pipeline.hops.len()),
        [] => "no service has been asked yet".to_owned(),
        [only] => plain(only),
        [worst, rest @ ..] => format!("{} (and {} more)", plain(worst), rest.len()),
    };
    let mut text = format!("WEIR {word}: {first} |");
    for hop in &pipeline.hops {
        let name = plain(&hop.service);
        // Writing to a String does not fail.
        let _ = write!(
            text,
            " {name}_in={:.2} {name}_out={:.2} {name}_lag={}",
            hop.in_per_second, hop.out_per_second, hop.lag
        );
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
