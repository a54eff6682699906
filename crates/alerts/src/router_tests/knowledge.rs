//! What a receiver was told, perhaps or surely, and what follows from that.

use super::*;

/// Steps of ten and thirty minutes.
fn escalating() -> Policy {
    let mut policy = policy();
    policy.routes[0].steps = vec![step(0, &["ana"]), step(10 * MIN, &["ben"])];
    policy
}

fn silence(check: &str, until_ms: i64) -> Silence {
    let about = about(check);
    Silence { about, from_ms: 0, until_ms, author: "ana".to_owned(), comment: "known".to_owned() }
}

fn at_it(check: &str, at_ms: i64) -> Acknowledgement {
    Acknowledgement { about: about(check), at_ms, by: "ana".to_owned() }
}

/// The first message that is due at a time.
fn due(router: &mut Router, policy: &Policy, found: &[Alert], now_ms: i64) -> Option<Message> {
    router.round(policy, found.to_vec(), now_ms).into_iter().next()
}

#[test]
fn what_begins_again_is_another_message() {
    let (mut router, policy) = (Router::default(), policy());
    let lag = [alert("loader", "lag", Class::Page)];
    let mut ids = BTreeSet::new();
    for day in 0..3 {
        let begin = day * 24 * 60 * MIN;
        router.round(&policy, lag.to_vec(), begin);
        let told = due(&mut router, &policy, &lag, begin + 30 * S).unwrap();
        router.delivered(&told, begin + 30 * S);
        router.round(&policy, Vec::new(), begin + 10 * MIN);
        let over = due(&mut router, &policy, &[], begin + 20 * MIN).unwrap();
        router.delivered(&over, begin + 20 * MIN);
        ids.extend([told.id, over.id]);
    }
    assert_eq!(ids.len(), 6, "a receiver that drops what it knows the id of loses a page");
}

#[test]
fn what_becomes_more_urgent_is_news_also_on_one_route() {
    let mut policy = policy();
    policy.routes = vec![Route { about: Matcher::default(), ..policy.routes.remove(0) }];
    let mut rounds = Rounds::of(policy);
    assert_eq!(rounds.until(10 * MIN, &[alert("loader", "lag", Class::Log)]), ["30s pager +lag -"]);
    let page = [alert("loader", "lag", Class::Page)];
    assert_eq!(rounds.until(30 * MIN, &page), ["600s pager +lag -"], "once");
    // Less urgent for a while: whoever knows of the page is not told of it a second time.
    assert_eq!(rounds.until(40 * MIN, &[alert("loader", "lag", Class::Log)]), [""; 0]);
    assert_eq!(rounds.until(50 * MIN, &page), [""; 0]);
}

#[test]
fn one_more_of_the_same_is_news() {
    let about = |subjects: &[&str]| {
        let subjects = subjects.iter().map(|one| (*one).to_owned()).collect();
        [Alert { subjects, ..alert("streaming", "volume", Class::Page) }]
    };
    let mut rounds = Rounds::of(policy());
    assert_eq!(rounds.until(10 * MIN, &about(&["shop"])), ["30s pager +volume -"]);
    assert_eq!(rounds.until(20 * MIN, &about(&["shop", "blog"])), ["600s pager +volume -"]);
    assert_eq!(rounds.until(30 * MIN, &about(&["blog"])), [""; 0]);
    assert_eq!(rounds.until(40 * MIN, &about(&["blog", "news"])), ["1800s pager +volume -"]);
}

