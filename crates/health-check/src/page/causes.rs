//! What is wrong and what to do: one card for each cause, the most urgent first.

use std::fmt::Write as _;

use common::few::few;
use prost_types::Timestamp;
use service::digest_json::state_name;

use super::links::{command, of_check};
use super::put::put;
use super::{ago, clock, errors, escape, mark};
use crate::cause::Cause;
use crate::errors::rate::CHECK;
use crate::pipeline::View;
use crate::problems::Problem;
use crate::stage::PROBES;

pub(super) fn causes(view: &View, now: Timestamp) -> String {
    if view.causes.is_empty() {
        return String::new();
    }
    let mut out = String::from("<section aria-labelledby=todo><h2 id=todo>What to do</h2>\n<ul class=problems>\n");
    for cause in &view.causes {
        card(&mut out, cause, &view.problems, now);
    }
    out + "</ul></section>\n"
}

fn card(out: &mut String, cause: &Cause, problems: &[Problem], now: Timestamp) {
    let class = state_name(cause.state);
    let all = |places: &[usize]| places.iter().filter_map(|&at| problems.get(at)).collect::<Vec<_>>();
    let (signs, follow) = (all(&cause.signs), all(&cause.consequences));
    // The same from refresh to refresh, so that the focus stays.
    let id = slug(&cause.id);
    put!(
        out,
        "<li id=cause-{id} class={class}><h3><b>{} {}</b> <span class=tag>{class}</span> <span class=tag>{}</span></h3>\
         <p class=do>{}</p>",
        mark(cause.state),
        escape(&cause.summary),
        cause.urgency().word(),
        escape(&cause.advice),
    );
    match signs.as_slice() {
        [sign] => {
            put!(out, "<p class=fine>{}</p>", who(sign, now));
        }
        signs => {
            if let Some(worst) = signs.first() {
                // What is under the fold is more of the same: whoever was woken reads this first.
                put!(out, "<p class=fine>{}</p><p>{}</p>", who(&since(worst, cause), now), escape(&worst.found));
            }
            list(out, &format!("signs-{id}"), &format!("{} checks say so", signs.len()), signs, now);
        }
    }
    let is_probe = |sign: &&Problem| sign.hops.iter().any(|hop| hop == PROBES);
    if signs.iter().any(|sign| sign.check.contains("dead_letter") && !is_probe(sign)) {
        put!(out, "<p class=fine>{}</p>", command(&["weir", "dead-letters", "stats"]));
    }
    let things =
        if follow.len() == 1 { "One thing follows".to_owned() } else { format!("{} things follow", follow.len()) };
    if !follow.is_empty() {
        list(out, &format!("follows-{id}"), &format!("{things} from it"), &follow, now);
    }
    out.push_str("</li>\n");
}

/// The worst sign, since when the first of them says so.
fn since(worst: &Problem, cause: &Cause) -> Problem {
    Problem { since: cause.since, ..worst.clone() }
}

fn list(out: &mut String, id: &str, title: &str, problems: &[&Problem], now: Timestamp) {
    put!(out, "<details id={id}><summary>{title}</summary><ul>");
    for problem in problems {
        put!(
            out,
            "<li class={}><b>{} {}</b>: {}<p class=fine>{}</p></li>",
            state_name(problem.state),
            mark(problem.state),
            escape(&few(&problem.hops, ", ")),
            escape(&problem.found),
            who(problem, now)
        );
    }
    out.push_str("</ul></details>");
}

/// Which check says it, on which instance, and since when.
fn who(problem: &Problem, now: Timestamp) -> String {
    let mut text = of_check(problem);
    if !problem.instances.is_empty() {
        put!(text, " on {}", escape(&few(&problem.instances, ", ")));
    }
    if problem.check == CHECK {
        problem.hops.iter().for_each(|hop| text.push_str(&errors::link(hop)));
    }
    if let Some(since) = problem.since {
        put!(text, " · since {}, {}", clock(since, now), ago(since, now));
    }
    text
}

/// Letters of which an id may be.
fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}
