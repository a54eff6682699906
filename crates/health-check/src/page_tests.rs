use super::*;
use crate::check;
use crate::json::ViewJson;
use crate::pipeline::Model;
use crate::samples::{LIMITS, at, whole};
use common::health::v1::{Digest, FailureKind};

fn empty() -> View {
    Model::new(Vec::new(), LIMITS).view(at(0))
}

fn warning() -> View {
    whole(|answers| {
        let Ok(digest) = &mut answers[4].2 else { return };
        digest.checks.push(crate::samples::check(
            "enricher_lookups",
            State::Warning,
            "look-ups of registrations time out: 12% of the activities are partial",
        ));
    })
}

fn failing() -> View {
    whole(|answers| {
        answers[3].2 = Err("Connection refused (os error 111)".to_owned());
        let Ok(digest) = &mut answers[2].2 else { return };
        digest.checks.push(crate::samples::check(
            "processing_claims",
            State::Failing,
            "the store is unavailable (timed out after 2 s); nothing is emitted until it answers: duplicates would pass",
        ));
        digest.ready = false;
        digest.queues[0].lag = 48_211;
        answers[5].2 = Ok(Digest {
            checks: vec![crate::samples::check("loader_held", State::Warning, "one request is held")],
            ..answers[5].2.clone().unwrap()
        });
    })
}

/// A round with this, and nothing before.
fn past(view: &View) -> History {
    let mut history = History::default();
    history.record(view, at(26));
    history
}

fn html(view: &View) -> String {
    Page::new(5000).html(view, &past(view))
}

fn all() -> [(&'static str, View); 4] {
    [("empty", empty()), ("ok", whole(|_| ())), ("warning", warning()), ("failing", failing())]
}

/// Every tag that is opened is closed, in the right order; those that HTML closes by itself left out.
fn well_formed(html: &str) {
    let body = html.split("</style>").nth(1).unwrap().split("<script>").next().unwrap();
    let mut open: Vec<&str> = vec!["html", "head"];
    for tag in body.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{tag} closes another: {open:?}");
        } else {
            open.push(name);
        }
    }
    assert_eq!(open, ["html", "body"], "left open");
}

#[test]
fn every_state_has_a_page() {
    for (name, view) in all() {
        let page = Page::new(5000);
        let html = page.html(&view, &past(&view));
        well_formed(&html);
        assert!(!html.contains("http-equiv=refresh content=0") && !html.contains("style="), "{name}");
        // Nothing is loaded from elsewhere; what leads elsewhere is the documentation.
        assert!(!html.contains("src=") && !html.contains("href=http"), "{name}");
        let elsewhere = html.split("href=\"http").skip(1);
        assert!(
            elsewhere.into_iter().all(|to| to.starts_with("s://github.com/weir-events/weir/blob/main/docs/")),
            "{name}"
        );
    }
}

#[test]
fn the_policy_allows_the_style_and_the_script_and_nothing_else() {
    let page = Page::new(3000);
    let policy = page.policy().to_str().unwrap().to_owned();
    let html = page.html(&empty(), &History::default());
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let text = html.split(&format!("<{tag}>")).nth(1).unwrap().split(&format!("</{tag}>")).next().unwrap();
        let hash = STANDARD.encode(Sha256::digest(text.as_bytes()));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(html.contains("setTimeout(refresh, 3000)"));
}

