//! One check or one stage by its name, as the result of a check of Nagios, Icinga or Sensu.

use common::few::few;
use common::health::v1::{Check, Pipeline, State};
use service::digest_json::state_name;

use crate::check::{plain, word};
use crate::problems::OWN;

/// What is known of a name: the worst of all that say it.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Its state, which the exit code follows.
    pub state: State,
    /// One line for a monitor, with the measured value behind a bar.
    pub line: String,
}

impl Named {
    fn new(name: &str, state: State, found: &str, number: &str) -> Self {
        let bar = if number.is_empty() { "" } else { " | " };
        Self { state, line: format!("{} {name}: {}{bar}{number}", word(state), plain(found)) }
    }

    /// Of a stage (`loader`), a check (`loader_held`), or a check of health-check's own, of one stage (`loader/lag`) or of all
    /// (`lag`).
    ///
    /// # Errors
    /// Nothing is called so; the message says what has a similar name.
    pub fn find(pipeline: &Pipeline, name: &str) -> Result<Self, String> {
        let (stage, check) = name.split_once('/').map_or((None, name), |(stage, check)| (Some(stage), check));
        let is_stage = |name: &str| pipeline.hops.iter().any(|hop| hop.service == name);
        let found = match stage {
            None if is_stage(name) => Some(of_stage(pipeline, name)),
            Some(unknown) if !is_stage(unknown) => None,
            _ if OWN.contains(&check) => Some(of_own(pipeline, name, stage, check)),
            _ => of_check(pipeline, name, check),
        };
        found.ok_or_else(|| format!("no stage and no check is called {name:?}: {}", similar(pipeline, check)))
    }
}

fn of_stage(pipeline: &Pipeline, stage: &str) -> Named {
    let state = pipeline.hops.iter().find(|hop| hop.service == stage).map_or(State::Unknown, |hop| hop.state());
    let worst = pipeline.details.iter().find(|problem| problem.hops.iter().any(|hop| hop == stage));
    Named::new(stage, state, worst.map_or(state_name(state), |problem| &problem.found), "")
}

/// Its own are told only where they are not well.
fn of_own(pipeline: &Pipeline, name: &str, stage: Option<&str>, check: &str) -> Named {
    let is_of = |hops: &[String]| stage.is_none_or(|stage| hops.iter().any(|hop| hop == stage));
    let of_it = pipeline.details.iter().filter(|problem| problem.check == check && is_of(&problem.hops));
    let worst = of_it.max_by_key(|problem| rank(problem.state()));
    let asked = pipeline.instances.iter().any(|instance| instance.digest.is_some());
    match worst {
        Some(worst) => Named::new(name, worst.state(), &format!("{}: {}", worst.hops.join(", "), worst.found), ""),
        None if asked => Named::new(name, State::Ok, "as it should be", ""),
        None => Named::new(name, State::Unknown, &pipeline.headline, ""),
    }
}

fn of_check(pipeline: &Pipeline, name: &str, check: &str) -> Option<Named> {
    let mut worst: Option<Named> = None;
    for instance in &pipeline.instances {
        let Some(digest) = &instance.digest else { continue };
        let Some(told) = digest.checks.iter().find(|told| told.name == check) else { continue };
        let named = if instance.error.is_empty() {
            Named::new(name, told.state(), &told.message, &number(told))
        } else {
            // What it said before says nothing of now.
            let found = format!("{} does not answer: {}", digest.instance, instance.error);
            Named::new(name, State::Unknown, &found, "")
        };
        if worst.as_ref().is_none_or(|worst| rank(worst.state) < rank(named.state)) {
            worst = Some(named);
        }
    }
    worst
}

/// What is not known may be worse than a warning.
fn rank(state: State) -> u8 {
    match state {
        State::Ok => 0,
        State::Warning => 1,
        State::Unknown | State::Unspecified => 2,
        State::Failing => 3,
    }
}

