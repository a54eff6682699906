use common::health::v1::Digest;
use platforms::{CallFailure, LastResponse, Platform};

use super::*;
use crate::pipeline::{Model, View};
use crate::samples::{NOW, at, check, digest, tell, told, watched};
use crate::volume::{History, Rules, Watch};

const RULES: Rules = Rules { weeks: 2, samples: 2, quantile: 0.25, low: 0.4, high: 3.0, floor: 20, silence: 30 };

#[test]
fn one_line_for_each_kind_names_the_endpoints() {
    let usual = crate::volume::Usual { least: 80, middle: 100, most: 120, basis: crate::volume::mine::Basis::Week };
    let finding = |endpoint: &str, kind| Finding { endpoint: endpoint.to_owned(), kind, since: NOW as i64 };
    let findings = [
        finding("", FindingKind::Silent { expected: 412.4 }),
        finding("shop", FindingKind::Silent { expected: 31.0 }),
        finding("news", FindingKind::Low { count: 7, usual }),
        finding("blog", FindingKind::High { count: 700, usual }),
    ];
    let found = found(&super::told(&findings, &Asked::default(), NOW as i64));
    let lines: Vec<_> = found.iter().map(|problem| (problem.state, problem.action, problem.found.as_str())).collect();
    let silent = "nothing comes any more: all endpoints together (at least 412 deliveries were usual meanwhile), shop (at least \
                  31 deliveries were usual meanwhile; the platform was not asked: platforms.endpoints has no credentials for it)";
    assert_eq!(
        lines,
        [
            (State::Failing, Action::Page, silent),
            (State::Failing, Action::Ticket, "less than usual in the last hour: news 7 (usually 100, 80 to 120)"),
            (State::Warning, Action::Ticket, "more than usual in the last hour: blog 700 (usually 100, 80 to 120)"),
        ]
    );
    assert!(found.iter().all(|problem| problem.check == "volume" && problem.hops == [DOOR]));
}

/// Four weeks of 60 an hour from `shop`, in which two instances take turns.
fn four_weeks() -> Model {
    four_weeks_of("streaming")
}

fn four_weeks_of(service: &str) -> Model {
    let mut history = History::default();
    let present = NOW as i64 / HOUR;
    for hour in present - 4 * 168..present {
        history.watch(hour);
        for endpoint in [ALL, "shop"] {
            history.raise(endpoint, hour, 60, 9);
        }
    }
    (0..4).for_each(|week| history.pause("shop", present - week * 168, 0.0));
    let watch = Watch::new(RULES, 9, Vec::new(), history);
    Model::new(watched(&[(service, 1)]), crate::samples::LIMITS).watching(Some(watch))
}

/// The door at so many seconds after `NOW`; `shop` has sent so many in the hour of `NOW`, and none in those after it.
fn door(model: &mut Model, seconds: u64, count: u64, change: impl Fn(&mut Digest)) -> View {
    let mut digest = digest("streaming", "door-0:7", &[("shop", count, count)]);
    change(&mut digest);
    tell(model, vec![("streaming", "http://door:1", Ok(digest))], seconds);
    model.view(at(seconds))
}

fn volume(view: &View) -> Vec<&str> {
    view.problems.iter().filter(|problem| problem.check == "volume").map(|problem| problem.found.as_str()).collect()
}

#[test]
fn a_silent_endpoint_is_a_problem_of_the_door() {
    let mut model = four_weeks();
    let minutes = |model: &mut Model, range: std::ops::Range<u64>| {
        range.map(|minute| door(model, minute * 60, 40, |_| ())).last()
    };
    let view = minutes(&mut model, 0..25).unwrap();
    assert_eq!(volume(&view), [""; 0]);
    let view = minutes(&mut model, 25..40).unwrap();
    let silent = "nothing comes any more: shop (at least 39 deliveries were usual meanwhile; the platform was not asked: \
                  platforms.endpoints has no credentials for it)";
    assert_eq!(volume(&view), [silent]);
    assert_eq!(view.pipeline.hops[0].state(), State::Failing);
    let view = door(&mut model, 2460, 41, |_| ());
    assert_eq!(volume(&view), [""; 0], "one has come");
}

#[test]
fn with_the_log_away_nothing_is_said_of_the_volume() {
    let mut model = four_weeks();
    let away = |digest: &mut Digest| digest.checks.push(check("streaming_kafka", State::Failing, "no broker answers"));
    let view = (0..50).map(|minute| door(&mut model, minute * 60, 40, away)).last().unwrap();
    assert_eq!(volume(&view), [""; 0]);
    // It begins to count once the log is back.
    let view = (50..70).map(|minute| door(&mut model, minute * 60, 40, |_| ())).last().unwrap();
    assert_eq!(volume(&view), [""; 0]);
    let view = (70..90).map(|minute| door(&mut model, minute * 60, 40, |_| ())).last().unwrap();
    assert_eq!(volume(&view).len(), 1);
}

#[test]
fn what_instances_have_told_is_in_the_history_once() {
    let mut model = told(&[("streaming", 1)], Vec::new());
    model = model.watching(Some(Watch::new(RULES, 9, Vec::new(), History::default())));
    let answer = |instance: &str, count| Ok(digest("streaming", instance, &[("shop", count + 5, count)]));
    for (minute, instance, count) in [(0, "a", 10), (1, "a", 30), (2, "b", 4), (3, "b", 4), (4, "b", 9)] {
        tell(&mut model, vec![("streaming", "http://door:1", answer(instance, count))], minute * 60);
    }
    let history = model.volume().unwrap().history();
    let hour = (NOW as i64 - 2096).div_euclid(HOUR);
    assert_eq!([history.so_far("shop", hour), history.so_far(ALL, hour)], [39, 39], "30 of the one that ended, and 9");
}

