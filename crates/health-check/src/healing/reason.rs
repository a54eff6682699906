//! What a remedy can help against. Pure.

use common::few::few;
use common::health::v1::State;

use crate::pipeline::View;
use crate::problems::Problem;

/// What a stage that stands still may be told of beside it: it follows from that.
const FOLLOWS: &[&str] = &["_progress", "consumer", "_retention", "lag", "in_work", "age", "error_rate"];
/// Checks of health-check itself: in a process with all stages they are told of each.
const OF_HEALTH_CHECK: &[&str] = &["health_check_", "alerts_"];

/// Why a stage is to be restarted; none: it gets on, or something else is behind it. A stage stands still where work waits and
/// none is done, and where its consumer has had no partition for longer than its group needs: `…_progress` says both.
///
/// Where anything else is wrong with the stage that has not to do with that, a restart is not what helps: the log, the claims,
/// the lake, a database or an instance is away, and the next process finds it so too. Lag alone is no reason either.
pub(crate) fn stalled(view: &View, stage: &str) -> Option<String> {
    let is_its = |problem: &Problem| problem.hops.iter().any(|hop| hop == stage);
    let is_wrong = |problem: &Problem| matches!(problem.state, State::Failing | State::Unknown | State::Unspecified);
    let is_explained = |at: usize| view.causes.iter().any(|cause| cause.consequences.contains(&at));
    let of_it = || view.problems.iter().enumerate().filter(|(_, problem)| is_its(problem) && is_wrong(problem));
    let stands = |problem: &Problem| problem.state == State::Failing && problem.check.ends_with("_progress");
    let stalls: Vec<_> = of_it().filter(|(_, problem)| stands(problem)).collect();
    if stalls.is_empty() || stalls.iter().any(|(at, _)| is_explained(*at)) {
        return None;
    }
    let is_other = |problem: &Problem| {
        !FOLLOWS
            .iter()
            .any(|end| if end.starts_with('_') { problem.check.ends_with(end) } else { problem.check == *end })
            && !OF_HEALTH_CHECK.iter().any(|begins| problem.check.starts_with(begins))
    };
    if of_it().any(|(_, problem)| is_other(problem)) {
        return None;
    }
    // A stage of which nothing is known is not one that stands still.
    let hop = view.pipeline.hops.iter().find(|hop| hop.service == stage)?;
    if hop.instances < hop.expected {
        return None;
    }
    let texts = stalls.iter().map(|(_, problem)| format!("{}: {}", problem.check, problem.found));
    Some(few(texts, "; "))
}

#[cfg(test)]
#[path = "reason_tests.rs"]
mod tests;
