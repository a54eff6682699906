use std::collections::BTreeMap;

use crate::calendar::{Acknowledgement, Days, Maintenance, Rotation, Silence};
use crate::matcher::Matcher;
use crate::policy::{Step, Timing};

use super::*;

#[path = "router_tests/knowledge.rs"]
mod knowledge;
#[path = "router_tests/lasting.rs"]
mod lasting;
#[path = "router_tests/properties.rs"]
mod properties;

const S: i64 = 1000;
const MIN: i64 = 60 * S;

fn alert(stage: &str, check: &str, class: Class) -> Alert {
    Alert {
        stage: stage.to_owned(),
        check: check.to_owned(),
        class,
        instances: Vec::new(),
        subjects: Vec::new(),
        text: "found".to_owned(),
        advice: "do".to_owned(),
        runbook: String::new(),
        since_ms: 0,
    }
}

fn step(after_ms: i64, receivers: &[&str]) -> Step {
    Step { after_ms, receivers: receivers.iter().map(|name| (*name).to_owned()).collect() }
}

fn route(class: Class, steps: Vec<Step>) -> Route {
    Route {
        name: class.name().to_owned(),
        about: Matcher { classes: vec![class], ..Matcher::default() },
        steps,
        timing: Timing { group_wait_ms: 30 * S, group_interval_ms: 5 * MIN, repeat_interval_ms: 60 * MIN },
    }
}

fn policy() -> Policy {
    let routes = vec![route(Class::Page, vec![step(0, &["pager"])]), route(Class::Ticket, vec![step(0, &["chat"])])];
    Policy { routes, resolve_after_ms: 2 * MIN, ..Policy::default() }
}

fn about(check: &str) -> Matcher {
    Matcher { checks: vec![check.to_owned()], ..Matcher::default() }
}

/// Rounds of ten seconds, up to before `until`; what was delivered, in short: when, to whom, what lasts, what is over.
struct Rounds {
    router: Router,
    policy: Policy,
    now: i64,
}

impl Rounds {
    fn of(policy: Policy) -> Self {
        Self { router: Router::default(), policy, now: 0 }
    }

    fn until(&mut self, until: i64, found: &[Alert]) -> Vec<String> {
        let mut said = Vec::new();
        while self.now < until {
            for message in self.router.round(&self.policy, found.to_vec(), self.now) {
                self.router.sending(&message);
                self.router.delivered(&message, self.now);
                let checks =
                    |alerts: &[Alert]| alerts.iter().map(|one| one.check.clone()).collect::<Vec<_>>().join(",");
                let (firing, resolved) = (checks(&message.firing), checks(&message.resolved));
                let by = message.acknowledged_by.map_or_else(String::new, |by| format!(" by {by}"));
                said.push(format!("{}s {} +{firing} -{resolved}{by}", self.now / S, message.receiver));
            }
            self.now += 10 * S;
        }
        said
    }
}

#[test]
fn one_cause_is_one_message_and_its_end_another() {
    let mut rounds = Rounds::of(policy());
    let log = [alert("streaming", "streaming_kafka", Class::Page), alert("loader", "loader_log", Class::Page)];
    assert_eq!(rounds.until(20 * S, &log[..1]), [""; 0]);
    assert_eq!(rounds.until(5 * MIN, &log), ["30s pager +loader_log,streaming_kafka -"]);
    // One is over two minutes after it was last found; that is told when the group may be told of again.
    assert_eq!(rounds.until(8 * MIN, &log[1..]), ["420s pager +loader_log -streaming_kafka"]);
    assert_eq!(rounds.until(20 * MIN, &[]), ["720s pager + -loader_log"]);
    assert_eq!(rounds.router, Router::default(), "nothing is remembered of what is over");
}

#[test]
fn what_lasts_is_told_again_and_what_comes_and_goes_is_not() {
    let mut rounds = Rounds::of(policy());
    let lag = [alert("loader", "lag", Class::Page)];
    assert_eq!(rounds.until(MIN, &lag), ["30s pager +lag -"]);
    for _ in 0..20 {
        assert_eq!(rounds.until(rounds.now + MIN, &[]), [""; 0]);
        assert_eq!(rounds.until(rounds.now + MIN, &lag), [""; 0]);
    }
    assert_eq!(rounds.until(62 * MIN, &lag), ["3630s pager +lag -"]);
    // Shorter than the wait, and gone: nobody hears of it.
    let mut short = Rounds::of(policy());
    short.until(20 * S, &lag);
    assert_eq!(short.until(60 * MIN, &[]), [""; 0]);
}

