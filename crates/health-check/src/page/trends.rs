//! The last hour as lines, and the last day as bars of states: drawn here, and told in words to whoever does not see them.

use std::fmt::Write as _;
use std::time::SystemTime;

use common::health::v1::State;
use prost_types::Timestamp;
use service::digest_json::state_name;

use super::put::put;
use super::{clock, escape, grouped, mark, rate, seconds};
use crate::history::{Event, History, MINUTES, POINTS, Past, Point, Times};
use crate::pipeline::View;

/// Of a drawing; the page stretches it.
const HEIGHT: f32 = 24.0;

/// The last hour of one stage.
pub(super) fn hour(past: &Past, now: SystemTime, has_queue: bool) -> String {
    let mut out = String::from("<div class=trends>");
    let count = |n: f32| grouped(n.round().max(0.0) as u64);
    let per_second = |n: f32| rate(n.into());
    let time = |n: f32| seconds(n.into());
    let points: Vec<(usize, Point)> = past.hour(now).collect();
    line(&mut out, &["in", "out"], &points, &[|point| point.taken_in, |point| point.sent_on], per_second);
    if has_queue {
        line(&mut out, &["lag"], &points, &[|point| point.lag], count);
    }
    line(&mut out, &["age"], &points, &[|point| point.age], time);
    out + "</div>"
}

type Value = fn(&Point) -> Option<f32>;

/// One drawing: of each value a line, on one scale that begins at 0. Where there are two, each name is marked as its line.
fn line(out: &mut String, names: &[&str], points: &[(usize, Point)], values: &[Value], say: impl Fn(f32) -> String) {
    let all = || points.iter().flat_map(|(_, point)| values.iter().filter_map(|value| value(point)));
    let Some(most) = all().reduce(f32::max) else { return };
    let least = all().reduce(f32::min).unwrap_or_default();
    let (least, most_said) = (say(least), say(most));
    let says = format!("{} in the last hour: {least} to {most_said}", names.join(", "));
    let range = if least == most_said { least } else { format!("{least}–{most_said}") };
    let marked = |(nth, name): (usize, &&str)| format!("<span class=key{nth}>{name}</span>");
    let legend = match names {
        [one] => (*one).to_owned(),
        several => several.iter().enumerate().map(marked).collect::<Vec<_>>().join(" "),
    };
    put!(
        out,
        "<p><span>{legend}</span><svg role=img aria-label=\"{says}\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=none>",
        POINTS - 1
    );
    for (nth, value) in values.iter().enumerate() {
        let mut path = String::new();
        let mut before = None;
        for (place, point) in points {
            let Some(value) = value(point) else { continue };
            let y = HEIGHT - 1.0 - value / most.max(f32::MIN_POSITIVE) * (HEIGHT - 2.0);
            // Where nothing was known there is no line.
            let is_next = before.is_some_and(|before| before + 1 == *place);
            put!(path, "{}{place} {y:.1}", if is_next { "L" } else { "M" });
            if !is_next {
                put!(path, "h.5");
            }
            before = Some(*place);
        }
        put!(out, "<path class=line{nth} d=\"{path}\"></path>");
    }
    put!(out, "</svg><small>{range}</small></p>");
}

/// The states of the last day, and what was wrong.
pub(super) fn day(history: &History, view: &View, now: SystemTime) -> String {
    let Some(since) = history.since else { return String::new() };
    let stamp = Timestamp::from(now);
    let mut out = String::from("<section aria-labelledby=day><h2 id=day>The last 24 hours</h2>\n<div class=day>\n");
    bar(&mut out, "all", &history.day, stamp);
    for hop in &view.pipeline.hops {
        if let Some(past) = history.of(&hop.service) {
            bar(&mut out, &hop.service, &past.day, stamp);
        }
    }
    out.push_str("<p class=fine aria-hidden=true><span></span><span class=scale><span>24 h ago</span><span>12 h</span><span>now</span></span></p></div>\n");
    let watched = now.duration_since(since).unwrap_or_default();
    if watched.as_secs() < MINUTES * 60 {
        put!(
            out,
            "<p class=fine>Health-check watches since {}: what was before, it does not know.</p>\n",
            clock(since.into(), stamp)
        );
    }
    if history.events.is_empty() {
        out.push_str("<p>Nothing was wrong in this time.</p>");
    } else {
        out.push_str("<ol class=events>\n");
        for (nth, event) in history.events.iter().rev().enumerate() {
            told(&mut out, event, nth == 0 && history.goes_on(), stamp);
        }
        out.push_str("</ol>");
    }
    out + "</section>\n"
}

fn told(out: &mut String, event: &Event, goes_on: bool, now: Timestamp) {
    let (from, to) = (Timestamp::from(event.from), Timestamp::from(event.to));
    let class = state_name(event.state);
    let lasted = (to.seconds - from.seconds).max(0) as f64;
    let lasted = if lasted < 1.0 { "a moment".to_owned() } else { seconds(lasted) };
    let (from, word) = (clock(from, now), if goes_on { "since" } else { "from" });
    let name = if event.is_gap() { "not watched" } else { class };
    put!(out, "<li class={class}><b>{} {name}</b> {word} {from}, for {lasted}", mark(event.state));
    if goes_on {
        out.push_str(" so far");
    }
    put!(out, ": {}</li>\n", escape(&event.summary));
}

/// So many minutes as people would say it.
fn span(minutes: u64) -> String {
    if minutes < 120 { format!("{minutes} min") } else { format!("{:.0} h", minutes as f64 / 60.0) }
}

fn bar(out: &mut String, name: &str, times: &Times, now: Timestamp) {
    let first = (now.seconds.max(0) as u64 / 60 + 1).saturating_sub(MINUTES);
    let mut sums = [State::Failing, State::Unknown, State::Warning, State::Ok].map(|state| (state, 0));
    let mut rectangles = String::new();
    let mut shown: Vec<_> = times.all().iter().filter(|time| time.to >= first).collect();
    // What is not well is drawn over what is.
    shown.sort_by_key(|time| time.state != State::Ok);
    for time in shown {
        let from = time.from.max(first);
        let minutes = time.to + 1 - from;
        if let Some((_, sum)) = sums.iter_mut().find(|(state, _)| *state == time.state) {
            *sum += minutes;
        }
        // What is bad is seen although it was short: a bar of a minute is less than a pixel wide.
        let width = if time.state == State::Ok { minutes } else { minutes.max(4) };
        put!(
            rectangles,
            "<rect class={} x={} y=0 width={width} height=10></rect>",
            state_name(time.state),
            (from - first).min(MINUTES - width.min(MINUTES))
        );
    }
    let watched: u64 = sums.iter().map(|(_, sum)| sum).sum();
    let mut says: Vec<String> = sums
        .iter()
        .filter(|(_, sum)| *sum > 0)
        .map(|(state, sum)| format!("{} {}", state_name(*state), span(*sum)))
        .collect();
    if watched < MINUTES {
        says.push(format!("not watched {}", span(MINUTES - watched)));
    }
    let name = escape(name);
    put!(
        out,
        "<p><span>{name}</span><svg role=img aria-label=\"{name} in the last day: {}\" viewBox=\"0 0 {MINUTES} 10\" \
         preserveAspectRatio=none>{rectangles}</svg></p>\n",
        says.join(", ")
    );
}
