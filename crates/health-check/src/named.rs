//! One check or one stage by its name, as the result of a check of Nagios, Icinga or Sensu.

use std::collections::BTreeSet;

use alerts::inhibition::is_log;
use common::few::few;
use common::health::v1::{Check, Hop, Pipeline, Problem, State, VolumeSummary};
use service::digest_json::state_name;

use crate::canary;
use crate::check::{OLDER, is_older, plain, word};
use crate::errors;
use crate::problems::{OWN, ROUND_CHECK};
use crate::stage::{hops_of, is_about};
use crate::urgency::rank;
use crate::volume::door::DOOR;

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
            _ => of_check(pipeline, name, stage, check),
        };
        let found =
            found.ok_or_else(|| format!("no stage and no check is called {name:?}: {}", similar(pipeline, check)))?;
        // Whatever was found then says nothing of now.
        Ok(nothing_is_known(pipeline).map_or(found, |why| Self::new(name, State::Unknown, why, "")))
    }
}

fn of_stage(pipeline: &Pipeline, stage: &str) -> Named {
    let state = pipeline.hops.iter().find(|hop| hop.service == stage).map_or(State::Unknown, |hop| hop.state());
    let worst = pipeline.details.iter().find(|problem| problem.hops.iter().any(|hop| hop == stage));
    Named::new(stage, state, worst.map_or(state_name(state), |problem| &problem.found), "")
}

/// Why nothing is known of any name, if so: health-check stands still, or is too old to say what it does not know.
fn nothing_is_known(pipeline: &Pipeline) -> Option<&str> {
    let stands = pipeline.details.iter().find(|problem| problem.check == ROUND_CHECK);
    let is_older = is_older(pipeline) || pipeline.details.len() != pipeline.problems.len();
    stands.map(|problem| problem.found.as_str()).or(is_older.then_some(OLDER))
}

/// Its own are told only where they are not well.
fn of_own(pipeline: &Pipeline, name: &str, stage: Option<&str>, check: &str) -> Named {
    let told = pipeline.details.iter().filter(|problem| problem.check == check);
    let told = told.filter(|problem| stage.is_none_or(|stage| is_of(problem, stage)));
    let told = told.map(|problem| (problem.state(), format!("{}: {}", problem.hops.join(", "), problem.found)));
    let hops = pipeline.hops.iter().filter(|hop| stage.is_none_or(|stage| hop.service == stage));
    let missing = hops.filter_map(|hop| not_known(pipeline, hop, check));
    let missing = missing.map(|why| (State::Unknown, why));
    let asked = !pipeline.instances.is_empty();
    match told.chain(missing).max_by_key(|(state, _)| rank(*state)) {
        Some((state, found)) => Named::new(name, state, &found, ""),
        None if asked => Named::new(name, State::Ok, "as it should be", ""),
        None => Named::new(name, State::Unknown, &pipeline.headline, ""),
    }
}

fn is_of(problem: &Problem, stage: &str) -> bool {
    problem.hops.iter().any(|hop| hop == stage)
}

/// Why one of its own checks was not made of a stage, or of a part of it only; none: it was made.
fn not_known(pipeline: &Pipeline, hop: &Hop, check: &str) -> Option<String> {
    let Hop { service, instances, expected, .. } = hop;
    if matches!(check, "instances" | ROUND_CHECK) {
        return None;
    }
    if check == "lag" && hop.lag_unknown {
        return Some(format!("{service}: the lag is not known"));
    }
    if instances < expected || *instances == 0 {
        return Some(format!("{service}: {instances} of {expected} instances answer"));
    }
    if check == errors::rate::CHECK && pipeline.errors_window_seconds == 0 {
        return Some(format!("{service}: health-check is an older version, which counts no errors"));
    }
    // Errors are counted whatever else fails.
    if matches!(check, "ready" | errors::rate::CHECK) {
        return None;
    }
    if check == canary::CHECK {
        return pipeline.hops.iter().all(|hop| hop.canary_seconds.is_none()).then(|| {
            "no canary is sent: streaming.canary_interval_ms is 0ms, no endpoint is open, or health-check is an older version"
                .to_owned()
        });
    }
    // Only the door has a volume.
    if check == "volume" && service != DOOR {
        return None;
    }
    let away = |problem: &&Problem| {
        is_of(problem, service) && problem.state() == State::Failing && is_log(service, &problem.check)
    };
    if let Some(away) = pipeline.details.iter().find(away) {
        return Some(format!("{service}: not looked at, because {} fails", away.check));
    }
    if check == "volume" {
        return not_judged(pipeline.volume.as_ref()).map(|why| format!("{service}: {why}"));
    }
    (check == "dead_letters" && hop.rates_unknown).then(|| format!("{service}: the rates are not known"))
}

/// Why nothing is known of the volume, if so.
fn not_judged(volume: Option<&VolumeSummary>) -> Option<&'static str> {
    match volume {
        None => Some("the volume is not watched: see health_check.volume.enabled, and the version of health-check"),
        Some(VolumeSummary { ok: 0, quiet: 0, irregular: 0, unusual: 0, .. }) => {
            Some("no endpoint could be judged in the last hour")
        }
        Some(_) => None,
    }
}

fn of_check(pipeline: &Pipeline, name: &str, stage: Option<&str>, check: &str) -> Option<Named> {
    let mut worst: Option<Named> = None;
    let mut stages = BTreeSet::new();
    for instance in &pipeline.instances {
        let Some(digest) = &instance.digest else { continue };
        let Some(told) = digest.checks.iter().find(|told| told.name == check) else { continue };
        let hops = hops_of(digest);
        let is_of = |hop: &String| is_about(told, hop, &hops) && stage.is_none_or(|stage| stage == hop);
        let of_it: Vec<String> = hops.iter().filter(|hop| is_of(hop)).cloned().collect();
        if of_it.is_empty() {
            continue;
        }
        stages.extend(of_it);
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
    // Who never answered has told no check, and nobody knows it of him.
    let is_short = |hop: &&Hop| stages.contains(&hop.service) && hop.instances < hop.expected;
    match (worst, pipeline.hops.iter().find(is_short)) {
        (Some(worst), Some(Hop { service, instances, expected, .. })) if rank(worst.state) < rank(State::Unknown) => {
            let found = format!("{service}: {instances} of {expected} instances answer");
            Some(Named::new(name, State::Unknown, &found, ""))
        }
        (worst, _) => worst,
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
#[path = "named_tests.rs"]
mod tests;