#[test]
fn without_a_door_nothing_is_said_of_it() {
    // One process has all, and is gone.
    let mut model = four_weeks_of("weir");
    for minute in 0..40 {
        let digest = digest("streaming", "all-0:7", &[("shop", 40, 40)]);
        tell(&mut model, vec![("weir", "http://all:1", Ok(digest))], minute * 60);
    }
    assert_eq!(volume(&model.view(at(2400))).len(), 1);
    tell(&mut model, Vec::new(), 2520);
    let view = model.view(at(2520));
    assert_eq!((volume(&view), view.volume.map(|summary| (summary.ok, summary.not_known))), (vec![], Some((0, 2))));
}

/// `shop` has become silent, and its platform can be asked, which takes at most 10 s.
pub(crate) fn silent_shop() -> (Model, u64) {
    let mut model = four_weeks();
    let watch = model.volume().unwrap().clone().asking(Asked::new(["shop".to_owned()], 10));
    model = model.watching(Some(watch));
    let mut minutes = (0..60).map(|minute| minute * 60);
    let since = minutes.find(|&seconds| {
        door(&mut model, seconds, 40, |_| ());
        !model.volume().unwrap().findings().is_empty()
    });
    (model, since.unwrap())
}

fn pages(view: &View) -> Vec<(&str, &str)> {
    let of_it = view.problems.iter().filter(|problem| problem.check == "volume" && problem.action == Action::Page);
    of_it.map(|problem| (problem.found.as_str(), problem.advice)).collect()
}

#[test]
fn silence_pages_once_the_platform_has_answered_and_says_what_it_said() {
    let gone = PlatformAnswer::PagesUnsubscribed { pages: vec!["7".to_owned()], asked: 1 };
    let last = Some(LastResponse { code: Some(502), message: String::new() });
    let why = CallFailure::TokenRefused { status: 401, said: "Bad credentials".to_owned() };
    for (answer, said, advice) in [
        (gone, "the page's subscription is gone: page 7", "Subscribe again: weir platforms subscribe ENDPOINT."),
        (
            PlatformAnswer::HookInactive { last },
            "GitHub's hook is inactive, its last response was 502",
            "Set the webhook active",
        ),
        (
            PlatformAnswer::Active { platform: Platform::Meta, last: None },
            "Meta has the subscription active, and nothing comes",
            "The platform has it active and nobody sends: look at the sender.",
        ),
        (
            PlatformAnswer::Unknown { platform: Platform::GitHub, why },
            "GitHub was asked, without result: the token was refused with 401: Bad credentials",
            "Look at the platform",
        ),
    ] {
        let (mut model, since) = silent_shop();
        let view = model.view(at(since));
        assert_eq!((pages(&view), view.silent.len()), (vec![], 0), "its platform is asked first");
        assert_eq!(model.platforms_to_ask(at(since)), ["shop"]);
        model.platform_answered("shop", answer, at(since + 2));
        let view = model.view(at(since + 2));
        let [(found, advises)] = pages(&view)[..] else { panic!("{:?}", view.problems) };
        let expected = found.split_once("; ").unwrap().1;
        assert_eq!(expected, format!("{said})"));
        assert!(
            found.starts_with("nothing comes any more: shop (at least ") && advises.starts_with(advice),
            "{advises}"
        );
        assert_eq!(view.silent, ["shop"]);
    }
}

#[test]
fn silence_pages_also_where_the_platform_does_not_answer_in_time() {
    let (mut model, since) = silent_shop();
    assert_eq!(model.platforms_to_ask(at(since)), ["shop"]);
    assert_eq!(pages(&model.view(at(since + 10))), []);
    let view = model.view(at(since + 20));
    let [(found, advice)] = pages(&view)[..] else { panic!("{:?}", view.problems) };
    assert!(found.ends_with("; its platform was asked, and nothing was heard within 10 s)"), "{found}");
    assert!(advice.starts_with("Look at the platform"));
    // And where nobody asks at all.
    let (model, since) = silent_shop();
    assert_eq!(pages(&model.view(at(since + 20))).len(), 1);
}

#[test]
fn several_that_are_silent_have_one_advice_only_if_it_is_the_same() {
    let finding = |endpoint: &str| {
        let kind = FindingKind::Silent { expected: 40.0 };
        Finding { endpoint: endpoint.to_owned(), kind, since: NOW as i64 }
    };
    let findings = [finding("a"), finding("b")];
    let advice = |answers: [PlatformAnswer; 2]| {
        let heard = answers.map(|answer| Some(Heard::Answer(answer)));
        let told: Vec<_> = findings.iter().zip(heard).collect();
        found(&told)[0].advice
    };
    let active = PlatformAnswer::Active { platform: Platform::Meta, last: None };
    assert_eq!(Some(advice([PlatformAnswer::HookGone, PlatformAnswer::HookGone])), PlatformAnswer::HookGone.advice());
    assert_eq!(advice([PlatformAnswer::HookGone, active]), SILENT);
    assert_eq!(advice([PlatformAnswer::NotAsked, PlatformAnswer::NotAsked]), SILENT);
}