#[test]
fn it_is_not_over_while_something_of_it_is_open_and_nobody_is_told() {
    let (lag, other) = (alert("loader", "lag", Class::Page), alert("enricher", "lag", Class::Page));
    let log = alert("loader", "loader_log", Class::Page);
    let mut rounds = Rounds::of(policy());
    assert_eq!(rounds.until(MIN, &[lag.clone(), other.clone()]), ["30s pager +lag,lag -"]);
    // The log of the loader fails, and the enricher's lag ends.
    rounds.until(2 * MIN, &[log.clone(), other]);
    let mut partly = None;
    while partly.is_none() && rounds.now < 20 * MIN {
        let due = rounds.router.round(&rounds.policy, vec![log.clone()], rounds.now);
        due.iter().for_each(|message| rounds.router.delivered(message, rounds.now));
        partly = due.into_iter().find(|message| message.cause == "lag");
        rounds.now += 10 * S;
    }
    let partly = partly.unwrap();
    assert_eq!((partly.resolved[0].stage.as_str(), partly.muted[0].stage.as_str()), ("enricher", "loader"));
    assert!(!partly.is_over() && partly.title() == "Weir partly resolved: lag at enricher", "{partly:?}");
    // When the log is back, what is open still is told again, and long before the repeat.
    let back = rounds.now;
    let said = rounds.until(back + 10 * MIN, &[lag]);
    assert_eq!(said.iter().filter(|one| one.ends_with("pager +lag -")).count(), 1, "{said:?}");
    let said = rounds.until(back + 30 * MIN, &[]);
    assert!(said.iter().any(|one| one.ends_with("pager + -lag")), "{said:?}");
}

#[test]
fn whoever_was_told_perhaps_hears_the_end() {
    let (policy, lag) = (policy(), [alert("loader", "lag", Class::Page)]);
    for is_taken in [true, false] {
        let mut router = Router::default();
        router.round(&policy, lag.to_vec(), 0);
        let first = due(&mut router, &policy, &lag, 30 * S).unwrap();
        router.sending(&first);
        if !is_taken {
            router.not_taken(&first);
        }
        // The process is killed, and so is what it knew of the attempt.
        let mut router: Router = serde_json::from_str(&serde_json::to_string(&router).unwrap()).unwrap();
        // It is tried again, with its id.
        assert_eq!(due(&mut router, &policy, &lag, 40 * S).unwrap().id, first.id);
        router.round(&policy, Vec::new(), 50 * S);
        let end = due(&mut router, &policy, &[], 10 * MIN);
        assert_eq!(end.as_ref().is_some_and(Message::is_over), is_taken, "{end:?}");
        if let Some(end) = end {
            router.delivered(&end, 10 * MIN);
        }
        router.round(&policy, Vec::new(), 20 * MIN);
        assert_eq!(router, Router::default());
    }
}

#[test]
fn a_class_that_changes_while_a_message_is_in_flight_leaves_no_incident_open() {
    let (mut router, policy) = (Router::default(), policy());
    let (page, ticket) = (alert("loader", "lag", Class::Page), alert("loader", "lag", Class::Ticket));
    router.round(&policy, vec![ticket.clone()], 0);
    let in_flight = due(&mut router, &policy, &[ticket], 30 * S).unwrap();
    router.sending(&in_flight);
    router.round(&policy, vec![page.clone()], 40 * S);
    router.delivered(&in_flight, 50 * S);
    let messages = router.round(&policy, vec![page], 6 * MIN);
    assert!(messages.iter().any(|message| message.receiver == "chat" && message.is_over()), "{messages:?}");
}

#[test]
fn escalation_begins_anew_after_a_silence() {
    let lag = [alert("loader", "lag", Class::Page)];
    let mut rounds = Rounds::of(escalating());
    assert_eq!(rounds.until(5 * MIN, &lag), ["30s ana +lag -"]);
    rounds.policy.silences = vec![silence("lag", 60 * MIN)];
    assert_eq!(rounds.until(60 * MIN, &lag), [""; 0]);
    // The first one is told again, and the second one ten minutes later.
    assert_eq!(rounds.until(80 * MIN, &lag), ["3600s ana +lag -", "4200s ben +lag -"]);
}

