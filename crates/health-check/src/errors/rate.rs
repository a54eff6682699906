//! Whether there are too many errors. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use common::health::v1::{Action, FailureKind, State};

use super::entry::Series;
use crate::problems::Problem;

/// The check, of each stage.
pub(crate) const CHECK: &str = "error_rate";
/// What to do.
const ADVICE: &str = "Read which errors they are: below on the status page, or weir health --errors. The log of the \
                                 instance has all that led to each.";
/// Dead letters are shown and not counted: what a sender wrote is told by checks of its own, by its share.
pub(super) const DEAD_LETTER: &str = "dead_letter";

/// So many errors within the window are a warning, and so many failing; 0: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// Of one instance.
    pub(crate) worker: [u64; 2],
    /// Of all instances of a stage.
    pub(crate) stage: [u64; 2],
    /// Of one endpoint at a stage.
    pub(crate) endpoint: [u64; 2],
}

/// Too many errors of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TooMany {
    hop: String,
    state: State,
    /// Those that are beyond their limit; empty: only all together are.
    instances: Vec<String>,
    /// What was found, for people. It goes to strangers, so it has no text of an error, which may quote anything.
    found: String,
    /// When the first of them came.
    since: Option<SystemTime>,
}

/// A problem of each stage with too many errors.
pub(crate) fn problems(series: &[Series], limits: Limits, window: Duration) -> Vec<Problem> {
    let problem = |TooMany { hop, state, instances, found, since }: TooMany| Problem {
        state,
        action: Action::Ticket,
        hops: vec![hop],
        check: CHECK.to_owned(),
        instances,
        found,
        advice: ADVICE,
        since: since.map(Into::into),
        failure: FailureKind::Unspecified,
    };
    too_many(series, limits, window).into_iter().map(problem).collect()
}

/// How many errors each stage has that count.
pub(crate) fn counted(series: &[Series]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for one in series.iter().filter(|one| one.about.kind != DEAD_LETTER) {
        *counts.entry(one.about.hop.clone()).or_default() += one.count;
    }
    counts
}

/// The stages with too many errors.
fn too_many(series: &[Series], limits: Limits, window: Duration) -> Vec<TooMany> {
    let mut hops: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for one in series.iter().filter(|one| one.about.kind != DEAD_LETTER) {
        hops.entry(&one.about.hop).or_default().push(one);
    }
    hops.into_iter().filter_map(|(hop, series)| of_hop(hop, &series, limits, window)).collect()
}

fn of_hop(hop: &str, series: &[&Series], limits: Limits, window: Duration) -> Option<TooMany> {
    let by = |name: fn(&Series) -> &str, limits: [u64; 2]| {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for one in series {
            *counts.entry(name(one)).or_default() += one.count;
        }
        let mut beyond: Vec<(&str, u64, State)> =
            counts.into_iter().filter_map(|(name, count)| Some((name, count, beyond(count, limits)?))).collect();
        beyond.retain(|(name, ..)| !name.is_empty());
        beyond.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        beyond
    };
    let all: u64 = series.iter().map(|one| one.count).sum();
    let workers = by(|one| &one.about.instance, limits.worker);
    let endpoints = by(|one| &one.about.endpoint, limits.endpoint);
    let states = workers.iter().chain(&endpoints).map(|(.., state)| *state).chain(beyond(all, limits.stage));
    // Both are warning or failing, and failing is the greater.
    let state = states.max_by_key(|state| *state as i32)?;
    let mut found = format!("{} within {} min", errors(all), window.as_secs().div_ceil(60));
    if let Some((name, count, _)) = endpoints.first() {
        found.push_str(&format!(", {count} of them of endpoint {name}"));
    }
    let instances = workers.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let since = series.iter().map(|one| one.first_at).min();
    Some(TooMany { hop: hop.to_owned(), state, instances, found, since })
}

fn errors(count: u64) -> String {
    if count == 1 { "1 error".to_owned() } else { format!("{count} errors") }
}

fn beyond(count: u64, [warning, failing]: [u64; 2]) -> Option<State> {
    let over = |limit: u64| limit > 0 && count >= limit;
    if over(failing) { Some(State::Failing) } else { over(warning).then_some(State::Warning) }
}

#[cfg(test)]
#[path = "rate_tests.rs"]
mod tests;