/// The measured value as plugins write it: with its unit, and the value from which on it is not well.
fn number(check: &Check) -> String {
    let Some(value) = check.value else { return String::new() };
    let unit = match check.unit.as_str() {
        "seconds" => "s",
        "bytes" => "B",
        _ => "",
    };
    let threshold = check.threshold.map_or(String::new(), |threshold| format!(";{threshold}"));
    format!("'{}'={value}{unit}{threshold}", check.name.replace(['\'', '='], ""))
}

/// Names that have a word in common with this one; else all.
fn similar(pipeline: &Pipeline, name: &str) -> String {
    let digests = pipeline.instances.iter().filter_map(|instance| instance.digest.as_ref());
    let checks = digests.flat_map(|digest| digest.checks.iter().map(|check| check.name.as_str()));
    let hops = pipeline.hops.iter().map(|hop| hop.service.as_str());
    let mut names: Vec<&str> = hops.chain(checks).chain(OWN).collect();
    names.sort_unstable();
    names.dedup();
    let has_a_word = |known: &&str| known.split('_').any(|word| name.split(['_', '/', '-']).any(|part| part == word));
    let close: Vec<&str> = names.iter().copied().filter(has_a_word).collect();
    if close.is_empty() {
        format!("there are {}", few(names, ", "))
    } else {
        format!("did you mean {}?", few(close, ", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::exit_code;
    use crate::samples::{check, whole};

    fn found(name: &str) -> (u8, String) {
        let view = whole(|answers| {
            for (at, state, text) in [(2, State::Warning, "slow | and\nlate"), (3, State::Ok, "answers")] {
                let Ok(digest) = &mut answers[at].2 else { continue };
                let mut claims = check("processing_claims", state, text);
                (claims.value, claims.threshold, claims.unit) = (Some(1.5), Some(5.0), "seconds".to_owned());
                digest.checks.push(claims);
                digest.queues[0].lag = 100;
            }
        });
        match Named::find(&view.pipeline, name) {
            Ok(named) => (exit_code(named.state), named.line),
            Err(problem) => (3, problem),
        }
    }

    #[test]
    fn a_stage_a_check_and_one_of_its_own_are_found_by_name() {
        let table = [
            ("loader", 0, "OK loader: ok"),
            ("processing", 1, "WARNING processing: "),
            ("processing_claims", 1, "WARNING processing_claims: slow / and late | 'processing_claims'=1.5s;5"),
            ("processing/processing_claims", 1, "WARNING processing/processing_claims: slow / and late |"),
            ("processing_log", 0, "OK processing_log: answers"),
            ("lag", 1, "WARNING lag: processing: the lag is 200 records"),
            ("processing/lag", 1, "WARNING processing/lag: processing: the lag is 200 records"),
            ("loader/lag", 0, "OK loader/lag: as it should be"),
            (
                "procesing",
                3,
                "no stage and no check is called \"procesing\": there are age, consumer, dead_letters, and ",
            ),
            ("procesing/lag", 3, "no stage and no check is called \"procesing/lag\": did you mean lag?"),
            ("claims", 3, "did you mean processing_claims?"),
        ];
        for (name, code, says) in table {
            let (told, line) = found(name);
            assert!(told == code && line.contains(says) && !line.contains('\n'), "{name}: {told} {line}");
        }
    }

    #[test]
    fn who_does_not_answer_any_more_says_nothing_of_now() {
        let mut pipeline = whole(|_| ()).pipeline;
        let line = |pipeline: &Pipeline| Named::find(pipeline, "loader_log").unwrap();
        assert_eq!(line(&pipeline).state, State::Ok);
        "Connection refused".clone_into(&mut pipeline.instances[5].error);
        let Named { state, line } = line(&pipeline);
        assert_eq!(
            (state, &*line),
            (State::Unknown, "UNKNOWN loader_log: load-0:7 does not answer: Connection refused")
        );
        assert_eq!(Named::find(&Pipeline::default(), "lag").unwrap().state, State::Unknown);
    }
}