#[test]
fn what_came_from_outside_is_escaped() {
    let evil = "<script>alert('x')</script>\"&";
    let view = whole(|answers| {
        answers[1].2 = Err(evil.to_owned());
        let Ok(digest) = &mut answers[0].2 else { return };
        evil.clone_into(&mut digest.instance);
        evil.clone_into(&mut digest.version);
        evil.clone_into(&mut digest.service);
        digest.checks.push(crate::samples::check(evil, State::Failing, evil));
        digest.counts[0].dropped.insert(evil.to_owned(), 3);
        for count in &mut digest.counts {
            evil.clone_into(&mut count.endpoint);
            count.hop = format!("streaming{evil}");
        }
    });
    let html = self::html(&view);
    assert_eq!(html.matches("<script>").count(), 1, "its own");
    assert!(html.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;").count() > 8);
    well_formed(&html);
}

#[test]
fn the_page_says_what_is_wrong_and_what_to_do() {
    let html = self::html(&failing());
    for part in [
        "<title>failing · Weir</title>",
        "Something is broken: 2 things to do now",
        "1 of 2 instances answer; http://10.0.1.2:9090: Connection refused (os error 111)",
        "Check that the claims&#39; store (Redis, Valkey) answers.",
        "since <time datetime=2026-03-01T12:24:56Z>12:24 UTC</time>, 10 min ago",
        "the lag is 48211 records",
        "never answered",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let ok = self::html(&whole(|_| ()));
    assert!(ok.contains("All is well") && !ok.contains("What to do"));
    assert!(self::html(&empty()).contains("No service is watched"));
}

#[test]
fn the_check_is_one_line_with_numbers_and_a_code() {
    let table = all().map(|(name, view)| (name, check::exit_code(view.pipeline.state()), check::text(&view.pipeline)));
    let first = |text: &str| text.lines().next().unwrap().to_owned();
    let codes: Vec<_> = table.iter().map(|(name, code, _)| (*name, *code)).collect();
    assert_eq!(codes, [("empty", 3), ("ok", 0), ("warning", 1), ("failing", 2)]);
    assert_eq!(first(&table[0].2), "WEIR UNKNOWN: No service is watched |");
    let ok = first(&table[1].2);
    assert!(ok.starts_with("WEIR OK: All is well | streaming_in=236.00 streaming_out=236.00"), "{ok}");
    assert!(ok.contains("processing_lag=34") && ok.contains("loader_age=48.000s"), "{ok}");
    assert!(
        first(&table[2].2)
            .starts_with("WEIR WARNING: It works, with one thing to look at. warning: enricher: look-ups"),
        "{}",
        table[2].2
    );
    assert!(
        first(&table[3].2).starts_with(
            "WEIR CRITICAL: Something is broken: 2 things to do now. failing (page): processing: 1 of 2 instances"
        ),
        "{}",
        table[3].2
    );
    assert!(table.iter().all(|(_, _, text)| text.lines().skip(1).all(|line| !line.contains('|'))));
}

#[test]
fn the_json_has_the_names_of_the_proto() {
    let json = serde_json::to_value(ViewJson::from(failing())).unwrap();
    assert_eq!(json["state"], "failing");
    assert_eq!(json["hops"][1]["service"], "processing");
    assert_eq!(json["hops"][1]["instances"], 1);
    assert_eq!(json["details"][0]["action"], "page");
    assert_eq!(json["balance"][0]["endpoint"], "acme-pages");
    assert_eq!(json["instances"][3]["error"], "Connection refused (os error 111)");
    assert!(common::time::from_rfc3339(json["at"].as_str().unwrap()).is_some());
}

#[test]
fn numbers_are_for_people() {
    assert_eq!(
        ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"].map(str::to_owned),
        [0, 999, 1000, 1_234_567].map(grouped)
    );
    let rates = [0.0, 0.01, 2.345, 236.2].map(rate);
    assert_eq!(rates, ["0/s", "0.6/min", "2.3/s", "236/s"]);
    let times = [0.012, 3.21, 48.0, 600.0, 7200.0, 200_000.0].map(seconds);
    assert_eq!(times, ["12 ms", "3.2 s", "48 s", "10 min", "2 h", "2 d"]);
}

#[test]
fn brokers_that_are_away_are_one_card_with_the_sentence_at_the_top() {
    let view = whole(|answers| {
        for (_, _, answer) in answers.iter_mut() {
            let Ok(digest) = answer else { continue };
            for check in &mut digest.checks {
                if check.name.ends_with("_log") || check.name.ends_with("_kafka") {
                    check.set_state(State::Failing);
                    check.set_failure(FailureKind::Unreachable);
                    "no broker is reachable".clone_into(&mut check.message);
                }
            }
        }
    });
    let html = self::html(&view);
    assert_eq!(html.matches("<li id=cause-").count(), 1, "{html}");
    for part in [
        "Something is broken: one thing to do now",
        "<p class=lead>The brokers do not answer: 4 stages wait. Check that the brokers are up and reachable (setting \
         bus.kafka.brokers), or the disk of the embedded log.</p>",
        "4 checks say so",
        // Without unfolding anything.
        "/docs/runbooks/WeirLogUnavailable.md\"><code>streaming_kafka</code></a> on ",
        "10 min ago</p><p>no broker is reachable</p><details",
        "/docs/runbooks/WeirLogUnavailable.md\"><code>streaming_kafka</code></a>",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let text = check::text(&view.pipeline);
    assert!(
        text.starts_with(
            "WEIR CRITICAL: Something is broken: one thing to do now. failing (page): The brokers do not answer"
        ),
        "{text}"
    );
    let json = serde_json::to_value(ViewJson::from(view)).unwrap();
    assert_eq!(
        (&json["causes"][0]["signs"], json["causes"].as_array().unwrap().len()),
        (&serde_json::json!([0, 1, 2, 3]), 1)
    );
}

#[test]
fn the_name_of_the_installation_is_everywhere() {
    let model = Model::new(Vec::new(), LIMITS).called("<shop>, Frankfurt");
    let view = model.view(at(0));
    let html = self::html(&view);
    assert!(html.contains("<title>unknown · &lt;shop&gt;, Frankfurt · Weir</title>"), "{html}");
    assert!(html.contains("<h1>&lt;shop&gt;, Frankfurt: No service is watched</h1>"), "{html}");
    assert!(check::text(&view.pipeline).starts_with("WEIR UNKNOWN: <shop>, Frankfurt: No service is watched |"));
    assert_eq!(serde_json::to_value(ViewJson::from(view)).unwrap()["name"], "<shop>, Frankfurt");
}

#[test]
fn an_addition_can_be_followed_and_leads_on() {
    let view = whole(|answers| {
        let Ok(digest) = &mut answers[1].2 else { return };
        digest.counts[0].sent_on += 90_000;
    });
    let html = self::html(&view);
    for part in [
        "more went out than came in",
        "<tr class=sum>",
        "weir dead-letters list --endpoint acme-pages",
        "weir dead-letters list --stage processing",
        "health.md#why-something-is-dropped\">signature_mismatch</a>",
        "events of kinds without activity",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[test]
fn what_was_dropped_lately_stands_beside_the_total() {
    let view = whole(|_| ());
    assert_eq!(view.lately[0].as_ref().unwrap().taken_in, 5 * 1180, "since it is watched");
    assert!(view.lately[0].as_ref().unwrap().dropped.is_empty(), "nothing new");
    let html = self::html(&view);
    assert!(html.contains("<dd>0 <small>in 5 min, 18 in all</small></dd>"), "{html}");
}

#[test]
fn trends_are_told_in_words_too() {
    let view = whole(|_| ());
    let html = self::html(&view);
    assert!(html.contains("aria-label=\"in, out in the last hour: "), "{html}");
    assert!(html.contains("<span><span class=key0>in</span> <span class=key1>out</span></span>"), "{html}");
    assert!(!STYLE.contains("reverse"), "what is read first stands first");
    assert!(html.contains("aria-label=\"all in the last day: ok 1 min, not watched 24 h\""), "{html}");
    assert!(html.contains("Health-check watches since <time datetime="), "{html}");
    assert_eq!(
        html.matches("<svg role=img").count(),
        html.matches("</svg></p>").count() + html.matches("</svg><small>").count()
    );
}