#[test]
fn what_follows_from_the_log_is_not_told_and_is_not_over_meanwhile() {
    let mut rounds = Rounds::of(policy());
    let (lag, age) = (alert("loader", "lag", Class::Page), alert("loader", "age", Class::Page));
    let log = alert("loader", "loader_log", Class::Page);
    let other = alert("enricher", "lag", Class::Page);
    assert_eq!(rounds.until(MIN, std::slice::from_ref(&lag)), ["30s pager +lag -"]);
    // The log is away: health-check does not report the lag any more, and the age that it reports is not told.
    assert_eq!(rounds.until(30 * MIN, &[log.clone(), age.clone()]), ["90s pager +loader_log -"]);
    // It is back, and so is the lag, which never was over. Another stage's lag has nothing to do with it.
    assert_eq!(rounds.until(31 * MIN, std::slice::from_ref(&lag)), [""; 0]);
    let said = rounds.until(40 * MIN, &[lag, other]);
    // What nobody was told of meanwhile is told again once the log is over.
    assert_eq!(said, ["1860s pager +lag -", "1920s pager + -loader_log", "2160s pager +lag,lag -"]);
}

#[test]
fn records_that_will_be_removed_are_told_whatever_holds_them_up() {
    let mut rounds = Rounds::of(policy());
    let log = alert("loader", "loader_log", Class::Page);
    let retention = |class| alert("loader", "loader_retention", class);
    assert_eq!(rounds.until(MIN, &[log.clone(), retention(Class::Ticket)]), ["30s pager +loader_log -"]);
    let said = rounds.until(3 * MIN, &[log.clone(), retention(Class::Page)]);
    assert_eq!(said, ["90s pager +loader_retention -"]);
    // What was found is not over when nobody knows it any more.
    assert_eq!(rounds.until(20 * MIN, &[log]), [""; 0]);
}

#[test]
fn nothing_is_over_while_nobody_answers_for_it() {
    let mut rounds = Rounds::of(policy());
    let held = [alert("loader", "loader_held", Class::Page)];
    rounds.until(MIN, &held);
    assert_eq!(rounds.until(30 * MIN, &[alert("loader", "instances", Class::Page)]), ["90s pager +instances -"]);
    assert_eq!(rounds.until(33 * MIN, &held), ["1920s pager + -instances"]);
    assert_eq!(rounds.until(40 * MIN, &[]), ["2100s pager + -loader_held"]);
}

#[test]
fn a_class_rises_at_once_and_falls_after_a_while() {
    let mut rounds = Rounds::of(policy());
    let (ticket, page) = (alert("loader", "lag", Class::Ticket), alert("loader", "lag", Class::Page));
    assert_eq!(rounds.until(MIN, std::slice::from_ref(&ticket)), ["30s chat +lag -"]);
    assert_eq!(rounds.until(6 * MIN, &[page]), ["90s pager +lag -", "330s chat + -lag"]);
    assert_eq!(rounds.until(8 * MIN, std::slice::from_ref(&ticket)), [""; 0]);
    assert_eq!(rounds.until(10 * MIN, &[ticket]), ["480s pager + -lag", "510s chat +lag -"]);
}

#[test]
fn a_silence_ends_and_a_maintenance_too() {
    let silence = |until_ms| Silence {
        about: about("l*"),
        from_ms: 0,
        until_ms,
        author: "ana".to_owned(),
        comment: "known".to_owned(),
    };
    let window = Maintenance {
        name: "patch".to_owned(),
        about: about("age"),
        days: Days::Dates(vec![0]),
        from_minute: 0,
        to_minute: 20,
        utc_offset_minutes: 0,
    };
    let mut rounds = Rounds::of(Policy { silences: vec![silence(10 * MIN)], maintenance: vec![window], ..policy() });
    let found = [alert("loader", "lag", Class::Page), alert("loader", "age", Class::Page)];
    assert_eq!(rounds.until(15 * MIN, &found), ["600s pager +lag -"]);
    assert_eq!(rounds.until(25 * MIN, &found), ["1200s pager +age -"]);
    // What was told before has its end told, silenced or not.
    rounds.policy.silences = vec![silence(i64::MAX)];
    assert_eq!(rounds.until(60 * MIN, &[]), ["1620s pager + -age", "1620s pager + -lag"]);
}

