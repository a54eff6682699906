use platforms::{CallFailure, Platform};

use super::*;

fn silent(asked: &mut Asked, endpoints: &[&str], now: i64) {
    asked.are_silent(&endpoints.iter().copied().collect(), now);
}

fn asked() -> Asked {
    Asked::new(["ci".to_owned(), "shop".to_owned()], 10)
}

#[test]
fn whoever_can_be_asked_for_is_asked_for_once() {
    let mut asked = asked();
    silent(&mut asked, &["ci", "other"], 100);
    assert_eq!(asked.of("other", 100), Heard::Answer(PlatformAnswer::NotAsked));
    assert_eq!((asked.of("ci", 100), asked.to_ask(101)), (Heard::Waiting, vec!["ci".to_owned()]));
    assert_eq!((asked.of("ci", 110), asked.to_ask(110)), (Heard::Waiting, vec![]));
    asked.answered("ci", PlatformAnswer::HookGone, 111);
    assert_eq!((asked.of("ci", 112), asked.to_ask(112)), (Heard::Answer(PlatformAnswer::HookGone), vec![]));
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let mut asked = asked();
    silent(&mut asked, &["ci"], 100);
    let _ = asked.to_ask(100);
    assert_eq!((asked.of("ci", 115), asked.of("ci", 116)), (Heard::Waiting, Heard::Nothing { limit: 10 }));
    // Looking again makes it no newer; and the clock may be set back.
    silent(&mut asked, &["ci"], 116);
    assert_eq!((asked.of("ci", 117), asked.of("ci", 50)), (Heard::Nothing { limit: 10 }, Heard::Nothing { limit: 10 }));
    assert_eq!(asked.to_ask(117), ["ci"], "and asked for again");
    asked.answered("ci", PlatformAnswer::HookGone, 118);
    assert_eq!(asked.of("ci", 118), Heard::Answer(PlatformAnswer::HookGone));
}

#[test]
fn while_it_lasts_it_is_asked_again_and_what_was_said_stays_until_then() {
    let mut asked = asked();
    silent(&mut asked, &["ci"], 100);
    let _ = asked.to_ask(100);
    asked.answered("ci", PlatformAnswer::HookGone, 101);
    assert_eq!(asked.to_ask(700), [""; 0]);
    assert_eq!(asked.to_ask(701), ["ci"]);
    assert_eq!(asked.of("ci", 701), Heard::Answer(PlatformAnswer::HookGone));
    let late = PlatformAnswer::Unknown { platform: Platform::GitHub, why: CallFailure::Late { limit_ms: 10_000 } };
    asked.answered("ci", late.clone(), 711);
    assert_eq!(asked.of("ci", 711), Heard::Answer(late));
}

#[test]
fn what_is_not_silent_any_more_is_forgotten() {
    let mut asked = asked();
    silent(&mut asked, &["ci"], 100);
    let _ = asked.to_ask(100);
    silent(&mut asked, &[], 101);
    // This is about the silence before.
    asked.answered("ci", PlatformAnswer::HookGone, 102);
    silent(&mut asked, &["ci"], 9000);
    assert_eq!((asked.of("ci", 9000), asked.to_ask(9000)), (Heard::Waiting, vec!["ci".to_owned()]));
}

#[test]
fn few_are_asked_for_at_once() {
    let names: Vec<_> = (0..20).map(|n| format!("e{n:02}")).collect();
    let mut asked = Asked::new(names.clone(), 10);
    asked.are_silent(&names.iter().map(String::as_str).collect(), 100);
    let told: Vec<_> = (0..4).map(|_| asked.to_ask(100).len()).collect();
    assert_eq!(told, [AT_ONCE, AT_ONCE, 20 - 2 * AT_ONCE, 0]);
}
