//! The parts of the page.

use std::fmt::Write as _;

use common::few::few;
use common::health::v1::{Count, Hop, Pipeline};
use prost_types::Timestamp;
use service::digest_json::state_name;

use super::{ago, errors, escape, grouped, mark, rate, seconds};
use crate::errors::rate::CHECK;
use crate::flow::Flow;
use crate::pipeline::View;
use crate::problems::Problem;
use crate::stage::has_a_queue;

/// Never a number.
const NOT_KNOWN: &str = "<em>not known</em>";

/// Rows of the table by endpoint and hour; all of them are in status.json.
const ROWS: usize = 300;

/// Writing to a String does not fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => { let _ = write!($out, $($text)*); };
}

pub(super) fn problems(problems: &[Problem], now: Timestamp) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let mut out = String::from("<section aria-label=Problems><h2>What to do</h2>\n<ul class=problems>\n");
    for problem in problems {
        let class = state_name(problem.state);
        let urgency = problem.urgency().word();
        put!(
            out,
            "<li class={class}><p class=what><b>{} {}</b> <span class=tag>{class}</span> <span class=tag>{urgency}</span></p>\
             <p>{}</p><p class=do>{}</p>",
            mark(problem.state),
            escape(&problem.hops.join(", ")),
            escape(&problem.found),
            escape(problem.advice),
        );
        put!(out, "<p class=fine><code>{}</code>", escape(&problem.check));
        if !problem.instances.is_empty() {
            put!(out, " on {}", escape(&few(&problem.instances, ", ")));
        }
        if problem.check == CHECK {
            problem.hops.iter().for_each(|hop| out.push_str(&errors::link(hop)));
        }
        if let Some(since) = problem.since {
            put!(out, " · since {} ({since})", ago(since, now));
        }
        out.push_str("</p></li>\n");
    }
    out + "</ul></section>\n"
}

/// The stages at a glance, for a small screen.
pub(super) fn strip(hops: &[Hop]) -> String {
    let mut out = String::from("<ul class=strip>");
    for hop in hops {
        put!(out, "<li class={}>{} {}</li>", state_name(hop.state()), mark(hop.state()), escape(&hop.service));
    }
    out + "</ul>"
}

pub(super) fn flow(view: &View) -> String {
    let mut out = String::from("<section aria-label=Stages><h2>Stages</h2>\n<ol class=flow>\n");
    for (hop, five) in view.pipeline.hops.iter().zip(&view.five_minutes) {
        stage(&mut out, hop, *five);
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

fn stage(out: &mut String, hop: &Hop, five: Option<[f64; 3]>) {
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
    let class = if total.dead_lettered > 0 { " class=some" } else { "" };
    put!(
        out,
        "<dt>dead letters</dt><dd{class}>{} <small>{} over 5 min</small></dd>",
        grouped(total.dead_lettered),
        known(five.map(|[_, _, dead]| dead))
    );
    put!(out, "<dt>dropped</dt><dd>{}", grouped(total.all_dropped()));
    if !total.dropped.is_empty() {
        out.push_str("<ul class=reasons>");
        for (reason, n) in &total.dropped {
            put!(out, "<li><span>{}</span> {}</li>", escape(reason), grouped(*n));
        }
        out.push_str("</ul>");
    }
    out.push_str("</dd></dl></li>\n");
}

/// The cells of a count: in = out + dead letters + dropped + in work.
fn cells(out: &mut String, count: &Count) {
    let flow = Flow::from(count);
    for n in [flow.taken_in, flow.sent_on, flow.dead_lettered, flow.all_dropped(), flow.in_work()] {
        put!(out, "<td class=n>{}</td>", grouped(n));
    }
    out.push_str("<td>");
    let reasons: Vec<String> =
        flow.dropped.iter().map(|(reason, n)| format!("{} {}", escape(reason), grouped(*n))).collect();
    put!(out, "{}</td></tr>\n", reasons.join(", "));
}

const COLUMNS: &str = "<th class=n>taken in</th><th class=n>= sent on</th><th class=n>+ dead letters</th>\
                       <th class=n>+ dropped</th><th class=n>+ in work</th><th>dropped because</th></tr></thead><tbody>\n";

pub(super) fn balance(view: &View) -> String {
    let mut out = String::from("<section aria-label=Balance><h2>Balance</h2>\n<div class=scroll><table>\n");
    put!(out, "<thead><tr><th>stage</th>{COLUMNS}");
    for hop in &view.pipeline.hops {
        put!(out, "<tr><th>{}</th>", escape(&hop.service));
        cells(&mut out, &hop.total.clone().unwrap_or_default());
    }
    out + "</tbody></table></div>\n<p class=fine>The door counts deliveries, processing counts events, the enricher \
           counts activities, and the loader counts rows. The totals include instances that have ended.</p></section>\n"
}

pub(super) fn by_hour(view: &View) -> String {
    let all = view.balance.len();
    let mut out = format!(
        "<details id=hours><summary>By endpoint and hour ({all} rows)</summary>\n\
         <p class=fine>Hours in UTC: when the door received the delivery.</p><div class=scroll><table>\n\
         <thead><tr><th>hour</th><th>stage</th><th>endpoint</th>{COLUMNS}"
    );
    for count in view.balance.iter().take(ROWS) {
        let hour = count.hour.map_or_else(|| "earlier".to_owned(), |hour| hour.to_string().replace(":00:00Z", "h"));
        let endpoint = if count.endpoint.is_empty() { "(not known)" } else { &count.endpoint };
        put!(out, "<tr><th>{hour}</th><td>{}</td><td>{}</td>", escape(&count.hop), escape(endpoint));
        cells(&mut out, count);
    }
    out.push_str("</tbody></table></div>");
    if all > ROWS {
        put!(out, "<p class=fine>{} more are in <a href=/status.json>status.json</a>.</p>", all - ROWS);
    }
    out + "</details>\n"
}

pub(super) fn instances(pipeline: &Pipeline, now: Timestamp) -> String {
    let mut out = format!(
        "<details id=instances><summary>Instances ({})</summary>\n<div class=scroll><table>\n<thead><tr><th>service</th>\
         <th>instance</th><th>address</th><th>answer</th><th>started</th><th>version</th></tr></thead><tbody>\n",
        pipeline.instances.len()
    );
    for instance in &pipeline.instances {
        let digest = instance.digest.clone().unwrap_or_default();
        let answer = match (instance.error.as_str(), instance.answered_at) {
            ("", _) if digest.ready => "<span class=good>✓ ready</span>".to_owned(),
            ("", _) => "<span class=bad>! not ready</span>".to_owned(),
            (error, None) => format!("<span class=bad>✕ {}</span>; never answered", escape(error)),
            (error, Some(at)) => format!("<span class=bad>✕ {}</span>; last answer {}", escape(error), ago(at, now)),
        };
        let started = digest.started_at.map_or_else(|| "–".to_owned(), |at| ago(at, now));
        put!(
            out,
            "<tr><th>{}</th><td>{}</td><td>{}</td><td>{answer}</td><td>{started}</td><td>{}</td></tr>\n",
            escape(&digest.service),
            escape(&digest.instance),
            escape(&instance.address),
            escape(&digest.version),
        );
    }
    out + "</tbody></table></div></details>\n"
}
