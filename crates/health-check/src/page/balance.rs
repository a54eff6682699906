//! Where everything went, as additions that a newcomer can follow: stage by stage, and hour by hour.

use std::fmt::Write as _;

use common::health::v1::Count;

use super::links::{command, of_page, of_reason};
use super::put::put;
use super::{escape, grouped};
use crate::flow::Flow;
use crate::pipeline::View;

/// Rows of the table by endpoint and hour; all of them are in status.json.
const ROWS: usize = 300;

/// What a stage counts.
fn unit(hop: &str) -> &'static str {
    match hop {
        "streaming" => "deliveries",
        "processing" => "events",
        "enricher" => "activities",
        "loader" => "rows",
        _ => "units",
    }
}

/// The cells of an addition: in = out + dead letters + dropped + in work.
fn cells(out: &mut String, flow: &Flow) {
    let signs = ["", "= ", "+ ", "+ ", "+ "];
    let parts = [flow.taken_in, flow.sent_on, flow.dead_lettered, flow.all_dropped(), flow.in_work()];
    for (sign, n) in signs.iter().zip(parts) {
        put!(out, "<td class=n>{sign}{}</td>", grouped(n));
    }
    let reasons: Vec<String> =
        flow.dropped.iter().map(|(reason, n)| format!("{} {}", grouped(*n), of_reason(reason))).collect();
    let ends = flow.sent_on + flow.dead_lettered + flow.all_dropped();
    let excess = match ends.saturating_sub(flow.taken_in) {
        0 => String::new(),
        n => format!("<b class=bad>! {} more went out than came in</b> ", grouped(n)),
    };
    put!(out, "<td>{excess}{}</td></tr>\n", reasons.join(", "));
}

const COLUMNS: &str = "<th scope=col class=n>taken in</th><th scope=col class=n>= sent on</th>\
                       <th scope=col class=n>+ dead letters</th><th scope=col class=n>+ dropped</th>\
                       <th scope=col class=n>+ in work</th><th scope=col>dropped because</th></tr></thead><tbody>\n";

pub(super) fn balance(view: &View) -> String {
    let mut out = String::from(
        "<section aria-labelledby=balance><h2 id=balance>Where everything went</h2>\n\
         <p class=fine>Nothing gets lost: what a stage has taken in is what it sent on, and dead letters, and what it \
         dropped for a reason, and what it has in work. Each line is this addition.</p>\n\
         <div class=scroll tabindex=0 role=group aria-labelledby=balance><table>\n",
    );
    put!(out, "<thead><tr><th scope=col>stage</th><th scope=col>counts</th>{COLUMNS}");
    for hop in &view.pipeline.hops {
        put!(out, "<tr><th scope=row>{}</th><td>{}</td>", escape(&hop.service), unit(&hop.service));
        cells(&mut out, &hop.total.as_ref().map(Flow::from).unwrap_or_default());
    }
    out.push_str("</tbody></table></div>\n");
    between(&mut out, view);
    out + "<p class=fine>The totals are of the instances that health-check has seen, also of those that have ended.</p>\
           </section>\n"
}

/// Why a stage takes in another number than the one before it sends on: each counts something else.
fn between(out: &mut String, view: &View) {
    let total = |name: &str| {
        let hop = view.pipeline.hops.iter().find(|hop| hop.service == name)?;
        hop.total.as_ref().map(Flow::from)
    };
    let (door, work, rich) = (total("streaming"), total("processing"), total("enricher"));
    out.push_str("<ul class=between>\n");
    if let (Some(door), Some(work)) = (door, &work) {
        put!(
            out,
            "<li>streaming sent on {} deliveries. processing found {} events in them: a delivery may hold several.</li>\n",
            grouped(door.sent_on),
            grouped(work.taken_in)
        );
    }
    if let (Some(work), Some(rich)) = (work, rich) {
        put!(
            out,
            "<li>processing sent on {} events. The enricher got {} activities of them: {} end as events and go no further, \
             such as a ping of GitHub, and an event may hold several activities.</li>\n",
            grouped(work.sent_on),
            grouped(rich.taken_in),
            of_page("activities.md", "events of kinds without activity")
        );
    }
    out.push_str("</ul>\n");
}

pub(super) fn by_hour(view: &View) -> String {
    let all = view.balance.len();
    let mut out = format!(
        "<details id=hours><summary>By endpoint and hour ({all} rows)</summary>\n\
         <p class=fine id=hours-say>The hour (UTC) is that in which the door received the delivery, at every stage: so one hour \
         can be followed from stage to stage. Where a stage has several endpoints, <i>all</i> is their sum.</p>\
         <div class=scroll tabindex=0 role=group aria-labelledby=hours-say><table>\n\
         <thead><tr><th scope=col>hour</th><th scope=col>stage</th><th scope=col>endpoint</th>{COLUMNS}"
    );
    let shown = &view.balance[..all.min(ROWS)];
    for rows in shown.chunk_by(|a, b| a.hour == b.hour && a.hop == b.hop) {
        for count in rows {
            row(&mut out, count);
        }
        if let [first, _, ..] = rows {
            let mut sum = Flow::default();
            rows.iter().for_each(|count| sum.add(&Flow::from(count)));
            put!(out, "<tr class=sum>{}<td><i>all</i></td>", head(first));
            cells(&mut out, &sum);
        }
    }
    out.push_str("</tbody></table></div>");
    if all > ROWS {
        put!(out, "<p class=fine>{} more are in <a href=/status.json>status.json</a>.</p>", all - ROWS);
    }
    out + "</details>\n"
}

fn head(count: &Count) -> String {
    let hour = count.hour.map_or_else(|| "earlier".to_owned(), |hour| hour.to_string().replace(":00:00Z", "h"));
    format!("<th scope=row>{}</th><td>{}</td>", hour.replace('T', " "), escape(&count.hop))
}

fn row(out: &mut String, count: &Count) {
    let endpoint = if count.endpoint.is_empty() { "(not known)" } else { &count.endpoint };
    put!(out, "<tr>{}<td>{}", head(count), escape(endpoint));
    if count.dead_lettered > 0 && !count.endpoint.is_empty() {
        put!(out, "<p>{}</p>", command(&["weir", "dead-letters", "list", "--endpoint", &count.endpoint]));
    }
    out.push_str("</td>");
    cells(out, &Flow::from(count));
}
