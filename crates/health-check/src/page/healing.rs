//! What was done without a person, where that is allowed.

use std::fmt::Write as _;

use common::time::from_millis;
use prost_types::Timestamp;

use super::put::put;
use super::{ago, escape, links};
use crate::healing::audit::Attempt;

/// The latest first; nothing where nothing was done.
pub(super) fn section(attempts: &[Attempt], now: Timestamp) -> String {
    if attempts.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section id=healing aria-label=Healing><h2>Done without a person</h2>\n\
         <div class=scroll tabindex=0 role=group aria-label=\"Done without a person\"><table>\n\
         <thead><tr><th scope=col>when</th><th scope=col>what</th><th scope=col>outcome</th><th scope=col>because of</th>\
         </tr></thead><tbody>\n",
    );
    for attempt in attempts {
        let Attempt { at_ms, remedy, target, reason, came, problem } = attempt;
        let problem = if problem.is_empty() { String::new() } else { format!(": {problem}") };
        put!(
            out,
            "<tr><th scope=row>{}</th><td>{} {}</td><td>{}{}</td><td>{}</td></tr>\n",
            ago(from_millis(*at_ms), now),
            escape(remedy),
            escape(target),
            came.word(),
            escape(&problem),
            escape(reason),
        );
    }
    put!(
        out,
        "</tbody></table></div>\n<p class=fine>{}</p></section>\n",
        links::of_page("healing.md", "what this means")
    );
    out
}

#[cfg(test)]
#[path = "healing_tests.rs"]
mod tests;