#[test]
fn whoever_gives_it_back_has_it_told_again() {
    let lag = [alert("loader", "lag", Class::Page)];
    let mut rounds = Rounds::of(escalating());
    rounds.until(5 * MIN, &lag);
    rounds.policy.acknowledgements = vec![at_it("lag", 5 * MIN)];
    assert_eq!(rounds.until(20 * MIN, &lag), ["330s ana +lag - by ana"]);
    rounds.policy.acknowledgements.clear();
    assert_eq!(rounds.until(40 * MIN, &lag), ["1200s ana +lag -", "1800s ben +lag -"]);
}

#[test]
fn whoever_is_at_a_ticket_is_not_at_the_page_that_it_becomes() {
    let mut rounds = Rounds::of(escalating());
    rounds.until(MIN, &[alert("loader", "lag", Class::Ticket)]);
    rounds.policy.acknowledgements = vec![at_it("lag", MIN)];
    rounds.until(10 * MIN, &[alert("loader", "lag", Class::Ticket)]);
    let said = rounds.until(30 * MIN, &[alert("loader", "lag", Class::Page)]);
    assert_eq!(said, ["630s ana +lag -", "630s chat + -lag", "1230s ben +lag -"]);
}

#[test]
fn alertmanager_is_told_again_of_what_is_silenced() {
    let mut policy = policy();
    let own = Timing { group_wait_ms: 0, group_interval_ms: 0, repeat_interval_ms: 30 * S };
    policy.own_timing = BTreeMap::from([("pager".to_owned(), own)]);
    let (mut router, lag) = (Router::default(), [alert("loader", "lag", Class::Page)]);
    let first = due(&mut router, &policy, &lag, 0).unwrap();
    router.delivered(&first, 0);
    policy.silences = vec![silence("lag", i64::MAX)];
    let again = due(&mut router, &policy, &lag, 30 * S).unwrap();
    assert_eq!((again.firing.len(), again.muted.len()), (0, 1), "it would take it for over");
}

#[test]
fn two_installations_have_groups_of_their_own() {
    let policy = Policy { installation: "staging".to_owned(), ..policy() };
    let (mut router, lag) = (Router::default(), [alert("loader", "lag", Class::Page)]);
    router.round(&policy, lag.to_vec(), 0);
    let message = due(&mut router, &policy, &lag, 30 * S).unwrap();
    assert_eq!((message.group.as_str(), message.installation.as_str()), ("staging/page/lag", "staging"));
}

/// What all need is away: one page, although many checks say so.
#[test]
fn an_outage_is_one_page_at_each_stage() {
    for (cause, explained) in [
        ("processing_log", &["topics", "claims", "load_requests", "held", "registrations", "progress"][..]),
        ("processing_topics", &["registrations", "progress"]),
        ("processing_claims", &["progress"]),
        ("processing_lake", &["progress"]),
        ("processing_step_geo", &["progress"]),
        ("processing_load_requests", &["progress"]),
        ("processing_dead_letter_storm", &["endpoint_dead_letters", "progress"]),
    ] {
        let page = |check: &str| alert("processing", check, Class::Page);
        let mut found = vec![page(cause)];
        found.extend(explained.iter().map(|end| page(&format!("processing_{end}"))));
        found.extend([page("lag"), page("age")]);
        let told = Rounds::of(policy()).until(10 * MIN, &found);
        assert_eq!(told, [format!("30s pager +{cause} -")], "{cause}");
        // Nothing follows from a ticket, and nothing at another stage.
        let mut rounds = Rounds::of(policy());
        let last = page(&format!("processing_{}", explained.last().unwrap()));
        let other = [alert("processing", cause, Class::Ticket), last, alert("loader", "lag", Class::Page)];
        assert_eq!(rounds.until(10 * MIN, &other).len(), 3, "{cause}");
    }
    // What is soon removed unread does not wait for the log.
    let away = ["processing_log", "processing_retention"].map(|check| alert("processing", check, Class::Page));
    let told = Rounds::of(policy()).until(10 * MIN, &away);
    assert_eq!(told, ["30s pager +processing_log -", "30s pager +processing_retention -"]);
}
