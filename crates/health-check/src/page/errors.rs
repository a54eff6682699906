//! The errors of the window: which they are, one click from the problem that says how many.

use std::fmt::Write as _;

use common::few::few;
use common::health::v1::{ErrorGroup, Pipeline};
use prost_types::Timestamp;

use super::put::put;
use super::{ago, escape, grouped};

/// Where the errors of a stage stand on the page.
fn anchor(hop: &str) -> String {
    let name: String = hop.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("errors-{name}")
}

/// The way to them.
pub(super) fn link(hop: &str) -> String {
    format!(" · <a href=#{}>which errors</a>", anchor(hop))
}

/// By stage, then the most frequent first; nothing where there are none.
pub(super) fn section(pipeline: &Pipeline, now: Timestamp) -> String {
    if pipeline.errors.is_empty() {
        return String::new();
    }
    let minutes = pipeline.errors_window_seconds.div_ceil(60);
    let mut out = format!("<section id=errors aria-label=Errors><h2>Errors of the last {minutes} minutes</h2>\n");
    let mut hops: Vec<&str> = pipeline.hops.iter().map(|hop| hop.service.as_str()).collect();
    for group in &pipeline.errors {
        if !hops.contains(&group.hop.as_str()) {
            hops.push(&group.hop);
        }
    }
    for hop in hops {
        let of_it: Vec<&ErrorGroup> = pipeline.errors.iter().filter(|group| group.hop == hop).collect();
        if !of_it.is_empty() {
            stage(&mut out, hop, &of_it, now);
        }
    }
    if pipeline.errors_dropped > 0 {
        put!(out, "<p class=fine>{} more were too many to keep.</p>", grouped(pipeline.errors_dropped));
    }
    out + "</section>\n"
}

fn stage(out: &mut String, hop: &str, groups: &[&ErrorGroup], now: Timestamp) {
    let all = grouped(groups.iter().map(|group| group.count).sum());
    put!(
        out,
        "<h3 id={}>{} <small>{all}</small></h3>\n\
         <div class=scroll tabindex=0 role=group aria-label=\"Errors of {}\"><table>\n\
         <thead><tr><th scope=col>errors</th><th scope=col>endpoint</th><th scope=col>what</th><th scope=col>text</th>\
         <th scope=col>first</th><th scope=col>last</th><th scope=col>instance</th></tr></thead><tbody>\n",
        anchor(hop),
        escape(hop),
        escape(hop)
    );
    for group in groups {
        let endpoint = if group.endpoint.is_empty() { "–" } else { &group.endpoint };
        put!(
            out,
            "<tr><th scope=row>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            grouped(group.count),
            escape(endpoint),
            escape(&group.kind),
            escape(&group.text),
            ago(group.first_at.unwrap_or_default(), now),
            ago(group.last_at.unwrap_or_default(), now),
            escape(&few(&group.instances, ", ")),
        );
    }
    out.push_str("</tbody></table></div>\n");
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
