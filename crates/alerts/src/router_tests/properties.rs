//! The router against what is obvious: who looks at all that was found so far, and at nothing that was remembered.

use proptest::prelude::*;

use super::*;

const ROUND: i64 = 10 * S;

#[derive(Debug, Clone, Copy)]
struct Times {
    wait: i64,
    interval: i64,
    repeat: i64,
    resolve: i64,
}

fn times() -> impl Strategy<Value = Times> {
    let rounds = |most: i64| (0..most).prop_map(|n| n * ROUND);
    (rounds(5), rounds(8), rounds(20), rounds(6)).prop_map(|(wait, interval, repeat, resolve)| Times {
        wait,
        interval,
        repeat: repeat.max(ROUND),
        resolve,
    })
}

/// What was found in each round: stretches of the same, so that there are ends to be told.
fn history() -> impl Strategy<Value = Vec<bool>> {
    proptest::collection::vec((any::<bool>(), 1_usize..25), 1..12)
        .prop_map(|runs| runs.into_iter().flat_map(|(is, times)| std::iter::repeat_n(is, times)).collect())
}

fn policy_of(times: Times) -> Policy {
    let timing =
        Timing { group_wait_ms: times.wait, group_interval_ms: times.interval, repeat_interval_ms: times.repeat };
    let mut policy = policy();
    policy.resolve_after_ms = times.resolve;
    policy.routes.iter_mut().for_each(|route| route.timing = timing);
    policy
}

/// What one receiver is told of one alert that has a group of its own: when, and whether it is over.
fn obvious(history: &[bool], times: Times) -> Vec<(i64, bool)> {
    let mut told: Vec<(i64, bool)> = Vec::new();
    let is_open = |n: usize| {
        // Found now, or gone for less than that.
        (0..=n).any(|then| history[then] && (then == n || ((n - then - 1) as i64 * ROUND) < times.resolve))
    };
    for (n, is_found) in history.iter().copied().enumerate() {
        let now = n as i64 * ROUND;
        let begun = (0..=n).rev().take_while(|then| is_open(*then)).last().unwrap_or(n) as i64 * ROUND;
        let last = told.last().copied();
        let knows = last.is_some_and(|(_, is_over)| !is_over);
        let since = last.map_or(i64::MAX, |(at, _)| now - at);
        let is_new = is_open(n) && is_found && !knows && now - begun >= times.wait;
        let is_again = is_open(n) && is_found && knows && since >= times.repeat;
        let is_over = !is_open(n) && knows && since >= times.interval;
        if is_new || is_again || is_over {
            told.push((now, is_over));
        }
    }
    told
}

fn run(policy: &Policy, histories: &[Vec<bool>], restarts: &[bool], fails: &[bool]) -> Vec<Vec<(i64, bool)>> {
    let checks = ["a", "b", "c"];
    let mut router = Router::default();
    let mut told = vec![Vec::new(); histories.len()];
    let mut attempts = 0;
    for n in 0..histories.iter().map(Vec::len).max().unwrap_or(0) {
        let now = n as i64 * ROUND;
        if restarts.get(n % restarts.len().max(1)).copied().unwrap_or_default() {
            router = serde_json::from_str(&serde_json::to_string(&router).unwrap()).unwrap();
        }
        let is_found = |at: &usize| histories[*at].get(n).copied().unwrap_or_default();
        let found = (0..histories.len()).filter(is_found).map(|at| alert("loader", checks[at], Class::Page)).collect();
        let messages = router.round(policy, found, now);
        let mut whom: Vec<_> = messages.iter().map(|message| (&message.group, &message.receiver)).collect();
        whom.sort();
        whom.dedup();
        assert_eq!(whom.len(), messages.len(), "one message for each receiver of a group");
        for message in messages {
            attempts += 1;
            router.sending(&message);
            if fails.get(attempts % fails.len().max(1)).copied().unwrap_or_default() {
                router.not_taken(&message);
                continue;
            }
            router.delivered(&message, now);
            assert_eq!(message.receiver, "pager");
            for (alerts, is_over) in [(&message.firing, false), (&message.resolved, true)] {
                for alert in alerts {
                    let at = checks.iter().position(|check| *check == alert.check).unwrap();
                    told[at].push((now, is_over));
                }
            }
        }
    }
    told
}

proptest! {
    /// Told once in each repeat interval as long as it lasts, its end once, and nothing twice over a restart.
    #[test]
    fn one_is_told_what_is_obvious(
        histories in proptest::collection::vec(history(), 1..4),
        times in times(),
        restarts in proptest::collection::vec(any::<bool>(), 1..9),
    ) {
        let told = run(&policy_of(times), &histories, &restarts, &[]);
        let longest = histories.iter().map(Vec::len).max().unwrap();
        for (mut history, told) in histories.into_iter().zip(told) {
            history.resize(longest, false);
            prop_assert_eq!(told, obvious(&history, times));
        }
    }

    /// Whatever is not delivered: an end is told of what was told, and once; and once all goes well again, all is told.
    #[test]
    fn an_end_is_told_once_whatever_fails(
        history in history(),
        times in times(),
        fails in proptest::collection::vec(any::<bool>(), 1..9),
    ) {
        let mut fails = fails;
        // Some attempt goes well.
        fails.push(false);
        let mut history = history;
        history.extend([true; 40]);
        history.extend([false; 200]);
        let told = run(&policy_of(times), &[history], &[], &fails).remove(0);
        prop_assert!(!told.is_empty());
        prop_assert!(!told[0].1, "an end without a beginning");
        prop_assert!(told.windows(2).all(|two| !(two[0].1 && two[1].1)), "an end twice: {:?}", told);
        prop_assert!(told.last().unwrap().1, "no end: {:?}", told);
    }

    /// One group: every alert is told to the receivers of one route, that of its class.
    #[test]
    fn an_alert_has_one_way(classes in proptest::collection::vec(0_usize..3, 1..60)) {
        let mut rounds = Rounds::of(policy());
        for class in classes {
            let class = [Class::Log, Class::Ticket, Class::Page][class];
            rounds.until(rounds.now + 30 * S, &[alert("loader", "lag", class)]);
            let knows = rounds.router.groups.values().flat_map(|told| told.by.iter());
            for (receiver, heard) in knows {
                for said in heard.alerts.values() {
                    let route = rounds.policy.route(&said.alert).unwrap();
                    prop_assert!(route.steps.iter().any(|step| step.receivers.contains(receiver)));
                }
            }
        }
        // Whatever it was in between, all of it ends.
        rounds.until(rounds.now + 60 * MIN, &[]);
        prop_assert_eq!(&rounds.router, &Router::default());
    }
}
