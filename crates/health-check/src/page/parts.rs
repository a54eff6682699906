//! The stages and the instances.

use std::fmt::Write as _;
use std::time::SystemTime;

use common::health::v1::{Hop, Pipeline};
use prost_types::Timestamp;
use service::digest_json::state_name;

use super::links::{command, of_reason};
use super::put::put;
use super::{ago, clock, escape, grouped, mark, rate, seconds, trends};
use crate::flow::Flow;
use crate::history::History;
use crate::pipeline::View;
use crate::stage::has_a_queue;

/// Never a number.
const NOT_KNOWN: &str = "<em>not known</em>";

/// The stages at a glance, for a small screen.
pub(super) fn strip(hops: &[Hop]) -> String {
    let mut out = String::from("<ul class=strip>");
    for hop in hops {
        put!(out, "<li class={}>{} {}</li>", state_name(hop.state()), mark(hop.state()), escape(&hop.service));
    }
    out + "</ul>"
}

pub(super) fn flow(view: &View, history: &History, now: SystemTime) -> String {
    let mut out = String::from("<section aria-labelledby=stages><h2 id=stages>Stages</h2>\n<ol class=flow>\n");
    for (hop, (five, lately)) in view.pipeline.hops.iter().zip(view.five_minutes.iter().zip(&view.lately)) {
        stage(&mut out, hop, *five, lately.as_ref());
        if let Some(past) = history.of(&hop.service) {
            out.push_str(&trends::hour(past, now, has_a_queue(&hop.service)));
        }
        out.push_str("</li>\n");
    }
    if view.pipeline.hops.is_empty() {
        out.push_str("<li><p>No stage is known yet.</p></li>");
    }
    out + "</ol></section>\n"
}

/// A rate of this hop, which may not be known.
fn known(per_second: Option<f64>) -> String {
    per_second.map_or_else(|| NOT_KNOWN.to_owned(), rate)
}

fn stage(out: &mut String, hop: &Hop, five: Option<[f64; 3]>, lately: Option<&Flow>) {
    let class = state_name(hop.state());
    let total = hop.total.as_ref().map(Flow::from).unwrap_or_default();
    let few = if hop.instances < hop.expected { " class=bad" } else { "" };
    put!(
        out,
        "<li class={class}><h3>{} <span class=state>{} {class}</span></h3>\n<p{few}>{} of {} instances</p>\n\
         <dl><dt>in</dt><dd>{} <small>{} over 5 min</small></dd>\
         <dt>out</dt><dd>{} <small>{} over 5 min</small></dd>",
        escape(&hop.service),
        mark(hop.state()),
        hop.instances,
        hop.expected,
        known((!hop.rates_unknown).then_some(hop.in_per_second)),
        known(five.map(|[taken_in, ..]| taken_in)),
        known((!hop.rates_unknown).then_some(hop.out_per_second)),
        known(five.map(|[_, sent_on, _]| sent_on)),
    );
    if !has_a_queue(&hop.service) {
        out.push_str("<dt>lag</dt><dd>–</dd>");
    } else if hop.lag_unknown {
        put!(out, "<dt>lag</dt><dd>{NOT_KNOWN}</dd>");
    } else {
        put!(out, "<dt>lag</dt><dd>{}</dd>", grouped(hop.lag.max(0).unsigned_abs()));
    }
    let age = hop.age_seconds.map_or_else(|| "–".to_owned(), seconds);
    put!(out, "<dt>age p99</dt><dd>{age} <small>from the door</small></dd>");
    let oldest = hop.oldest_seconds.map_or_else(|| "–".to_owned(), seconds);
    put!(out, "<dt>in work</dt><dd>{} <small>oldest {oldest}</small></dd>", grouped(total.in_work()));
    // What was in five minutes says whether it goes on: a total only grows.
    let in_five = |n: Option<u64>| n.map_or_else(|| NOT_KNOWN.to_owned(), grouped);
    let dead = lately.map(|flow| flow.dead_lettered);
    let some = |n: Option<u64>| if n.is_some_and(|n| n > 0) { " class=some" } else { "" };
    put!(
        out,
        "<dt>dead letters</dt><dd{}>{} <small>in 5 min, {} in all</small></dd>",
        some(dead),
        in_five(dead),
        grouped(total.dead_lettered)
    );
    let dropped = lately.map(Flow::all_dropped);
    put!(
        out,
        "<dt>dropped</dt><dd>{} <small>in 5 min, {} in all</small></dd></dl>",
        in_five(dropped),
        grouped(total.all_dropped())
    );
    if !total.dropped.is_empty() {
        out.push_str("<table class=reasons><thead><tr><th scope=col>dropped because</th><th scope=col>5 min</th><th scope=col>in all</th></tr></thead><tbody>");
        for (reason, n) in &total.dropped {
            let lately = lately.map(|flow| flow.dropped.get(reason).copied().unwrap_or_default());
            put!(
                out,
                "<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td></tr>",
                of_reason(reason),
                lately.map_or_else(|| "?".to_owned(), grouped),
                grouped(*n)
            );
        }
        out.push_str("</tbody></table>");
    }
    if total.dead_lettered > 0 {
        put!(out, "<p class=fine>{}</p>", command(&["weir", "dead-letters", "list", "--stage", &hop.service]));
    }
}

pub(super) fn instances(pipeline: &Pipeline, now: Timestamp) -> String {
    let mut out = format!(
        "<details id=instances><summary>Instances ({})</summary>\n<div class=scroll tabindex=0 role=group \
         aria-label=Instances><table>\n<thead><tr><th scope=col>service</th><th scope=col>instance</th>\
         <th scope=col>address</th><th scope=col>answer</th><th scope=col>started</th><th scope=col>version</th></tr></thead>\
         <tbody>\n",
        pipeline.instances.len()
    );
    for instance in &pipeline.instances {
        let digest = instance.digest.clone().unwrap_or_default();
        let answer = match (instance.error.as_str(), instance.answered_at) {
            ("", _) if digest.ready => "<span class=good>✓ ready</span>".to_owned(),
            ("", _) => "<span class=bad>! not ready</span>".to_owned(),
            (error, None) => format!("<span class=bad>✕ {}</span>; never answered", escape(error)),
            (error, Some(at)) => {
                format!("<span class=bad>✕ {}</span>; last answer {}, {}", escape(error), clock(at, now), ago(at, now))
            }
        };
        let started = digest.started_at.map_or_else(|| "–".to_owned(), |at| ago(at, now));
        put!(
            out,
            "<tr><th scope=row>{}</th><td>{}</td><td>{}</td><td>{answer}</td><td>{started}</td><td>{}</td></tr>\n",
            escape(&digest.service),
            escape(&digest.instance),
            escape(&instance.address),
            escape(&digest.version),
        );
    }
    out + "</tbody></table></div></details>\n"
}