#[test]
fn whom_nobody_answers_calls_the_next_one() {
    let mut policy = policy();
    policy.routes[0].steps =
        vec![step(0, &["ana", "chat"]), step(10 * MIN, &["ben"]), step(30 * MIN, &["ben", "boss"])];
    let lag = [alert("loader", "lag", Class::Page)];
    let mut rounds = Rounds::of(policy.clone());
    assert_eq!(rounds.until(10 * MIN, &lag), ["30s ana +lag -", "30s chat +lag -"]);
    assert_eq!(rounds.until(60 * MIN, &lag), ["630s ben +lag -", "1830s boss +lag -"]);
    let ends = ["ana", "ben", "boss", "chat"].map(|who| format!("3720s {who} + -lag"));
    assert_eq!(rounds.until(80 * MIN, &[]), ends);

    // Somebody is at it: nobody else is called, and nobody is told again.
    let mut rounds = Rounds::of(policy);
    rounds.until(5 * MIN, &lag);
    let by = Acknowledgement { about: about("lag"), at_ms: 5 * MIN, by: "ana".to_owned() };
    rounds.policy.acknowledgements.push(by);
    let said = rounds.until(300 * MIN, &lag);
    assert_eq!(said, ["330s ana +lag - by ana", "330s chat +lag - by ana"]);
    // What begins later nobody is at.
    let later = rounds.until(301 * MIN, &[lag[0].clone(), alert("enricher", "lag", Class::Page)]);
    assert_eq!(later, ["18000s ana +lag,lag -", "18000s chat +lag,lag -"]);
}

#[test]
fn the_next_shift_is_told_what_lasts_and_the_one_before_its_end() {
    let mut policy = policy();
    policy.routes[0].steps = vec![step(0, &["primary"])];
    policy.rotations = vec![Rotation {
        name: "primary".to_owned(),
        people: vec!["ana".to_owned(), "ben".to_owned()],
        start_ms: 0,
        shift_ms: 20 * MIN,
        overrides: Vec::new(),
    }];
    let mut rounds = Rounds::of(policy);
    let lag = [alert("loader", "lag", Class::Page)];
    assert_eq!(rounds.until(30 * MIN, &lag), ["30s ana +lag -", "1200s ben +lag -"]);
    assert_eq!(rounds.until(39 * MIN, &[]), ["1920s ana + -lag", "1920s ben + -lag"]);
}

#[test]
fn who_wants_all_that_lasts_is_told_in_each_round() {
    let mut policy = policy();
    let own = Timing { group_wait_ms: 0, group_interval_ms: 0, repeat_interval_ms: 20 * S };
    policy.own_timing = BTreeMap::from([("pager".to_owned(), own)]);
    let mut rounds = Rounds::of(policy);
    let lag = [alert("loader", "lag", Class::Page)];
    assert_eq!(rounds.until(30 * S, &lag), ["0s pager +lag -", "20s pager +lag -"]);
    let said = rounds.until(10 * MIN, &[]);
    assert_eq!(said.last().map(String::as_str), Some("150s pager + -lag"), "{said:?}");
}

#[test]
fn a_message_that_was_not_delivered_is_made_anew_with_its_id() {
    let mut router = Router::default();
    let (policy, lag) = (policy(), alert("loader", "lag", Class::Page));
    router.round(&policy, vec![lag.clone()], 0);
    let ids: Vec<_> = [30, 40, 50].map(|s| router.round(&policy, vec![lag.clone()], s * S).remove(0).id).into();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    let message = router.round(&policy, vec![lag.clone()], 60 * S).remove(0);
    router.delivered(&message, 60 * S);
    assert!(router.round(&policy, vec![lag.clone()], 70 * S).is_empty());
    let again = router.round(&policy, vec![lag], 2 * 60 * MIN).remove(0);
    assert_ne!(again.id, message.id);
}
